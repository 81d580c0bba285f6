// The border of the library: what has MILLRACE_API is exported, and all public names live in the
// inline namespace of their binary interface. A program that mixes two of them does not link.
#pragma once

#define MILLRACE_API __attribute__((visibility("default")))

namespace millrace {
inline namespace v1 {}
}  // namespace millrace
