"""Each unit has its test beside it: x.cppm and x.cpp are proved by x_test.cpp.

A unit split over files (crc32c.cppm, crc32c_hardware.cpp) is proved by the test of the name that
they share (crc32c_test.cpp), a folder of parts by the test beside the folder. A test that proves
further units says so in its first comment: `Also proves gzip.cpp, lz4.cpp.` A file that only
re-exports needs no test.
"""

import re

from cpp_text import blanked
from tree import MODULE_UNITS, Finding

NAME = "unit-tests"
FOLDERS = ("modules/", "ipc/", "sdk/client/", "sdk/mock/")
ONLY_MODULE_LINES = re.compile(r"^(?:\s*(?:export\s+)?(?:module|import)\b[^;]*;)*\s*$")
ALSO_PROVES = re.compile(r"Also proves ((?:[^\n.]|\.(?!\s)|\n// )+)")
FILE_NAME = re.compile(r"[\w/]+\.\w+")


def has_test(file, tree):
    """For a_b_c, one of a_b_c_test.cpp, a_b_test.cpp and a_test.cpp; or the test of its folder."""
    parts = file.stem.split("_")
    stems = ["_".join(parts[:count]) for count in range(len(parts), 0, -1)]
    paths = [f"{file.folder}/{stem}_test.cpp" for stem in stems] + [f"{file.folder}_test.cpp"]
    return any(path in tree.by_path for path in paths)


def units_named_by_tests(tree):
    """Yields (test, path of a unit that the test claims to prove as well)."""
    for file in tree.cpp():
        if file.is_test and (match := ALSO_PROVES.search(file.text)):
            for name in FILE_NAME.findall(match[1]):
                yield file, f"{file.folder}/{name}"


def without_suffix(path):
    return path.rpartition(".")[0]


def findings(tree):
    proved = set()
    for test, path in units_named_by_tests(tree):
        proved.add(without_suffix(path))
        if path not in tree.by_path:
            yield Finding(test.path, 1, f"it also proves {path}, which is not there")
    for file in tree.cpp():
        is_unit = file.suffix in MODULE_UNITS and not file.is_test
        if not is_unit or not file.path.startswith(FOLDERS):
            continue
        if ONLY_MODULE_LINES.match(blanked(file)) or has_test(file, tree):
            continue
        if without_suffix(file.path) not in proved:
            proved.add(without_suffix(file.path))  # one finding for x.cpp and x.cppm
            yield Finding(file.path, 1, f"no {file.stem}_test.cpp beside it")
