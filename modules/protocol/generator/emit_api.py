"""Emits what is known about every API without its messages: `keys.cppm` (the ApiKey enum and its
table) and `error_codes.cppm` (the ErrorCode enum)."""

from pathlib import Path

from expressions import Code
from schema import Message, snake_case


def emit_keys(messages: list[Message]) -> str:
    requests = sorted((m for m in messages if m.kind == "request"), key=lambda m: m.key or 0)
    code = Code()
    code.add("// Generated from the schema files in modules/protocol/schema. Do not edit.")
    code.add("module;")
    code.add("#include <cstdint>")
    code.add("#include <string_view>")
    code.add()
    code.add("export module millrace.protocol.api:keys;")
    code.add()
    code.add("export namespace millrace::protocol {")
    code.add()
    code.open("enum class ApiKey : std::int16_t {")
    for m in requests:
        code.add(f"{_name(m)} = {m.key},")
    code.close("};")
    code.add()
    code.add(
        "// One API as its schema files describe it. `flexible_min` is above `version_max` where "
        "no version is flexible."
    )
    code.open("struct ApiInfo {")
    for line in (
        "ApiKey key;",
        "std::string_view name;",
        "std::int16_t version_min;",
        "std::int16_t version_max;",
        "std::int16_t flexible_min;",
        "bool latest_unstable;  // the last version is coded but not advertised",
        "bool on_broker;",
        "bool on_controller;",
    ):
        code.add(line)
    code.close("};")
    code.add()
    code.open("inline constexpr ApiInfo api_table[] = {")
    for m in requests:
        flexible = m.versions.high + 1 if m.flexible.empty else m.flexible.low
        flags = [m.latest_unstable, "broker" in m.listeners, "controller" in m.listeners]
        code.add(
            f'{{ApiKey::{_name(m)}, "{m.name.removesuffix("Request")}", '
            f'{m.versions.low}, {m.versions.high}, '
            f"{flexible}, {', '.join(str(flag).lower() for flag in flags)}}},"
        )
    code.close("};")
    code.add()
    code.add("}  // namespace millrace::protocol")
    return code.text()


def _name(message: Message) -> str:
    return snake_case(message.name.removesuffix("Request"))


def emit_error_codes(table: Path) -> str:
    rows = []
    for line in table.read_text().splitlines():
        if line and not line.startswith("#"):
            number, name, *rest = line.split()
            rows.append((int(number), name, "retriable" in rest))
    code = Code()
    code.add("// Generated from modules/protocol/schema/error_codes.list. Do not edit.")
    code.add("module;")
    code.add("#include <cstdint>")
    code.add("#include <string_view>")
    code.add()
    code.add("export module millrace.protocol.api:error_codes;")
    code.add()
    code.add("export namespace millrace::protocol {")
    code.add()
    code.add(
        "// Kafka's error codes. Clients decide by them what to do: a retriable one may go away by "
        "itself."
    )
    code.open("enum class ErrorCode : std::int16_t {")
    for number, name, _ in rows:
        code.add(f"{name.lower()} = {number},")
    code.close("};")
    code.add()
    code.open("struct ErrorCodeInfo {")
    code.add("ErrorCode code;")
    code.add("std::string_view name;  // as Kafka writes it")
    code.add("bool retriable;")
    code.close("};")
    code.add()
    code.open("inline constexpr ErrorCodeInfo error_code_table[] = {")
    for number, name, retriable in rows:
        code.add(f'{{ErrorCode::{name.lower()}, "{name}", {str(retriable).lower()}}},')
    code.close("};")
    code.add()
    code.add("}  // namespace millrace::protocol")
    return code.text()
