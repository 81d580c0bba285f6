"""A C++ file is read and compiled in one order: `module;`, includes, module line, imports, code.

An include after an import, or below the module line, makes clang merge declarations that it has
seen in two places: slow at best, an error that is hard to read at worst.
"""

from cpp_text import module_lines
from tree import Finding

NAME = "file-order"


def findings_in_unit(file, lines):
    if any(line.kind == "include" for line in lines) and lines[0].kind != "global_fragment":
        yield Finding(file.path, lines[0].number,
                      "a module unit with includes begins with `module;`")
    below = False
    for line in lines:
        below = below or line.kind == "module"
        if line.kind == "include" and below:
            yield Finding(file.path, line.number,
                          f"include of {line.name} below the module line: move it up")
        elif line.kind == "import" and not below:
            yield Finding(file.path, line.number, f"import of {line.name} above the module line")


def findings_in_plain_file(file, lines):
    imported = None
    for line in lines:
        if line.kind == "import":
            imported = imported or line
        elif line.kind == "include" and imported:
            yield Finding(file.path, line.number,
                          f"include of {line.name} after the import in line {imported.number}")


def findings(tree):
    for file in tree.cpp():
        lines = module_lines(file)
        if any(line.kind == "module" for line in lines):
            yield from findings_in_unit(file, lines)
        else:
            yield from findings_in_plain_file(file, lines)
            if file.suffix == ".cppm":
                yield Finding(file.path, 1, "a .cppm file declares a module")
