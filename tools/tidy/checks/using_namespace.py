"""`using namespace` at namespace scope puts foreign names into every file that sees it."""

import re

from cpp_text import blanked, functions
from tree import Finding

NAME = "using-namespace"
PATTERN = re.compile(r"\busing\s+namespace\s+([\w:]+)")


def findings(tree):
    for file in tree.cpp():
        if "namespace" not in file.text:
            continue
        for number, line in enumerate(blanked(file).splitlines(), 1):
            match = PATTERN.search(line)
            if match and not any(f.first <= number <= f.last for f in functions(file)):
                yield Finding(file.path, number,
                              f"using namespace {match[1]} at namespace scope: name what you use")
