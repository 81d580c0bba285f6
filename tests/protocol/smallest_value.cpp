#include <utility>

#include "random_value.hpp"

namespace millrace::table {
namespace {

Value smallest_element(const Field& field, int version, int level, std::size_t count) {
  if (field.type == Type::structure) return smallest_value(*field.structure, version, level, count);
  switch (field.type) {
    case Type::boolean:
      return Value(false);
    case Type::float64:
      return Value(0.0);
    case Type::string:
    case Type::bytes:
    case Type::records:
      return Value(std::string());
    case Type::uuid:
      return Value(std::string(fixed_bytes(Type::uuid), '\0'));
    default:
      return Value(std::int64_t{0});
  }
}

Value smallest_member(const Field& field, int version, int level, std::size_t count) {
  const bool counted = field.is_array && count > 0;
  if (!field.versions.contains(version)) return field.default_value;
  if (field.tagged.contains(version) && !counted) return field.default_value;
  if (field.nullable.contains(version) && !counted) return Value();
  if (!field.is_array) return smallest_element(field, version, level, count);
  if (count == 0) return Value(List());
  if (level > 0) return Value(List{smallest_element(field, version, level - 1, count)});
  return Value(List(count, smallest_element(field, version, 0, 0)));
}

}  // namespace

Value smallest_value(const Struct& type, int version, int level, std::size_t count) {
  Fields result;
  for (const Field& field : type.fields) {
    result.members.push_back(smallest_member(field, version, level, count));
  }
  return Value(std::move(result));
}

}  // namespace millrace::table
