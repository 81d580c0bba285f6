"""Emits what prints a decoded message as Kafka's own tools print it in JSON, in tables of all
messages of a family: for the tests with functions that decode and encode too, for dumps with
printers only."""

from emit_encode import emit_is_default
from emit_messages import compared_structs
from expressions import Code, is_default, negated
from schema import Field, Message, Struct


def _json_name(name: str) -> str:
    return name[0].lower() + name[1:]


def emit_codecs(family: str, messages: list[Message]) -> str:
    code = Code()
    code.add(
        f"// Generated from the schema files in modules/protocol/schema/{family}. Do not edit."
    )
    code.add('#include "generated_codecs.hpp"')
    code.add()
    code.add(f"import millrace.protocol.{family};")
    code.add()
    code.add("namespace millrace::protocol {")
    for message in messages:
        _print_message(code, message)
    code.open(f"std::span<const GeneratedCodec> {family}_codecs() {{")
    code.open("static constexpr GeneratedCodec codecs[] = {")
    for message in messages:
        name = message.name
        code.add(
            f'{{"{message.namespace}", "{name}", {message.versions.low}, {message.versions.high}, '
            f"[](Bytes input, int16_t version, int16_t write_version) {{ "
            f"return round_trip<{name}>(input, version, write_version, "
            f"[](JsonWriter& json, const {name}& in, int16_t v) {{ "
            f"{message.namespace}::print(json, in, v); }}); }}}},"
        )
    code.close("};")
    code.add("return codecs;")
    code.close()
    code.add("}  // namespace millrace::protocol")
    return code.text()


def emit_printers(family: str, messages: list[Message], module: str) -> str:
    """A unit of the module, whose partition :decoder declares MessagePrinter and JsonWriter."""
    code = Code()
    code.add(
        f"// Generated from the schema files in modules/protocol/schema/{family}. Do not edit."
    )
    code.add("module;")
    for header in ("cstdint", "optional", "span", "string"):
        code.add(f"#include <{header}>")
    code.add()
    code.add(f"module {module};")
    code.add()
    code.add(f"import millrace.protocol.{family};")
    code.add("import :decoder;")
    code.add()
    code.add("namespace millrace::protocol {")
    code.add("using storage::JsonWriter;")
    for message in messages:
        _print_message(code, message)
    code.add("}  // namespace millrace::protocol")
    code.add("namespace millrace::storage {")
    code.open(f"std::span<const MessagePrinter> {family}_printers() {{")
    code.open("static constexpr MessagePrinter printers[] = {")
    for message in messages:
        kind = message.kind.replace("-", "_")
        code.add(
            f'{{"{message.name}", MessageKind::{kind}, '
            f'{-1 if message.key is None else message.key}, '
            f"{message.versions.low}, {message.versions.high}, "
            f"[](ByteView input, std::int16_t version) {{ "
            f"return print_message<protocol::{message.name}>(input, version, "
            f"[](JsonWriter& json, const protocol::{message.name}& in, std::int16_t v) {{ "
            f"protocol::{message.namespace}::print(json, in, v); }}); }}}},"
        )
    code.close("};")
    code.add("return printers;")
    code.close()
    code.add("}  // namespace millrace::storage")
    return code.text()


def _print_message(code: Code, message: Message) -> None:
    code.add(f"namespace {message.namespace} {{")
    code.add("namespace {")
    for struct in compared_structs(message):
        emit_is_default(code, message, struct)
    for struct in [*message.structs, message.top]:
        _print_struct(code, struct)
    code.add("}  // namespace")
    code.add(f"}}  // namespace {message.namespace}")


def _print_struct(code: Code, struct: Struct) -> None:
    code.open(f"void print(JsonWriter& json, const {struct.name}& in, " "int16_t version) {")
    code.add("json.open_object();")
    for f in struct.fields:
        tests = []
        if condition := f.versions.condition(struct.versions):
            tests.append(condition)
        if f.tag is not None:
            tests.append(negated(is_default(f, f"in.{f.cpp_name}")))
        if tests:
            code.open(f"if ({' && '.join(tests)}) {{")
        _print_field(code, f)
        if tests:
            code.close()
    code.add("json.close_object();")
    code.close()


def _print_field(code: Code, f: Field) -> None:
    code.add(f'json.key("{_json_name(f.name)}");')
    value = f"in.{f.cpp_name}"
    if f.is_array:
        item = "print(json, item, version);" if f.is_struct else "json.value(item);"
        code.add(f"json.array({value}, [&](const auto& item) {{ {item} }});")
    elif f.by_pointer:
        code.open(f"if ({value} == nullptr) {{")
        code.add("json.null();")
        code.depth -= 1
        code.open("} else {")
        code.add(f"print(json, *{value}, version);")
        code.close()
    elif f.is_struct:
        code.add(f"print(json, {value}, version);")
    elif f.type == "string":
        code.add(f"json.text({value}, {'true' if not f.nullable.empty else 'false'});")
    else:
        code.add(f"json.value({value});")
