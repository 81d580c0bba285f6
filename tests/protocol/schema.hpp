// The messages as their schema files describe them, for the table-driven codec. Reads the files
// with a parser of its own: it shares nothing with the generator but the file format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "value.hpp"

namespace millrace::table {

inline constexpr int version_highest = 32767;

// A run of versions, `3`, `3-5`, `3+` or `none`.
struct Versions {
  int low = 0;
  int high = -1;

  [[nodiscard]] static std::optional<Versions> parse(std::string_view text);
  [[nodiscard]] bool empty() const { return low > high; }
  [[nodiscard]] bool contains(int version) const { return low <= version && version <= high; }
  [[nodiscard]] Versions intersect(Versions other) const;
  friend bool operator==(const Versions&, const Versions&) = default;
};

enum class Type : std::uint8_t {
  boolean,
  int8,
  int16,
  uint16,
  int32,
  uint32,
  int64,
  float64,
  string,
  bytes,
  records,
  uuid,
  structure,
};

// The width on the wire; 0 where it varies.
[[nodiscard]] std::size_t fixed_bytes(Type type);

struct Struct;

struct Field {
  std::string name;
  Type type = Type::boolean;  // of an element, where is_array
  bool is_array = false;
  Versions versions;  // within those of the message and of the surrounding fields
  Versions nullable;
  Versions tagged;
  std::uint32_t tag = 0;  // means something in the versions of `tagged`
  Value default_value;
  bool ignorable = false;
  bool map_key = false;
  bool never_compact = false;  // keeps its old encoding in flexible versions
  std::string entity;
  const Struct* structure = nullptr;  // for Type::structure; the message owns it
  int line = 0;

  [[nodiscard]] bool is_plain_in(int version) const {
    return versions.contains(version) && !tagged.contains(version);
  }
};

struct Struct {
  std::string name;
  std::vector<Field> fields;
  Value default_value;
  std::vector<std::size_t> smallest_bytes;  // by version: the fewest that it takes on the wire

  [[nodiscard]] const Field* find(std::string_view field) const;
};

// One schema file. Immutable once parsed; fields point into `structs`, so it moves but is not
// copied.
struct Message {
  std::string path;
  std::string kind;
  std::string name;
  std::optional<int> key;
  Versions versions;
  Versions flexible;
  bool latest_unstable = false;
  std::vector<std::string> listeners;
  bool keeps_unknown_tags = false;
  std::vector<std::unique_ptr<Struct>> structs;
  const Struct* top = nullptr;

  [[nodiscard]] bool is_flexible(int version) const { return flexible.contains(version); }
  // The schema file's name without folder and extension.
  [[nodiscard]] std::string stem() const;
};

// The error is one line: `path:line: what`.
[[nodiscard]] tl::expected<Message, std::string> parse_message(std::string_view text,
                                                               std::string path);

// Every schema file below a folder, sorted by path.
[[nodiscard]] tl::expected<std::vector<Message>, std::string> read_schemas(
    const std::filesystem::path& folder);

}  // namespace millrace::table
