// Cap'n Proto 0.9.2 lacks a comparison that C++20 asks for. Before all its headers.
#pragma once

#include <kj/string.h>

#include <string_view>

namespace kj {
inline bool operator==(const char* left, const StringPtr& right) {
  return std::string_view(left) == std::string_view(right.begin(), right.size());
}
}  // namespace kj
