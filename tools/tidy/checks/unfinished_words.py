"""What is in the repository is finished; what is left to do stands in an issue."""

import re

from tree import Finding

NAME = "unfinished-words"
WORDS = ("TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK")
PATTERN = re.compile(r"\b(" + "|".join(WORDS) + r")\b")


def findings(tree):
    for file in tree.text_files():
        if not PATTERN.search(file.text):
            continue
        for number, line in enumerate(file.lines, 1):
            if match := PATTERN.search(line):
                yield Finding(file.path, number,
                              f"{match[1]}: do it, or open an issue and drop this")
