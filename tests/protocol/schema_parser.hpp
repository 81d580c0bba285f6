// The two steps behind parse_message(): text to fields, then names to structs. Both throw
// SchemaError, which parse_message() turns into its result.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "schema.hpp"

namespace millrace::table {

struct SchemaError {
  int line = 0;
  std::string what;
};

// What a field's line says in names, until it is resolved.
struct FieldNote {
  Struct* owner = nullptr;
  std::size_t index = 0;
  std::string type_name;
  std::optional<std::string> default_text;

  [[nodiscard]] Field& field() const { return owner->fields[index]; }
};

struct ParsedSchema {
  Message message;
  std::set<const Struct*> common;  // those that fields may name
  std::vector<FieldNote> notes;    // one for each field
};

[[nodiscard]] ParsedSchema parse_schema_text(std::string_view text, std::string path);

// Finds common structs by name, fills in defaults and smallest sizes.
void resolve_schema(ParsedSchema& parsed);

}  // namespace millrace::table
