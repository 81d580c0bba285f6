// Comes before every header of Cap'n Proto 0.9: compiled as C++20, one of them compares a C string
// with a kj::StringPtr, for which only the other order is declared.
#pragma once
#include <kj/string.h>

namespace kj {
inline bool operator==(const char* left, const StringPtr& right) {
  return right.operator==(StringPtr(left));
}
}  // namespace kj
