// The second step of reading a schema: which struct a name means, what each default is, and how few
// bytes a struct can take.
#include <algorithm>
#include <charconv>
#include <limits>
#include <set>
#include <utility>

#include "schema_parser.hpp"

namespace millrace::table {
namespace {

struct IntegerRange {
  std::int64_t low;
  std::int64_t high;
};

IntegerRange range_of(Type type) {
  switch (type) {
    case Type::int8:
      return {-0x80, 0x7f};
    case Type::int16:
      return {-0x8000, 0x7fff};
    case Type::uint16:
      return {0, 0xffff};
    case Type::int32:
      return {std::numeric_limits<std::int32_t>::min(), 0x7fffffff};
    case Type::uint32:
      return {0, 0xffffffff};
    default:
      return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  }
}

SchemaError bad_default(const Field& field, const std::string& text) {
  return {field.line, "bad default '" + text + "' of " + field.name};
}

std::int64_t integer_default(const Field& field, const std::string& text) {
  const bool hexadecimal = text.starts_with("0x");
  const char* start = text.data() + (hexadecimal ? 2 : 0);
  const char* end = text.data() + text.size();
  std::int64_t value = 0;
  const auto [after, error] = std::from_chars(start, end, value, hexadecimal ? 16 : 10);
  const IntegerRange range = range_of(field.type);
  if (error != std::errc() || after != end || value < range.low || value > range.high) {
    throw bad_default(field, text);
  }
  return value;
}

double float_default(const Field& field, const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || after != end) throw bad_default(field, text);
  return value;
}

// The default of a field that is neither null, an array nor a struct.
Value scalar_default(const Field& field, const std::optional<std::string>& text) {
  switch (field.type) {
    case Type::boolean:
      if (text && text != "true" && text != "false") throw bad_default(field, *text);
      return Value(text == "true");
    case Type::float64:
      return Value(float_default(field, text.value_or("0")));
    case Type::string:
      if (!text) return Value(std::string());
      if (text->size() < 2 || !text->starts_with('"') || !text->ends_with('"')) {
        throw bad_default(field, *text);
      }
      return Value(text->substr(1, text->size() - 2));
    case Type::bytes:
      if (text) throw bad_default(field, *text);
      return Value(std::string());
    case Type::uuid:
      if (text) throw bad_default(field, *text);
      return Value(std::string(fixed_bytes(Type::uuid), '\0'));
    case Type::records:  // the one type that starts as null without saying so
      if (text) throw bad_default(field, *text);
      return Value();
    default:
      return Value(integer_default(field, text.value_or("0")));
  }
}

std::size_t smallest_field_bytes(const Field& field, int version, bool flexible) {
  const bool compact = flexible && !field.never_compact;
  if (field.is_array) return compact ? 1 : 4;
  if (const std::size_t fixed = fixed_bytes(field.type); fixed != 0) return fixed;
  if (field.type == Type::structure) {
    return field.nullable.contains(version)
               ? 1
               : field.structure->smallest_bytes[static_cast<std::size_t>(version)];
  }
  if (compact) return 1;
  return field.type == Type::string ? 2 : 4;
}

class Resolver {
 public:
  explicit Resolver(ParsedSchema& parsed) : parsed_(parsed) {}

  void resolve() {
    for (const FieldNote& note : parsed_.notes) name_struct(note);
    for (const auto& structure : parsed_.message.structs) finish(*structure);
  }

 private:
  void name_struct(const FieldNote& note) {
    Field& field = note.field();
    if (field.type != Type::structure || field.structure != nullptr) return;
    const auto found = std::ranges::find(parsed_.common, note.type_name, &Struct::name);
    if (found == parsed_.common.end()) {
      throw SchemaError{field.line, "unknown type " + note.type_name};
    }
    field.structure = *found;
  }

  // Defaults and sizes of inner structs come first.
  void finish(Struct& structure) {
    if (finished_.contains(&structure)) return;
    open_.insert(&structure);
    std::set<std::uint32_t> tags;
    Fields defaults;
    for (const FieldNote& note : parsed_.notes) {
      if (note.owner != &structure) continue;
      Field& field = note.field();
      if (field.structure != nullptr) finish_inner(field);
      if (!field.tagged.empty() && !tags.insert(field.tag).second) {
        throw SchemaError{field.line, "tag " + std::to_string(field.tag) + " is taken"};
      }
      field.default_value = default_of(note);
      defaults.members.push_back(field.default_value);
    }
    structure.default_value = Value(std::move(defaults));
    measure(structure);
    open_.erase(&structure);
    finished_.insert(&structure);
  }

  void finish_inner(const Field& field) {
    if (open_.contains(field.structure)) {
      throw SchemaError{field.line, field.structure->name + " contains itself"};
    }
    for (const auto& candidate : parsed_.message.structs) {
      if (candidate.get() == field.structure) finish(*candidate);
    }
  }

  static Value default_of(const FieldNote& note) {
    const Field& field = note.field();
    const auto& text = note.default_text;
    if (text == "null") {
      if (field.nullable.empty()) throw SchemaError{field.line, field.name + " is never null"};
      return Value();
    }
    if (!field.is_array && field.type != Type::structure) return scalar_default(field, text);
    if (text) throw bad_default(field, *text);
    return field.is_array ? Value(List()) : field.structure->default_value;
  }

  void measure(Struct& structure) {
    const Message& message = parsed_.message;
    structure.smallest_bytes.assign(static_cast<std::size_t>(message.versions.high) + 1, 0);
    for (int version = message.versions.low; version <= message.versions.high; ++version) {
      const bool flexible = message.is_flexible(version);
      std::size_t total = flexible ? 1 : 0;
      for (const Field& field : structure.fields) {
        if (field.is_plain_in(version)) total += smallest_field_bytes(field, version, flexible);
        if (field.is_array && field.structure != nullptr && field.versions.contains(version) &&
            field.structure->smallest_bytes[static_cast<std::size_t>(version)] == 0) {
          throw SchemaError{field.line, "elements of " + field.name + " take no bytes in version " +
                                            std::to_string(version)};
        }
      }
      structure.smallest_bytes[static_cast<std::size_t>(version)] = total;
    }
  }

  ParsedSchema& parsed_;
  std::set<const Struct*> open_;
  std::set<const Struct*> finished_;
};

}  // namespace

void resolve_schema(ParsedSchema& parsed) {
  Resolver(parsed).resolve();
}

tl::expected<Message, std::string> parse_message(std::string_view text, std::string path) {
  try {
    ParsedSchema parsed = parse_schema_text(text, path);
    resolve_schema(parsed);
    return std::move(parsed.message);
  } catch (const SchemaError& error) {
    return tl::unexpected(path + ":" + std::to_string(error.line) + ": " + error.what);
  }
}

}  // namespace millrace::table
