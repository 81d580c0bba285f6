"""Files stay short enough to be read at one sitting: about 300 lines, split before 600.

A file that is one table of data says so with the marker `tidy: data table` in its first ten lines.
"""

from tree import Finding

NAME = "file-length"
WARNED_ABOVE = 300
LINES_MAX = 600
MARKER = "tidy: data table"
MARKER_WITHIN = 10


def findings(tree):
    for file in tree.code():
        count = len(file.lines)
        if count <= WARNED_ABOVE or any(MARKER in line for line in file.lines[:MARKER_WITHIN]):
            continue
        if count > LINES_MAX:
            yield Finding(file.path, count, f"{count} lines, allowed are {LINES_MAX}: split it")
        else:
            yield Finding(file.path, count,
                          f"{count} lines: above {WARNED_ABOVE}, think of splitting",
                          is_warning=True)
