"""Emits `read`: one function for each struct, from the receive buffer into the struct."""

from expressions import (
    Code,
    element_type,
    field_flexible,
    fixed_runs,
    flexible_local,
    flexible_test,
    groups,
    null_marker,
    nullable_test,
)
from schema import FIXED_BYTES, Field, Message, Struct


def emit_read(code: Code, message: Message, struct: Struct) -> None:
    code.open(
        f"const std::byte* read({struct.name}& out, const std::byte* from, "
        "const std::byte* end, Decode& state, "
        "int16_t version) {"
    )
    if local := flexible_local(message, struct):
        code.add("" + local)
    for condition, fields in groups(struct):
        if condition:
            code.open(f"if ({condition}) {{")
        for run in fixed_runs(fields):
            if run[0].is_fixed:
                _read_fixed_run(code, run)
            else:
                _read_variable(code, message, struct, run[0])
        if condition:
            code.close()
    _read_tags(code, message, struct)
    code.add("return from;")
    code.close()
    code.add()


def _read_fixed_run(code: Code, run: list[Field]) -> None:
    total = sum(FIXED_BYTES[f.type] for f in run)
    code.add(
        f"if (!has(from, end, {total})) [[unlikely]] "
        "return state.fail(DecodeFault::truncated, from);"
    )
    position = 0
    for f in run:
        at = f"from + {position}" if position else "from"
        code.add(f"out.{f.cpp_name} = load<{element_type(f)}>({at});")
        position += FIXED_BYTES[f.type]
    code.add(f"from += {total};")


def _read_variable(code: Code, message: Message, struct: Struct, f: Field) -> None:
    _read_value(code, message, f, "end", field_flexible(message, struct, f))
    code.add("if (from == nullptr) [[unlikely]] return nullptr;")


def _read_value(code: Code, message: Message, f: Field, end: str, flexible: str) -> None:
    target = f"out.{f.cpp_name}"
    rest = f"from, {end}, state, {flexible}, {nullable_test(f)}"
    if f.is_array and f.is_struct:
        code.add(f"from = read_struct_array({target}, {rest}, {message.bytes_min(f.struct)},")
        code.add(
            f"                         [&]({f.type}& item, const std::byte* at) {{ "
            f"return read(item, at, {end}, state, version); }});"
        )
    elif f.is_array:
        kind = "string" if f.type == "string" else "fixed"
        code.add(f"from = read_{kind}_array({target}, {rest});")
    elif f.by_pointer:
        code.add(
            f"from = read_nullable_struct({target}, from, {end}, state, {null_marker(f)}, "
            f"[&]({f.type}& item, const std::byte* at) {{ "
            f"return read(item, at, {end}, state, version); }});"
        )
    elif f.is_struct:
        code.add(f"from = read({target}, from, {end}, state, version);")
    else:
        code.add(f"from = read_{f.type}({target}, {rest});")


def _read_tags(code: Code, message: Message, struct: Struct) -> None:
    flexible = flexible_test(message, struct.versions)
    if flexible == "false":
        return
    if flexible == "flexible":
        code.open("if (flexible) {")
    if not struct.tagged_fields and not message.keeps_unknown_tags:
        code.add("from = skip_tags(from, end, state);")
    else:
        _read_known_tags(code, message, struct)
    if flexible == "flexible":
        code.close()


def _read_known_tags(code: Code, message: Message, struct: Struct) -> None:
    code.add("TagReader tags;")
    if message.keeps_unknown_tags:
        code.add("UnknownTagKeeper unknown;")
    code.add("from = read_tag_count(tags, from, end, state);")
    code.open("while (from != nullptr && tags.left > 0) {")
    code.add("from = tags.next(from, end, state);")
    code.add("if (from == nullptr) [[unlikely]] return nullptr;")
    for number, f in enumerate(struct.tagged_fields):
        # Tagged fields exist in flexible versions only, so the condition is seen from there.
        condition = f.versions.condition(struct.versions.intersect(message.flexible))
        test = f"tags.tag == {f.tag}" + (f" && {condition}" if condition else "")
        if number == 0:
            code.open(f"if ({test}) {{")
        else:
            code.depth -= 1
            code.open(f"}} else if ({test}) {{")
        if f.is_fixed:
            code.add(
                f"if (!has(from, tags.value_end, {FIXED_BYTES[f.type]})) [[unlikely]] "
                "return state.fail(DecodeFault::tag_size, from);"
            )
            code.add(f"out.{f.cpp_name} = load<{element_type(f)}>(from);")
            code.add(f"from += {FIXED_BYTES[f.type]};")
        else:
            _read_value(code, message, f, "tags.value_end", "true")
            code.add("if (from == nullptr) [[unlikely]] return nullptr;")
        code.add(
            "if (from != tags.value_end) [[unlikely]] "
            "return state.fail(DecodeFault::tag_size, from);"
        )
    if struct.tagged_fields:
        code.depth -= 1
        code.open("} else {")
    if message.keeps_unknown_tags:
        code.add("if (!unknown.keep(tags, from, end, state)) [[unlikely]] return nullptr;")
    code.add("from = tags.value_end;")
    if struct.tagged_fields:
        code.close()
    code.close()
    if message.keeps_unknown_tags:
        code.add("out.unknown_tags = unknown.kept();")
