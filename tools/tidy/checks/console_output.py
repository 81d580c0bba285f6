"""Modules write no text to the console: what a person should read goes through the log, or is
returned.
"""

import re

from cpp_text import blanked
from tree import Finding

NAME = "console-output"
PATTERN = re.compile(r"\bstd::(?:cout|cerr|clog)\b"
                     r"|(?<![\w.>])(?:std::)?(?:printf|puts|putchar)\s*\(")


def findings(tree):
    for file in tree.cpp():
        if not file.path.startswith(("modules/", "ipc/")) or file.is_test:
            continue
        for number, line in enumerate(blanked(file).splitlines(), 1):
            if match := PATTERN.search(line):
                name = match[0].rstrip("( ")
                yield Finding(file.path, number,
                              f"{name} in a module: use the log, or return the text")
