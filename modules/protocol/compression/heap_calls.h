// Counts the calls that reach the system's allocator, those of the C libraries too. Linking
// heap_calls.cpp replaces malloc and its kin; in sanitized builds it asks the sanitizer instead.
#pragma once
#include <cstdint>

namespace compression_test {

// Calls of malloc, calloc, realloc and aligned forms by this thread so far, operator new among
// them.
std::uint64_t heap_calls();

}  // namespace compression_test
