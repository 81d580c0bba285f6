"""Emits the module of one API family: `<family>.cppm` with the structs, `<family>.cpp` with the
bodies."""

from expressions import Code, default_value, member_type
from emit_decode import emit_read
from emit_encode import emit_is_default, emit_put, emit_size
from schema import Message, Struct, snake_case

NOTICE = "// Generated from the schema files in modules/protocol/schema/{family}. Do not edit."
NOTICE_OF_MODULE = "// {module}: generated from its schema files. Do not edit."
MODULE = "millrace.protocol.{family}"


def _notice(family: str, module: str | None) -> str:
    return NOTICE_OF_MODULE.format(module=module) if module else NOTICE.format(family=family)


def versions_text(message: Message) -> str:
    low, high = message.versions
    span = f"version {low}" if low == high else f"versions {low} to {high}"
    if message.flexible.empty:
        return span
    return f"{span}, flexible from {message.flexible.low}"


def emit_interface(family: str, messages: list[Message], module: str | None = None) -> str:
    code = Code()
    code.add(_notice(family, module))
    code.add("module;")
    code.add("#include <string_view>")
    code.add("#include <vector>")
    code.add()
    code.add(f"export module {module or MODULE.format(family=family)};")
    code.add()
    code.add("export import millrace.protocol.api;")
    code.add("export import millrace.protocol.wire;")
    code.add()
    code.add("export namespace millrace::protocol {")
    for message in messages:
        code.add()
        code.add(f"// --- {message.name}: {versions_text(message)}. ---")
        if message.structs:
            code.add(f"namespace {message.namespace} {{")
            for struct in message.structs:
                _struct(code, message, struct)
            code.add(f"}}  // namespace {message.namespace}")
        _top_struct(code, message)
        _functions(code, message)
    code.add()
    code.add("}  // namespace millrace::protocol")
    return code.text()


def _members(code: Code, message: Message, struct: Struct) -> None:
    for f in struct.fields:
        kind = member_type(f)
        value = default_value(f)
        if value.startswith("&"):
            value = f"&{message.namespace}::{value[1:]}"
        note = "" if f.versions == message.versions else f"  // from {f.versions.low}"
        if note and f.versions.high != message.versions.high:
            note = f"  // {f.versions.low} to {f.versions.high}"
        code.add(f"{kind} {f.cpp_name}{' = ' + value if value else ''};{note}")
    if message.keeps_unknown_tags and not message.flexible.empty:
        code.add("Array<UnknownTag> unknown_tags;")


def _struct(code: Code, message: Message, struct: Struct) -> None:
    code.open(f"struct {struct.name} {{")
    _members(code, message, struct)
    code.close("};")
    for outer in [*message.structs, message.top]:
        for f in outer.fields:
            if f.struct is struct and f.by_pointer and f.default != "null":
                code.add(f"inline constexpr {struct.name} default_{f.cpp_name}{{}};")


def _top_struct(code: Code, message: Message) -> None:
    code.open(f"struct {message.name} {{")
    code.add(f'static constexpr String message_name{{"{message.name}"}};')
    if message.kind in ("request", "response"):
        code.add(f"static constexpr ApiKey api_key = ApiKey::{snake_case(_api_name(message))};")
    elif message.key is not None:
        code.add(f"static constexpr int16_t record_type = {message.key};")
    code.add(f"static constexpr int16_t version_min = {message.versions.low};")
    code.add(f"static constexpr int16_t version_max = {message.versions.high};")
    for struct in message.structs:
        code.add(f"using {struct.name} = {message.namespace}::{struct.name};")
    code.add()
    _members(code, message, message.top)
    code.close("};")


def _api_name(message: Message) -> str:
    return message.name.removesuffix("Request").removesuffix("Response")


def _functions(code: Code, message: Message) -> None:
    name = message.name
    code.add(
        f"[[nodiscard]] DecodeResult decode({name}& out, Bytes input, int16_t version, "
        "Arena& arena);"
    )
    code.add(f"[[nodiscard]] MeasureResult measure(const {name}& in, int16_t version);")
    code.add(f"void write(const {name}& in, int16_t version, Writer& writer);")


def emit_bodies(family: str, messages: list[Message], module: str | None = None) -> str:
    code = Code()
    code.add(_notice(family, module))
    code.add("module;")
    code.add("#include <cstddef>")
    code.add("#include <new>")
    code.add()
    code.add(f"module {module or MODULE.format(family=family)};")
    code.add()
    code.add("namespace millrace::protocol {")
    for message in messages:
        _message_bodies(code, message)
    code.add("}  // namespace millrace::protocol")
    return code.text()


def _message_bodies(code: Code, message: Message) -> None:
    code.add()
    code.add(f"// --- {message.name}: {versions_text(message)}. ---")
    code.add(f"namespace {message.namespace} {{")
    code.add("namespace {")
    code.add()
    for struct in compared_structs(message):
        emit_is_default(code, message, struct)
    for struct in [*message.structs, message.top]:
        emit_read(code, message, struct)
        emit_size(code, message, struct)
        emit_put(code, message, struct)
    code.add("}  // namespace")
    _arena_asserts(code, message)
    code.add(f"}}  // namespace {message.namespace}")
    _top_bodies(code, message)


def _arena_asserts(code: Code, message: Message) -> None:
    elements = {
        f.struct.name: f.struct
        for s in [*message.structs, message.top]
        for f in s.fields
        if f.is_struct and (f.is_array or f.by_pointer)
    }
    for struct in elements.values():
        code.add(
            f"static_assert(sizeof({struct.name}) <= "
            f"arena_bytes_per_wire_byte_max * {message.bytes_min(struct)});"
        )


def compared_structs(message: Message) -> list[Struct]:
    """The structs held by value, whose default matters: tagged ones, and those missing in some
    versions. Inner ones come before outer ones."""
    found: list[Struct] = []

    def visit(struct: Struct) -> None:
        for f in struct.fields:
            if f.is_struct and not f.is_array and not f.by_pointer:
                visit(f.struct)
        if not any(struct is known for known in found):
            found.append(struct)

    for struct in [*message.structs, message.top]:
        for f in struct.fields:
            if f.is_struct and not f.is_array and f.default != "null":
                if f.tag is not None or f.versions != struct.versions:
                    visit(f.struct)
    return found


def _top_bodies(code: Code, message: Message) -> None:
    name, space = message.name, message.namespace
    outside = f"version < {name}::version_min || version > {name}::version_max"
    code.add()
    code.open(f"DecodeResult decode({name}& out, Bytes input, int16_t version, Arena& arena) {{")
    code.add(f"if ({outside}) [[unlikely]] return version_not_supported();")
    code.add(f"out = {name}();")
    code.add("Decode state{arena};")
    code.add("const std::byte* start = start_of(input);")
    code.add(
        "return decoded(state, start, "
        f"{space}::read(out, start, start + input.size(), state, version));"
    )
    code.close()
    code.open(f"MeasureResult measure(const {name}& in, int16_t version) {{")
    code.add(f"if ({outside}) [[unlikely]] return version_not_encodable();")
    code.add("Measure state;")
    code.add(f"const size_t bytes = {space}::size_of(in, state, version);")
    code.add("return measured(state, bytes);")
    code.close()
    code.open(f"void write(const {name}& in, int16_t version, Writer& writer) {{")
    code.add(f"writer.finish({space}::put(in, writer.begin(), writer, version));")
    code.close()
