"""Just enough understanding of C++ for the checks: comments and literals blanked out, the module
and include lines, and where functions begin and end. It is no parser; clang is. It relies on
formatted code.
"""

import bisect
import dataclasses
import functools
import re

LITERAL_OR_COMMENT = re.compile(
    r"//[^\n]*"
    r"|/\*.*?\*/"
    r'|R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|\b\d(?:'?[\w.])*"  # a number, whose ' separates digits
    r"|'(?:\\.|[^'\\\n])+'",
    re.DOTALL)
PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
NOT_NEWLINE = re.compile(r"[^\n]")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
IMPORT = re.compile(r"^\s*(export\s+)?import\s+([\w.]*(?::[\w.]+)?)\s*;")
MODULE = re.compile(r"^\s*(export\s+)?module\s+([\w.]+(?::[\w.]+)?)\s*;")
GLOBAL_FRAGMENT = re.compile(r"^\s*module\s*;")

TEMPLATE_HEAD = re.compile(r"\btemplate\s*<(?:[^<>]|<(?:[^<>]|<[^<>]*>)*>)*>")
TYPE_HEAD = re.compile(r"^(?:export\s+)?(?:class|struct|union|enum)\b")
NAMESPACE_HEAD = re.compile(r"^(?:export|(?:export\s+)?(?:inline\s+)?namespace\b.*|extern\s*)$",
                            re.DOTALL)
MEMBER_INITIALISER = re.compile(r"\)\s*(?:noexcept\s*)?:(?!:).*\w$", re.DOTALL)
FUNCTION_NAME = re.compile(r"([\w:~]+|operator[^\w\s]+)\s*\(")


@dataclasses.dataclass(frozen=True)
class Line:
    """An include, import or module line."""
    kind: str  # include, import, module, global_fragment
    number: int
    name: str
    in_quotes: bool = False
    exported: bool = False


@dataclasses.dataclass(frozen=True)
class Function:
    name: str
    first: int
    last: int

    @property
    def length(self):
        return self.last - self.first + 1


def blank(text):
    """Replaces comments and the insides of literals by spaces; line numbers stay."""
    def replace(match):
        found = match.group()
        if found[0].isdigit():
            return found
        return NOT_NEWLINE.sub(" ", found)
    return LITERAL_OR_COMMENT.sub(replace, text)


@functools.cache
def blanked(file):
    return blank(file.text)


@functools.cache
def module_lines(file):
    """The include, import and module lines of a file, in their order."""
    found = []
    originals = file.lines
    for number, line in enumerate(blanked(file).splitlines(), 1):
        if "#" in line and (match := INCLUDE.match(originals[number - 1])):
            found.append(Line("include", number, match[2], in_quotes=match[1] == '"'))
        elif "import" in line and (match := IMPORT.match(line)):
            found.append(Line("import", number, match[2], exported=bool(match[1])))
        elif "module" in line and (match := MODULE.match(line)):
            found.append(Line("module", number, match[2], exported=bool(match[1])))
        elif "module" in line and GLOBAL_FRAGMENT.match(line):
            found.append(Line("global_fragment", number, ""))
    return found


def module_of(file):
    """The module that a file belongs to, without its partition; None for other files."""
    for line in module_lines(file):
        if line.kind == "module":
            return line.name.partition(":")[0]
    return None


def kind_of_scope(head):
    """What a `{` opens, judged by the text since the last `;`, `{` or `}`."""
    head = TEMPLATE_HEAD.sub(" ", head).strip()
    head = re.sub(r"^(?:public|private|protected)\s*:(?!:)\s*", "", head)
    head = re.sub(r"\[\[[^\]]*\]\]\s*", "", head)
    if NAMESPACE_HEAD.match(head):
        return "namespace"
    if TYPE_HEAD.match(head):
        return "type"
    if head.endswith("=") or ")" not in head:
        return "data"
    if MEMBER_INITIALISER.search(head) and not re.search(r"\b(?:const|override|noexcept)$", head):
        return "member_initialiser"
    return "function"


@functools.cache
def functions(file):
    """The functions at namespace or class scope, with the lambdas and local classes in them."""
    text = PREPROCESSOR.sub(lambda match: NOT_NEWLINE.sub(" ", match.group()), blanked(file))
    newlines = [match.start() for match in re.finditer("\n", text)]
    found = []
    scopes = []  # (kind, where its head begins)
    head_begins = 0
    for match in re.finditer(r"[{};]", text):
        position = match.start()
        inside = scopes[-1][0] if scopes else "namespace"
        if match.group() == "{":
            is_declaration = inside in {"namespace", "type"}
            kind = kind_of_scope(text[head_begins:position]) if is_declaration else "block"
            scopes.append((kind, head_begins))
            if kind in {"namespace", "type"}:
                head_begins = position + 1
        elif match.group() == "}":
            kind, began = scopes.pop() if scopes else ("block", 0)
            if kind == "function":
                found.append(make_function(text, began, position, newlines))
            if kind not in {"block", "member_initialiser"}:
                head_begins = position + 1
        elif inside in {"namespace", "type"}:
            head_begins = position + 1
    return found


def make_function(text, began, ended, newlines):
    head = text[began:ended]
    began += len(head) - len(head.lstrip())
    name = FUNCTION_NAME.search(TEMPLATE_HEAD.sub(" ", head))
    return Function(name[1] if name else "(unnamed)", bisect.bisect_left(newlines, began) + 1,
                    bisect.bisect_left(newlines, ended) + 1)
