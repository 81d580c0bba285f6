"""`using namespace` is not written at namespace scope: it puts foreign names among ours, in every
file that sees it.

A test, benchmark or fuzz program is seen by nobody: it may open the namespaces that it is about
(ours), and those of literals.
"""

import re

from cpp_text import blanked, functions
from tree import Finding

NAME = "using-namespace"
PATTERN = re.compile(r"\busing\s+namespace\s+([\w:]+)")
LITERALS = re.compile(r"(?:^|_|::)(?:chrono_)?literals$")


def opens_its_own_subject(file, namespace):
    if file.suffix != ".cpp" or not file.is_program:
        return False
    return not namespace.startswith("std") or bool(LITERALS.search(namespace))


def findings(tree):
    for file in tree.cpp():
        if "namespace" not in file.text:
            continue
        for number, line in enumerate(blanked(file).splitlines(), 1):
            match = PATTERN.search(line)
            if not match or opens_its_own_subject(file, match[1]):
                continue
            if not any(f.first <= number <= f.last for f in functions(file)):
                yield Finding(file.path, number,
                              f"using namespace {match[1]} at namespace scope: name what you use")
