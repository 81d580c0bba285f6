"""The files that the checks look at, read once, and the form in which a check reports."""

import dataclasses
import functools
import pathlib
import subprocess
import sys

CPP = {".cpp", ".cppm", ".h", ".hpp"}
MODULE_UNITS = {".cpp", ".cppm"}
CODE = CPP | {".py", ".sh", ".bash", ".cmake", ".java"}

# Files there are data: no rule about code or words applies to them.
DATA_FOLDERS = ("tests/golden/data/",)


@dataclasses.dataclass(frozen=True)
class Finding:
    path: str
    line: int
    message: str
    is_warning: bool = False


class File:
    """One file of the repository, by its path from the root."""

    def __init__(self, root, path):
        self.path = path
        self.absolute = root / path
        self.name = path.rsplit("/", 1)[-1]
        self.folder = path.rpartition("/")[0]
        self.suffix = pathlib.PurePosixPath(path).suffix
        self.stem = pathlib.PurePosixPath(path).stem

    @functools.cached_property
    def text(self):
        """The text, or None for a file that is not UTF-8 text."""
        data = self.absolute.read_bytes()
        if b"\0" in data:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None

    @functools.cached_property
    def lines(self):
        return self.text.splitlines() if self.text is not None else []

    @functools.cached_property
    def is_data(self):
        return self.path.startswith(DATA_FOLDERS)

    @functools.cached_property
    def is_python(self):
        return self.suffix == ".py"

    @functools.cached_property
    def is_shell(self):
        if self.suffix in {".sh", ".bash"}:
            return True
        return not self.suffix and bool(self.lines) and self.lines[0] == "#!/usr/bin/env bash"

    @functools.cached_property
    def is_cmake(self):
        return self.name == "CMakeLists.txt" or self.suffix == ".cmake"

    @functools.cached_property
    def is_code(self):
        return not self.is_data and (self.suffix in CODE or self.is_cmake or self.is_shell)

    @functools.cached_property
    def is_cpp(self):
        return not self.is_data and self.suffix in CPP

    @functools.cached_property
    def is_test(self):
        return self.stem.endswith("_test")

    @functools.cached_property
    def is_program(self):
        """Part of a test, benchmark or fuzz program, which nobody imports or includes."""
        return self.is_test or self.path.startswith(("tests/", "bench/"))


class Tree:
    """All files that git tracks or would track below `root`."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate",
             "-z"], cwd=self.root, capture_output=True, text=True)
        if listed.returncode:
            sys.exit(f"error: git cannot list the files of {self.root}: {listed.stderr.strip()}")
        paths = sorted(path for path in listed.stdout.split("\0") if path)
        self.files = [File(self.root, path) for path in paths if (self.root / path).is_file()]
        self.by_path = {file.path: file for file in self.files}

    def cpp(self):
        return [file for file in self.files if file.is_cpp]

    def code(self):
        return [file for file in self.files if file.is_code]

    def text_files(self):
        return [file for file in self.files if not file.is_data and file.text is not None]
