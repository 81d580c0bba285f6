"""Nothing lies about unused: a script or header that nothing mentions, a schema whose family the
build does not know, a folder of test data that no test names. (C++ sources: see cmake_sources.)
"""

import re

from tree import Finding

NAME = "dead-files"
SCHEMAS = "modules/protocol/schema/"
FAMILIES_IN = "modules/protocol/"  # the build files and generator below it name the families
NOT_DATA = {".md", ".txt", ".xml", ".java", ".js", ".go", ".mod", ".sum", ".schema", ".capnp"}
DATA_IN = ("tests/", "modules/", "ipc/", "sdk/", "bench/")
NAME_IN_TEXT = re.compile(r"[\w.+-]+")


def names_in(file):
    return set(NAME_IN_TEXT.findall(file.text))


def mentions_in(tree):
    """Returns {word: set of the paths of the files that mention it}."""
    mentions = {}
    for file in tree.text_files():
        if file.is_code or file.suffix in {".md", ".txt", ".json"}:
            for name in names_in(file):
                mentions.setdefault(name, set()).add(file.path)
    return mentions


def is_mentioned(file, mentions):
    names = [file.name, f"{file.name}."]  # at the end of a sentence
    if file.is_python or file.suffix == ".cmake":
        names += [file.stem, file.stem.removeprefix("Find")]  # as import, include(), find_package()
    return any(mentions.get(name, set()) - {file.path} for name in names)


def dead_scripts_and_headers(tree, mentions):
    for file in tree.code():
        is_wanted = file.is_python or file.is_shell or file.suffix in {".h", ".hpp", ".cmake"}
        if not is_wanted or file.folder in {"", ".ci"}:
            continue
        if not is_mentioned(file, mentions):
            yield Finding(file.path, 1, "nothing mentions it")


def dead_schemas(tree):
    knowing = " ".join(file.text for file in tree.code()
                       if file.path.startswith(FAMILIES_IN) and (file.is_cmake or file.is_python))
    families = set(re.findall(r"\w+", knowing))
    for file in tree.files:
        if not file.path.startswith(SCHEMAS) or file.suffix != ".schema":
            continue
        family = file.path.removeprefix(SCHEMAS).rpartition("/")[0]
        if family not in families:
            yield Finding(file.path, 1, f"the build knows no schema family '{family}'")


def is_named(folder, texts, code_folders):
    """True when a build file or test names the folder, or by its path a data folder above it."""
    name = re.compile(r"[\"'\s/]" + re.escape(folder.rpartition("/")[2]) + r"[\"'\s/)]")
    if any(name.search(text) for text in texts):
        return True
    above = folder
    while above not in code_folders:
        whole_path = re.compile(re.escape(above) + r"/?[\"'\s)]")
        if any(whole_path.search(text) for text in texts):
            return True
        above = above.rpartition("/")[0]
    return False


def folders_above(path):
    while path:
        path = path.rpartition("/")[0]
        yield path


def dead_data(tree):
    code = [file for file in tree.code() if file.path.startswith(DATA_IN)]
    texts = [file.text for file in code]
    code_folders = {folder for file in code for folder in folders_above(file.path)} | {""}
    folders = {}
    for file in tree.files:
        if file.path.startswith(DATA_IN) and not file.is_code and file.suffix not in NOT_DATA:
            folders.setdefault(file.folder, file)
    for folder, file in folders.items():
        if not is_named(folder, texts, code_folders):
            yield Finding(file.path, 1, f"no test or build file names the data folder {folder}")


def findings(tree):
    yield from dead_scripts_and_headers(tree, mentions_in(tree))
    yield from dead_schemas(tree)
    yield from dead_data(tree)
