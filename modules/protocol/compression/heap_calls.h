// Counts the calls that reach the system's allocator, those of the C libraries too. Linking
// heap_calls.cpp replaces malloc and its kin; in sanitized builds it asks the sanitizer instead.
#pragma once
#include <cstdint>

namespace compression_test {

// Calls of malloc, calloc, realloc and aligned forms by this thread so far, operator new among
// them.
std::uint64_t heap_calls();

// While it lives, this thread gets `granted` further allocations and then none. Sanitizers do not
// let it: there `possible` is false and nothing fails.
class HeapExhaustion {
 public:
  static const bool possible;

  explicit HeapExhaustion(std::uint64_t granted);
  HeapExhaustion(const HeapExhaustion&) = delete;
  HeapExhaustion& operator=(const HeapExhaustion&) = delete;
  ~HeapExhaustion();
};

}  // namespace compression_test
