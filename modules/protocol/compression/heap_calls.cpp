#include "heap_calls.h"

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MILLRACE_SANITIZED 1
#endif
#endif

namespace {

thread_local std::uint64_t calls = 0;
thread_local std::uint64_t calls_max = ~std::uint64_t{0};

}  // namespace

namespace compression_test {

std::uint64_t heap_calls() {
  return calls;
}

#ifdef MILLRACE_SANITIZED
const bool HeapExhaustion::possible = false;
#else
const bool HeapExhaustion::possible = true;
#endif

HeapExhaustion::HeapExhaustion(std::uint64_t granted) {
  calls_max = calls + granted;
}
HeapExhaustion::~HeapExhaustion() {
  calls_max = ~std::uint64_t{0};
}

}  // namespace compression_test

#ifdef MILLRACE_SANITIZED

#include <sanitizer/allocator_interface.h>

extern "C" void __sanitizer_malloc_hook(const volatile void* /*memory*/, std::size_t /*bytes*/) {
  ++calls;
}

#else

// What glibc's own allocator is called underneath.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t count, std::size_t bytes);
void* __libc_realloc(void* memory, std::size_t bytes);
void* __libc_memalign(std::size_t alignment, std::size_t bytes);

void* malloc(std::size_t bytes) {
  if (++calls > calls_max) return nullptr;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  if (++calls > calls_max) return nullptr;
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, std::size_t bytes) {
  if (++calls > calls_max) return nullptr;
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  if (++calls > calls_max) return nullptr;
  return __libc_memalign(alignment, bytes);
}
}

#endif
