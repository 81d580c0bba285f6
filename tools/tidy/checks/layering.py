"""Imports point only down the list of tools/layers.txt, and a module is named by its folder.

So a lower module can be understood, tested and rebuilt without the higher ones, and no cycle can
grow.
"""

from cpp_text import module_lines, module_of
from tree import Finding

NAME = "layering"
LAYERS = "tools/layers.txt"
OURS = "millrace"


def expand(modules):
    if modules == "-":
        return []
    common, _, endings = modules.rstrip("}").partition("{")
    return [common + ending for ending in endings.split(",")]


def read_layers(tree):
    """Returns [(folder, [module, ...])], the lowest layer first."""
    layers = []
    for line in tree.by_path[LAYERS].lines:
        if line.strip() and not line.startswith("#"):
            folder, modules = line.split()
            layers.append((folder, expand(modules)))
    return layers


def layer_of(path, layers):
    """The number of the most specific layer whose folder holds the file, or None."""
    holding = [(len(folder), number) for number, (folder, _) in enumerate(layers)
               if path.startswith(folder + "/")]
    return max(holding)[1] if holding else None


def findings_in_file(file, layers, layer_of_module):
    own_layer = layer_of(file.path, layers)
    lines = module_lines(file)
    if own_layer is None:
        if lines and any(line.kind in {"import", "module"} for line in lines):
            yield Finding(file.path, 1, f"its folder has no line in {LAYERS}")
        return
    folder, own_modules = layers[own_layer]
    module = module_of(file)
    for line in lines:
        if line.kind == "module":
            if own_modules and module not in own_modules:
                yield Finding(file.path, line.number,
                              f"module {module} in {folder}: by its path it is {own_modules[0]}")
        elif line.kind == "import" and line.name.partition(".")[0] == OURS:
            target = layer_of_module.get(line.name)
            if target is None:
                yield Finding(file.path, line.number, f"{LAYERS} knows no module {line.name}")
            elif target > own_layer:
                yield Finding(file.path, line.number,
                              f"{folder} imports {line.name}, which stands above it in the layers")


def findings(tree):
    layers = read_layers(tree)
    layer_of_module = {module: number for number, (_, modules) in enumerate(layers)
                       for module in modules}
    for file in tree.cpp():
        yield from findings_in_file(file, layers, layer_of_module)
