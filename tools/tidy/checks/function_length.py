"""A function fits on a screen: at most 70 lines from its first line to its closing brace.

A function that is only a table of data (a switch over all error codes) says so with the marker
`tidy: data table` inside or in the line above. C++ is measured by a scanner that knows scopes but
no types (cpp_text.py), Python by its own parser, shell by the form `name() {` ... `}`.
"""

import ast
import re

import cpp_text
from tree import Finding

NAME = "function-length"
LINES_MAX = 70
MARKER = "tidy: data table"
SHELL_FUNCTION = re.compile(r"^([\w-]+)\(\) \{$")


def python_functions(file):
    for node in ast.walk(ast.parse(file.text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield cpp_text.Function(node.name, node.lineno, node.end_lineno)


def shell_functions(file):
    name = began = None
    for number, line in enumerate(file.lines, 1):
        if match := SHELL_FUNCTION.match(line):
            name, began = match[1], number
        elif line == "}" and name:
            yield cpp_text.Function(name, began, number)
            name = None


def functions_of(file):
    if file.is_cpp:
        return cpp_text.functions(file)
    if file.is_python:
        return python_functions(file)
    return shell_functions(file) if file.is_shell else ()


def findings(tree):
    for file in tree.code():
        try:
            functions = list(functions_of(file))
        except SyntaxError as error:
            yield Finding(file.path, error.lineno or 1, f"no valid Python: {error.msg}")
            continue
        for function in functions:
            if function.length <= LINES_MAX:
                continue
            if any(MARKER in line for line in file.lines[max(0, function.first - 2):function.last]):
                continue
            yield Finding(file.path, function.first,
                          f"{function.name} has {function.length} lines, allowed are {LINES_MAX}")
