"""Each unit has its test beside it: x.cppm and x.cpp are proved by x_test.cpp.

A file that only re-exports needs none. A unit split over files (crc32c.cppm, crc32c_hardware.cpp)
is proved by the test of the name that they share (crc32c_test.cpp).
"""

import re

from cpp_text import blanked
from tree import MODULE_UNITS, Finding

NAME = "unit-tests"
FOLDERS = ("modules/", "ipc/", "sdk/client/", "sdk/mock/")
ONLY_MODULE_LINES = re.compile(r"^(?:\s*(?:export\s+)?(?:module|import)\b[^;]*;)*\s*$")


def has_test(file, tree):
    """For a_b_c, one of a_b_c_test.cpp, a_b_test.cpp and a_test.cpp."""
    parts = file.stem.split("_")
    stems = ["_".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return any(f"{file.folder}/{stem}_test.cpp" in tree.by_path for stem in stems)


def findings(tree):
    reported = set()
    for file in tree.cpp():
        is_unit = file.suffix in MODULE_UNITS and not file.is_test
        if not is_unit or not file.path.startswith(FOLDERS):
            continue
        if ONLY_MODULE_LINES.match(blanked(file)) or has_test(file, tree):
            continue
        if (file.folder, file.stem) not in reported:
            reported.add((file.folder, file.stem))
            yield Finding(file.path, 1, f"no {file.stem}_test.cpp beside it")
