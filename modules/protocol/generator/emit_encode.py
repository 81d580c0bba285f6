"""Emits `size_of` and `put`: one pair of functions for each struct. The first measures to the byte
and finds what cannot be written; the second writes and relies on it."""

from expressions import (
    Code,
    field_flexible,
    fixed_runs,
    flexible_local,
    flexible_test,
    groups,
    is_default,
    negated,
    null_marker,
    null_rule,
)
from schema import FIXED_BYTES, Field, Message, Struct


def emit_size(code: Code, message: Message, struct: Struct) -> None:
    code.open(f"size_t size_of(const {struct.name}& in, " "Measure& state, int16_t version) {")
    code.add("size_t bytes = 0;")
    if local := flexible_local(message, struct):
        code.add("" + local)
    for condition, fields in groups(struct):
        if condition:
            code.open(f"if ({condition}) {{")
        for run in fixed_runs(fields):
            if run[0].is_fixed:
                code.add(f"bytes += {sum(FIXED_BYTES[f.type] for f in run)};")
            else:
                code.add(
                    f"bytes += {_value_size(run[0], field_flexible(message, struct, run[0]))};"
                )
        if condition:
            _refuse_absent(code, [f for f in fields if not f.ignorable])
            code.close()
    _size_of_tags(code, message, struct)
    code.add("return bytes;")
    code.close()
    code.add()


def _refuse_absent(code: Code, fields: list[Field]) -> None:
    """A field that does not exist in the version, is set and may not be dropped is an error."""
    if not fields:
        return
    code.depth -= 1
    code.open("} else {")
    for f in fields:
        code.add(
            f'if ({negated(is_default(f, "in." + f.cpp_name))}) [[unlikely]] '
            f'state.fail(EncodeFault::field_not_in_version, "{f.name}");'
        )


def _value_size(f: Field, flexible: str) -> str:
    value = f"in.{f.cpp_name}"
    if f.is_fixed:
        return str(FIXED_BYTES[f.type])
    rest = f'{value}, state, "{f.name}", {flexible}, {null_rule(f)}'
    if f.is_array and f.is_struct:
        item = f"[&](const {f.type}& item) {{ return size_of(item, state, version); }}"
        return f"struct_array_size({rest}, {item})"
    if f.is_array:
        return f"{'string' if f.type == 'string' else 'fixed'}_array_size({rest})"
    if f.by_pointer:
        return f"({value} == nullptr ? 1 : 1 + size_of(*{value}, state, version))"
    if f.is_struct:
        return f"size_of({value}, state, version)"
    return f"{f.type}_size({rest})"


def _tag_is_written(message: Message, struct: Struct, f: Field) -> str:
    condition = f.versions.condition(struct.versions.intersect(message.flexible))
    test = negated(is_default(f, f"in.{f.cpp_name}"))
    return f"{condition} && {test}" if condition else test


def _has_tags(message: Message, struct: Struct) -> bool:
    return bool(struct.tagged_fields) or message.keeps_unknown_tags


def _size_of_tags(code: Code, message: Message, struct: Struct) -> None:
    flexible = flexible_test(message, struct.versions)
    strict = [f for f in struct.tagged_fields if not f.ignorable and f.versions != struct.versions]
    if flexible == "flexible":
        code.open("if (flexible) {")
    if flexible != "false":
        if not _has_tags(message, struct):
            code.add("bytes += 1;")
        else:
            code.add("size_t tags = 0;")
            for f in struct.tagged_fields:
                code.open(f"if ({_tag_is_written(message, struct, f)}) {{")
                code.add("++tags;")
                code.add(f"bytes += tag_size({f.tag}, {_value_size(f, 'true')});")
                code.close()
            if message.keeps_unknown_tags:
                code.add("tags += in.unknown_tags.size();")
                code.add("bytes += unknown_tags_size(in.unknown_tags);")
            code.add("bytes += uvarint_size(tags);")
    if flexible == "flexible":
        code.close()
    if flexible != "true" and message.keeps_unknown_tags and not message.flexible.empty:
        test = "!flexible && " if flexible == "flexible" else ""
        code.add(
            f'if ({test}!in.unknown_tags.empty()) [[unlikely]] '
            'state.fail(EncodeFault::field_not_in_version, "unknown tagged fields");'
        )
    for f in strict:
        absent = f"!({f.versions.condition(struct.versions)})"
        code.add(
            f'if ({absent} && {negated(is_default(f, "in." + f.cpp_name))}) [[unlikely]] '
            f'state.fail(EncodeFault::field_not_in_version, "{f.name}");'
        )


