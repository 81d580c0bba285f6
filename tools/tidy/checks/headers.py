"""A header guards itself with `#pragma once`."""

import re

from tree import Finding

NAME = "pragma-once"
PRAGMA = re.compile(r"^\s*#\s*pragma\s+once\b", re.MULTILINE)


def findings(tree):
    for file in tree.cpp():
        if file.suffix in {".h", ".hpp"} and not PRAGMA.search(file.text):
            yield Finding(file.path, 1, "a header needs #pragma once")
