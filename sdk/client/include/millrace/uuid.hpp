// UUIDs, as Java's serializer writes them: text of 36 letters.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/abi.hpp"

namespace millrace::inline v1 {

struct Uuid {
  std::array<std::byte, 16> bytes = {};

  [[nodiscard]] friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

// "2f3c8e86-5f3d-4f8a-9c33-0d4a3c1f7b10".
[[nodiscard]] MILLRACE_API std::string to_string(const Uuid& uuid);
[[nodiscard]] MILLRACE_API std::optional<Uuid> uuid_from_string(std::string_view text);

}  // namespace millrace::inline v1
