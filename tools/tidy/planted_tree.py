"""A small clean tree into which a test plants a violation, and what the checks then say of it."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

README = "# A folder\n\nWhat it is.\n\nStart with the interface.\n"

CLEAN_TREE = {
    "CMakeLists.txt": "add_subdirectory(modules/base)\nadd_subdirectory(modules/upper)\n",
    "tools/layers.txt": "modules/base   millrace.base\nmodules/upper  millrace.upper\ntests  -\n",
    "modules/base/README.md": README,
    "modules/base/CMakeLists.txt": "sources(base.cppm base.cpp base_test.cpp base_wrapper.h)\n",
    "modules/base/base.cppm":
        "// The vocabulary.\nmodule;\n#include <string>\n\nexport module millrace.base;\n\n"
        "export std::string name();\n",
    "modules/base/base.cpp":
        "module;\n#include <string>\n\nmodule millrace.base;\n\n"
        "std::string name() {\n  return \"base\";\n}\n",
    "modules/base/base_wrapper.h": "#pragma once\n#include <string>\n",
    "modules/base/base_test.cpp":
        "#include \"base_wrapper.h\"\n\nimport millrace.base;\n\n"
        "TEST(Base, has_a_name) {\n  name();\n}\n",
    "modules/upper/README.md": README,
    "modules/upper/CMakeLists.txt": "sources(upper.cppm upper.cpp upper_test.cpp)\n",
    "modules/upper/upper.cppm":
        "export module millrace.upper;\n\nimport millrace.base;\n\nexport void work();\n",
    "modules/upper/upper.cpp": "module millrace.upper;\n\nvoid work() {}\n",
    "modules/upper/upper_test.cpp": "import millrace.upper;\n",
}


class PlantedTree(unittest.TestCase):

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="tidy-test-"))
        self.addCleanup(shutil.rmtree, self.root)
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)
        shutil.copy(REPOSITORY / ".clang-format", self.root)
        for path, text in CLEAN_TREE.items():
            self.write(path, text)

    def write(self, path, text, executable=False):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if executable:
            file.chmod(0o755)

    def append(self, path, text):
        with open(self.root / path, "a") as file:
            file.write(text)

    def tidy(self, *arguments):
        return subprocess.run(
            [sys.executable, "-B", str(HERE / "tidy.py"), "--root", str(self.root), *arguments],
            capture_output=True, text=True)

    def findings(self, check=None):
        """What tidy prints; planted code need not be formatted unless `check` is about that."""
        lines = self.tidy().stdout.splitlines()
        return [line for line in lines if re.match(r"\S+:\d+: (?!warning)", line)
                and (check == "format" or not line.endswith("[format]"))]

    def expect(self, check, path, line, words=""):
        """The check fails and names the place; no other check speaks."""
        found = self.findings(check)
        self.assertTrue(any(one.startswith(f"{path}:{line}: ") and one.endswith(f"[{check}]")
                            and words in one for one in found), found)
        self.assertEqual([one for one in found if not one.endswith(f"[{check}]")], [])
        only = [] if check == "exceptions" else ["--only", check]
        self.assertEqual(self.tidy(*only).returncode, 1)

    def expect_clean(self):
        self.assertEqual(self.findings(), [])
