"""One source that has what several have: implementation units of one module, or sources without a
module (docs/decisions/0019).

python3 together.py OUTPUT SOURCE...
"""
import pathlib
import re
import sys

MODULE = re.compile(r"module ([\w.]+);")


def head_of(path):
    """(module, includes, imports, number of the line after them, that and all lines after it)"""
    module, includes, imports, begin = None, [], [], 0
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("#include "):
            quoted = re.fullmatch(r'#include "(.+)"', line)
            beside = path.parent / quoted[1] if quoted else None
            includes.append(f'#include "{beside}"' if beside and beside.exists() else line)
        elif line.startswith("import "):
            imports.append(line)
        elif named := MODULE.fullmatch(line):
            module = named[1]
        elif not line or line == "module;":
            pass
        elif line.startswith("//"):
            continue  # belongs to what comes next
        else:
            break
        begin = number + 1
    return module, includes, imports, begin + 1, lines[begin:]


def together(paths):
    heads = {path: head_of(path) for path in paths}
    modules = {module for module, *_ in heads.values()}
    if len(modules) != 1:
        raise SystemExit("error: not of one module: " + " ".join(map(str, paths)))
    module = modules.pop()
    text = ["module;"] if module else []
    text += dict.fromkeys(line for head in heads.values() for line in head[1])
    text += ["", f"module {module};"] if module else []
    text += ["", *dict.fromkeys(line for head in heads.values() for line in head[2])]
    for path, (*_, number, rest) in heads.items():
        text += ["", f'#line {number} "{path}"', *rest]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    pathlib.Path(sys.argv[1]).write_text(together([pathlib.Path(name) for name in sys.argv[2:]]))
