"""Small C++ expressions that reading, measuring and writing share."""

from schema import Field, Message, Struct
from versions import Versions

CPP_FIXED = {
    "bool": "bool",
    "int8": "int8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
    "int64": "int64_t",
    "float64": "double",
    "uuid": "Uuid",
}
CPP_VARIABLE = {"string": "String", "bytes": "Bytes", "records": "Records"}


def element_type(f: Field) -> str:
    return CPP_FIXED.get(f.type) or CPP_VARIABLE.get(f.type) or f.type


def member_type(f: Field) -> str:
    if f.is_array:
        return f"Array<{element_type(f)}>"
    if f.by_pointer:
        return f"const {f.type}*"
    return element_type(f)


def default_value(f: Field) -> str:
    """The initialiser of a member. Kafka's defaults: zero, empty, or what the schema says."""
    if f.is_array:
        return "Array<{}>::null()".format(element_type(f)) if f.default == "null" else ""
    if f.by_pointer:
        return "nullptr" if f.default == "null" else f"&default_{f.cpp_name}"
    if f.is_struct or f.type in ("uuid", "records"):
        return ""
    if f.type == "string":
        return "null_string" if f.default == "null" else "empty_string"
    if f.type == "bytes":
        return "null_bytes" if f.default == "null" else "empty_bytes"
    if f.type == "bool":
        return f.default or "false"
    return f.default or "0"


def is_default(f: Field, value: str) -> str:
    """The C++ test that a member has its default."""
    if f.is_array:
        return f"{value}.is_null()" if f.default == "null" else f"count_of({value}) == 0"
    if f.by_pointer:
        return (
            f"{value} == nullptr"
            if f.default == "null"
            else f"({value} != nullptr && is_default(*{value}))"
        )
    if f.is_struct:
        return f"is_default({value})"
    if f.type == "uuid":
        return f"{value}.is_zero()"
    if f.type == "records":
        return f"{value}.is_null()"
    if f.type in ("string", "bytes"):
        if f.default == "null":
            return f"{value}.data() == nullptr"
        if f.nullable.empty:
            return f"{value}.empty()"
        return f"({value}.data() != nullptr && {value}.empty())"
    if f.type == "bool":
        return value if f.default == "true" else f"!{value}"
    return f"{value} == {f.default or '0'}"


def negated(test: str) -> str:
    if test.startswith("!"):
        return test[1:]
    if " == " in test and not test.startswith("("):
        return test.replace(" == ", " != ")
    return f"!{test}"


def flexible_test(message: Message, within: Versions) -> str:
    """`true`, `false`, or the name of the local that holds the answer."""
    if message.flexible.contains(within):
        return "true"
    if message.flexible.intersect(within).empty:
        return "false"
    return "flexible"


def field_flexible(message: Message, struct: Struct, f: Field) -> str:
    if f.never_flexible:
        return "false"
    # Inside `if (version >= N)` the answer may be known even where the struct's is not.
    return flexible_test(message, f.versions)


def flexible_local(message: Message, struct: Struct) -> str | None:
    if flexible_test(message, struct.versions) != "flexible":
        return None
    return f"const bool flexible = {message.flexible.condition(struct.versions)};"


def nullable_test(f: Field) -> str:
    if f.nullable.empty:
        return "false"
    return f.nullable.condition(f.versions) or "true"


def null_rule(f: Field) -> str:
    if f.nullable.empty:
        return "Null::never"
    condition = f.nullable.condition(f.versions)
    return f"({condition}) ? Null::allowed : Null::refused" if condition else "Null::allowed"


def null_marker(f: Field) -> str:
    return "NullMarker::plain" if f.tag is None else "NullMarker::tagged"


def groups(struct: Struct) -> list[tuple[str, list[Field]]]:
    """Consecutive plain fields that exist under the same condition."""
    result: list[tuple[str, list[Field]]] = []
    for f in struct.plain_fields:
        condition = f.versions.condition(struct.versions)
        if result and result[-1][0] == condition:
            result[-1][1].append(f)
        else:
            result.append((condition, [f]))
    return result


def fixed_runs(fields: list[Field]) -> list[list[Field]]:
    """Splits a group so that neighbours of fixed width stay together; others are alone."""
    runs: list[list[Field]] = []
    for f in fields:
        if f.is_fixed and runs and runs[-1][0].is_fixed:
            runs[-1].append(f)
        else:
            runs.append([f])
    return runs


class Code:
    """Lines of C++ under construction."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.depth = 0

    def add(self, line: str = "") -> None:
        self.lines.append("  " * self.depth + line if line else "")

    def open(self, line: str) -> None:
        self.add(line)
        self.depth += 1

    def close(self, line: str = "}") -> None:
        self.depth -= 1
        self.add(line)

    def text(self) -> str:
        return "\n".join(self.lines) + "\n"
