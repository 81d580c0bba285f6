#include "value.hpp"

#include <bit>

namespace millrace::table {

bool operator==(const Value& left, const Value& right) {
  if (left.held_.index() != right.held_.index()) return false;
  if (left.is_null()) return true;
  if (left.boolean() != nullptr) return *left.boolean() == *right.boolean();
  if (left.integer() != nullptr) return *left.integer() == *right.integer();
  if (left.number() != nullptr) {
    return std::bit_cast<std::uint64_t>(*left.number()) ==
           std::bit_cast<std::uint64_t>(*right.number());
  }
  if (left.raw() != nullptr) return *left.raw() == *right.raw();
  if (left.list() != nullptr) return *left.list() == *right.list();
  return left.fields()->members == right.fields()->members &&
         left.fields()->unknown_tags == right.fields()->unknown_tags;
}

}  // namespace millrace::table
