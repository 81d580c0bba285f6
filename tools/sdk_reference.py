"""Writes the reference of the C++ client, docs/sdk/reference, from the public headers: a page for
each header, with its comments as they are there, and a list of the pages.

    tools/sdk_reference.py           writes what is not current
    tools/sdk_reference.py --check   names what is not current, and fails

It is no parser of C++: it relies on headers that are formatted as ours are.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs/sdk/reference"
LIBRARIES = (
    ("libmillrace", ROOT / "sdk/client/include", "millrace/*.hpp"),
    ("libmillrace_mock, for tests", ROOT / "sdk/client/mocks/include", "millrace/mock/*.hpp"),
)
# Which tell of nothing but other headers, or of the compiler.
LEFT_OUT = {"abi.hpp", "millrace.hpp"}
BY_HAND = {"settings.md"}  # printed by the test of sdk/client/core that checks it

NAMESPACE = re.compile(r"^namespace millrace::inline v1(::\w+)? \{\n"
                       r"(.*?)^\}  // namespace millrace", re.MULTILINE | re.DOTALL)
DETAIL = re.compile(r"^namespace detail \{\n(?:\S[^\n}]*;\n)+\}\n"
                    r"|^namespace detail \{\n.*?^\}  // namespace detail\n",
                    re.MULTILINE | re.DOTALL)
MACRO = re.compile(r"MILLRACE_API ")
PRIVATE = re.compile(r"^ *(?:private|protected):\n(?:.*\n)*?(?=^ *public:\n|^\};|\Z)",
                     re.MULTILINE)
TYPE = re.compile(r"^(?:template <.*?>\n(?:  requires.*\n)?)?"
                  r"(?:class|struct|enum(?: class)?|union) (?:\[\[nodiscard\]\] )?"
                  r"(\w+(?:<\w+>)?)", re.DOTALL)
NAMED = (re.compile(r"^(?:template <.*?>\n)?concept (\w+)", re.DOTALL),
         re.compile(r"^(?:template <.*?>\n)?using (\w+)", re.DOTALL),
         re.compile(r"\b(operator[^\s(]+|\w+)\("), re.compile(r"(\w+) = "))
# Assertions, and members that are defined or declared outside of their class.
OUTSIDE = re.compile(r"^(?:static_assert|inline [^=\n]*\b[A-Z]\w*::\w+\("
                     r"|template <[^\n]*>\nclass \w+<.*>::\w+)")
FORWARD = re.compile(r"^(?:(?:template <[^\n]*>\n)?(?:class|struct) \w+;\n?)+$")


def paragraphs(text):
    """Yields what stands between blank lines outside of braces."""
    lines, depth = [], 0
    for line in text.splitlines():
        if not line.strip() and depth == 0:
            if lines:
                yield "\n".join(lines)
            lines = []
            continue
        lines.append(line)
        bare = re.sub(r"//.*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])'", "", line)
        depth += bare.count("{") - bare.count("}")
    if lines:
        yield "\n".join(lines)


def split_comment(paragraph):
    """The comment above a declaration as prose, and the rest."""
    lines = paragraph.splitlines()
    count = 0
    while count < len(lines) and lines[count].startswith("//"):
        count += 1
    return [line[2:].removeprefix(" ") for line in lines[:count]], "\n".join(lines[count:])


def end_of_braces(text, at):
    """The place behind the brace that closes the one at `at`."""
    depth = 0
    while at < len(text):
        if text.startswith("//", at):
            at = text.find("\n", at)
            continue
        if text[at] in "\"'" and not (text[at] == "'" and text[at - 1].isdigit()):
            quote = text[at]
            at += 1
            while text[at] != quote:
                at += 2 if text[at] == "\\" else 1
        elif text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise ValueError("a brace is not closed")


def is_body(statement):
    """Whether a brace after this opens the body of a function."""
    code = re.sub(r"//[^\n]*\n", "", statement).strip()
    if ")" not in code or re.search(r"^(?:class|struct|enum|union)\b[^()]*\Z", code, re.MULTILINE):
        return False
    if re.search(r"\bconcept \w+ =", code) or code.endswith("="):
        return False
    return statement.endswith(" ") and code.count("(") == code.count(")")


def without_initialisers(statement):
    """A constructor without what it does to its members."""
    depth, at = 0, 0
    while at < len(statement):
        letter = statement[at]
        depth += letter in "(<"
        depth -= letter in ")>" and statement[at - 1] != "-"
        if letter == ":" and depth == 0 and ")" in statement[:at]:
            if statement[at + 1] != ":" and statement[at - 1] != ":":
                return statement[:at]
        at += 1
    return statement


def without_bodies(text):
    """Functions that are defined in the header, as declarations."""
    out, start, at = "", 0, 0
    while at < len(text):
        if text.startswith("//", at):
            at = text.find("\n", at)
            at = len(text) if at < 0 else at
            continue
        if text[at] == "{":
            if is_body(text[start:at]):
                out += without_initialisers(text[start:at]).rstrip() + ";"
                at = start = end_of_braces(text, at)
                continue
            if re.search(r"[=(,]\s*$|\w$", text[start:at]):  # a value
                at = end_of_braces(text, at)
                continue
            out += text[start:at + 1]
            start = at + 1
        elif text[at] in ";}":
            out += text[start:at + 1]
            start = at + 1
        at += 1
    return out + text[start:]


def declared(code):
    """What a user sees of a declaration."""
    code = PRIVATE.sub("", MACRO.sub("", code))
    code = without_bodies(code)
    return re.sub(r"\n\n+(\};)$", r"\n\1", re.sub(r"\n{3,}", "\n\n", code)).strip()


def statements(code):
    """Yields each of the declarations that stand together, without what is in their braces."""
    bare = re.sub(r"//[^\n]*", "", without_bodies(code))
    while "{" in bare:
        shorter = re.sub(r"\{[^{}]*\}", "", bare)
        if shorter == bare:
            break
        bare = shorter
    for statement in bare.split(";"):
        if statement.strip():
            yield statement.strip()


def name_of(statement):
    if match := TYPE.match(statement):
        return match[1]
    for pattern in NAMED:
        if match := pattern.search(statement):
            return match[1]
    raise ValueError(f"nobody can tell the name of: {statement}")


def title_of(code):
    return ", ".join(dict.fromkeys(name_of(statement) for statement in statements(code)))


def prose(lines):
    """A comment as text: one line for each paragraph, and code as it is."""
    out, text = [], ""
    for line in [*lines, ""]:
        is_code = line.startswith("  ")
        if text and (is_code or not line.strip()):
            out.append(escaped(text.strip()))
            text = ""
        if is_code:
            out.append(("" if out and out[-1].startswith("    ") else "\n") + "    " + line)
        elif line.strip():
            text += line + " "
        elif out:
            out.append("")
    return re.sub(r"\n{3,}", "\n\n", "\n".join(out)).strip()


def escaped(text):
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([<_*|])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)


def public_part(text):
    return [(match[1] or "", DETAIL.sub("", match[2])) for match in NAMESPACE.finditer(text)]


def items_of(text):
    """(name, comment, code) of each declaration, in the order of the header."""
    found = []
    for _, body in public_part(text):
        for paragraph in paragraphs(body):
            comment, code = split_comment(paragraph)
            if not code or FORWARD.match(code) or OUTSIDE.match(code):
                continue
            code = declared(code)
            found.append((title_of(code), comment, code))
    return found


def introduction(text):
    lines = []
    for line in text.splitlines():
        if not line.startswith("//"):
            break
        lines.append(line[2:].removeprefix(" "))
    return lines


def page_of(header, name):
    text = header.read_text(encoding="utf-8")
    scopes = {scope for scope, _ in public_part(text)}
    page = [f"# {name}", "",
            "Written by `tools/sdk_reference.py` from the header; do not edit.", "",
            prose(introduction(text)), "", f"    #include <{name}>  // namespace millrace"
            + "".join(sorted(scopes))]
    for title, comment, code in items_of(text):
        page += ["", f"## {title}"]
        if comment:
            page += ["", prose(comment)]
        page += ["", "```cpp", code, "```"]
    return "\n".join(page) + "\n"


def all_pages():
    """Returns {file name: text}."""
    pages = {}
    index = ["# Reference of the C++ client", "",
             "Written by `tools/sdk_reference.py` from the public headers; do not edit.",
             "Start with the [tutorial](../tutorial.md), or with",
             "[coming from librdkafka](../from-librdkafka.md).",
             "What can be set is in [settings](settings.md)."]
    for library, folder, pattern in LIBRARIES:
        index += ["", f"## {library}", "", "| header | what | names |", "|---|---|---|"]
        for header in sorted(folder.glob(pattern)):
            if header.name in LEFT_OUT:
                continue
            name = str(header.relative_to(folder))
            page = f"{header.stem}.md"
            if header.parent.name == "mock" and not page.startswith("mock_"):
                page = f"mock_{page}"
            pages[page] = page_of(header, name)
            text = header.read_text(encoding="utf-8")
            names = dict.fromkeys(f"`{one}`" for title, _, _ in items_of(text)
                                  for one in title.split(", "))
            what = prose(introduction(text)).partition("\n")[0]
            index.append(f"| [{name}]({page}) | {what} | {', '.join(names)} |")
    pages["README.md"] = "\n".join(index) + "\n"
    return pages


def stale_pages():
    """Returns {path: text that should be there, None where nothing should}."""
    pages = {PAGES / name: text for name, text in all_pages().items()}
    stale = {path: text for path, text in pages.items()
             if not path.is_file() or path.read_text(encoding="utf-8") != text}
    there = {path for path in PAGES.glob("*.md") if path.name not in BY_HAND}
    return stale | dict.fromkeys(there - pages.keys())


def main(arguments):
    stale = stale_pages()
    for path, text in sorted(stale.items()):
        if arguments == ["--check"]:
            print(f"{path.relative_to(ROOT)} is not what the header says")
        elif text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and arguments == ["--check"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
