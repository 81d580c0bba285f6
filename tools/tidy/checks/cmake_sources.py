"""CMake lists every source by name: what is built is read in one place, and a new file
reconfigures.
"""

import re

from tree import MODULE_UNITS, Finding

NAME = "cmake-sources"
GLOB = re.compile(r"^\s*file\s*\(\s*GLOB\w*\s([^)]*)\)", re.IGNORECASE | re.MULTILINE)
CPP_GLOB = re.compile(r"\*[\w.]*\.(?:cpp|cppm|cxx|cc|h|hpp)\b|/\*\s*$")
WORD = re.compile(r"[\w./+-]+")


def lists_above(folder, by_folder):
    """The CMakeLists.txt of a folder and of the folders above it, the nearest first."""
    while True:
        if folder in by_folder:
            yield by_folder[folder]
        if not folder:
            return
        folder = folder.rpartition("/")[0]


def words_of(file):
    without_comments = "\n".join(line.partition("#")[0] for line in file.lines)
    return set(WORD.findall(without_comments))


def globs(file):
    for match in GLOB.finditer(file.text):
        number = file.text.count("\n", 0, match.start(1)) + 1
        if CPP_GLOB.search(match[1]) and "LIST_DIRECTORIES" not in match[1]:
            yield Finding(file.path, number, "file(GLOB) hides what is built: list the files")
        elif "CONFIGURE_DEPENDS" not in match[1]:
            yield Finding(file.path, number,
                          "file(GLOB) without CONFIGURE_DEPENDS does not see a new file")


def findings(tree):
    cmake_files = [file for file in tree.files if file.is_cmake]
    for file in cmake_files:
        yield from globs(file)
    by_folder = {file.folder: file for file in cmake_files if file.name == "CMakeLists.txt"}
    words = {folder: words_of(file) for folder, file in by_folder.items()}
    for file in tree.cpp():
        if file.suffix not in MODULE_UNITS:
            continue
        if not any(file.path.removeprefix(above.folder + "/" if above.folder else "")
                   in words[above.folder] for above in lists_above(file.folder, by_folder)):
            yield Finding(file.path, 1, "no CMakeLists.txt names it: dead, or forgotten")
