// A value of any field of any message, as the table-driven codec sees it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace millrace::table {

class Value;

using List = std::vector<Value>;

// A tagged field that the schema does not know, as it came.
struct UnknownTag {
  std::uint32_t tag = 0;
  std::string payload;

  friend bool operator==(const UnknownTag&, const UnknownTag&) = default;
};

// One member for each field of the schema's struct, in the order of the schema file. A field that
// does not exist in a version holds its default.
struct Fields {
  std::vector<Value> members;
  std::vector<UnknownTag> unknown_tags;  // ascending
};

// Null, a number, raw bytes (of a string, bytes, records or uuid field: the schema says which), a
// list or a struct. A plain value type: it owns what it holds. The accessors may be called only for
// the kind that is there.
class Value {
 public:
  Value() = default;  // null
  explicit Value(bool value) : held_(value) {}
  explicit Value(std::int64_t value) : held_(value) {}
  explicit Value(double value) : held_(value) {}
  explicit Value(std::string value) : held_(std::move(value)) {}
  explicit Value(List value) : held_(std::move(value)) {}
  explicit Value(Fields value) : held_(std::move(value)) {}

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(held_); }
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&held_); }
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&held_); }
  [[nodiscard]] const double* number() const { return std::get_if<double>(&held_); }
  [[nodiscard]] const std::string* raw() const { return std::get_if<std::string>(&held_); }
  [[nodiscard]] const List* list() const { return std::get_if<List>(&held_); }
  [[nodiscard]] const Fields* fields() const { return std::get_if<Fields>(&held_); }
  [[nodiscard]] List* list() { return std::get_if<List>(&held_); }
  [[nodiscard]] Fields* fields() { return std::get_if<Fields>(&held_); }

  // Floating point numbers are equal when their bits are: a codec must keep NaN and -0.0 too.
  friend bool operator==(const Value& left, const Value& right);

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Fields> held_;
};

}  // namespace millrace::table
