"""Files are named in snake_case, and a test says in snake_case what should hold.

CMake's own names (CMakeLists.txt, modules found by include()) and Java's keep the form that those
tools expect.
"""

import re

from cpp_text import blanked
from tree import Finding

NAME = "naming"
SNAKE_CASE_FILE = re.compile(r"^[a-z0-9]+(_[a-z0-9]+)*(\.[a-z0-9+]+)?$")
SCRIPT = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")  # what one types: dev-test, fresh-debian
TEST = re.compile(r"^\s*(?:TYPED_)?(?:TEST(?:_F|_P)?|RC_GTEST_PROP|RC_GTEST_FIXTURE_PROP)"
                  r"\(\s*(\w+)\s*,\s*(\w+)", re.MULTILINE)
SNAKE_CASE = re.compile(r"^[a-z0-9]+(_[a-z0-9]+)*$")


def is_named_well(file):
    if file.suffix == ".java" or file.is_cmake:
        return True
    if file.is_shell and not file.suffix:
        return bool(SCRIPT.match(file.name))
    return bool(SNAKE_CASE_FILE.match(file.name))


def findings(tree):
    for file in tree.code():
        if not is_named_well(file):
            yield Finding(file.path, 1, "file names are snake_case")
    for file in tree.cpp():
        if "TEST" not in file.text and "RC_GTEST" not in file.text:
            continue
        text = blanked(file)
        for match in TEST.finditer(text):
            if not SNAKE_CASE.match(match[2]):
                number = text.count("\n", 0, match.start(2)) + 1
                yield Finding(file.path, number,
                              f"test {match[1]}.{match[2]}: name the behaviour, in snake_case")
