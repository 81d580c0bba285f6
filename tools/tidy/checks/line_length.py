"""Lines of code are at most 100 columns long: two files fit side by side."""

from tree import Finding

NAME = "line-length"
COLUMNS_MAX = 100


def findings(tree):
    for file in tree.code():
        for number, line in enumerate(file.lines, 1):
            if len(line) > COLUMNS_MAX:
                yield Finding(file.path, number, f"{len(line)} columns, allowed are {COLUMNS_MAX}")
