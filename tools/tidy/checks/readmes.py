"""Each folder with sources has a README of a few lines: what it is, its main types, where to start
reading. Under tests/, the README of the folder above may speak for it.
"""

from tree import CPP, Finding

NAME = "readmes"
LINES_MIN = 3
# Java nests folders for its packages; the README stands beside the build file.
JAVA_BUILD = "pom.xml"


def folders_with_sources(tree):
    """Returns {folder: a file of it}."""
    found = {}
    for file in tree.files:
        if file.is_data or not file.folder or file.folder == ".ci":
            continue
        if file.suffix in CPP or file.is_python or file.is_shell or file.name == JAVA_BUILD:
            found.setdefault(file.folder, file)
        elif file.suffix == ".schema":
            found.setdefault(file.folder.rpartition("/")[0], file)
    return found


def is_named_above(folder, tree):
    """Under tests/, where folders are many and small, the README above may speak for them."""
    above, _, name = folder.rpartition("/")
    readme = tree.by_path.get(f"{above}/README.md")
    return folder.startswith("tests/") and readme is not None and f"{name}/" in readme.text


def findings(tree):
    for folder, file in folders_with_sources(tree).items():
        readme = tree.by_path.get(f"{folder}/README.md")
        if readme is None and is_named_above(folder, tree):
            continue
        if readme is None:
            yield Finding(file.path, 1, f"{folder} has no README.md")
        elif sum(bool(line.strip()) for line in readme.lines) < LINES_MIN:
            yield Finding(readme.path, 1,
                          "a README says what it is, its main types, where to start")
