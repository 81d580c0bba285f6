// Random values of any message, for round trips.
#pragma once

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

}  // namespace millrace::table
