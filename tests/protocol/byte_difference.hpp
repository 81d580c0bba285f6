#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::table {

// Where two encodings differ first, with the bytes around it; nothing when they are equal.
[[nodiscard]] std::optional<std::string> byte_difference(std::string_view expected,
                                                         std::string_view found);

}  // namespace millrace::table