def emit_put(code: Code, message: Message, struct: Struct) -> None:
    code.open(
        f"std::byte* put(const {struct.name}& in, std::byte* to, "
        "Writer& writer, int16_t version) {"
    )
    if local := flexible_local(message, struct):
        code.add("" + local)
    for condition, fields in groups(struct):
        if condition:
            code.open(f"if ({condition}) {{")
        for run in fixed_runs(fields):
            if run[0].is_fixed:
                _put_fixed_run(code, run)
            else:
                _put_value(code, run[0], field_flexible(message, struct, run[0]))
        if condition:
            code.close()
    _put_tags(code, message, struct)
    code.add("return to;")
    code.close()
    code.add()


def _put_fixed_run(code: Code, run: list[Field]) -> None:
    position = 0
    for f in run:
        at = f"to + {position}" if position else "to"
        code.add(f"store({at}, in.{f.cpp_name});")
        position += FIXED_BYTES[f.type]
    code.add(f"to += {position};")


def _put_value(code: Code, f: Field, flexible: str) -> None:
    value = f"in.{f.cpp_name}"
    if f.is_fixed:
        _put_fixed_run(code, [f])
    elif f.is_array and f.is_struct:
        code.add(
            f"to = write_struct_array({value}, to, {flexible}, "
            f"[&](const {f.type}& item, std::byte* at) {{ "
            "return put(item, at, writer, version); });"
        )
    elif f.is_array:
        kind = "string" if f.type == "string" else "fixed"
        code.add(f"to = write_{kind}_array({value}, to, {flexible});")
    elif f.by_pointer:
        code.add(
            f"store(to++, {value} == nullptr "
            f"? static_cast<int8_t>({null_marker(f)}) : int8_t{{1}});"
        )
        code.add(f"if ({value} != nullptr) to = put(*{value}, to, writer, version);")
    elif f.is_struct:
        code.add(f"to = put({value}, to, writer, version);")
    elif f.type == "records":
        code.add(f"to = write_records({value}, to, writer, {flexible});")
    else:
        code.add(f"to = write_{f.type}({value}, to, {flexible}, {null_rule(f)});")


def _put_tags(code: Code, message: Message, struct: Struct) -> None:
    flexible = flexible_test(message, struct.versions)
    if flexible == "false":
        return
    if flexible == "flexible":
        code.open("if (flexible) {")
    if not _has_tags(message, struct):
        code.add("*to++ = std::byte{0};")
    else:
        for f in struct.tagged_fields:
            code.add(f"const bool has_{f.cpp_name} = {_tag_is_written(message, struct, f)};")
        counts = [f"size_t{{has_{f.cpp_name}}}" for f in struct.tagged_fields]
        if message.keeps_unknown_tags:
            counts.append("in.unknown_tags.size()")
        code.add(f"to = write_unsigned_varint(to, {' + '.join(counts)});")
        if struct.tagged_fields:
            code.add("Measure state;")
        if message.keeps_unknown_tags:
            code.add("size_t unknown = 0;")
        for f in struct.tagged_fields:
            if message.keeps_unknown_tags:
                code.add(f"to = write_unknown_tags(in.unknown_tags, unknown, {f.tag}, to);")
            code.open(f"if (has_{f.cpp_name}) {{")
            code.add(f"to = write_tag_head({f.tag}, {_value_size(f, 'true')}, to);")
            _put_value(code, f, "true")
            code.close()
        if message.keeps_unknown_tags:
            code.add("to = write_unknown_tags(in.unknown_tags, unknown, after_last_tag, to);")
    if flexible == "flexible":
        code.close()


def emit_is_default(code: Code, message: Message, struct: Struct) -> None:
    tests = [is_default(f, f"in.{f.cpp_name}") for f in struct.fields]
    if message.keeps_unknown_tags and not message.flexible.empty:
        tests.append("in.unknown_tags.empty()")
    code.open(f"bool is_default(const {struct.name}& in) {{")
    code.add(f"return {' && '.join(tests) or 'true'};")
    code.close()
    code.add()
