// Values made for tests: random ones of any message, and the smallest.
#pragma once

#include <cstddef>

#include "random.hpp"
#include "schema.hpp"
#include "value.hpp"

namespace millrace::table {

enum class WithUnknownTags : bool { no, yes };

// A value that can be written in this version. Favours edges: defaults, nulls, empty and two-byte
// lengths, extreme numbers. Text is valid UTF-8. Arrays get shorter with depth, so that the encoded
// size stays within some tens of kilobytes.
[[nodiscard]] Value random_value(const Message& message, int version, Random& random,
                                 WithUnknownTags unknown_tags);

// The value that takes the fewest bytes: null or empty wherever a field may be. Arrays `level`
// arrays deep have `count` such elements, those above them one.
[[nodiscard]] Value smallest_value(const Struct& type, int version, int level = 0,
                                   std::size_t count = 0);

}  // namespace millrace::table
