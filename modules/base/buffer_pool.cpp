module;
#include <sanitizer/asan_interface.h>

#include <bit>
#include <cstddef>
#include <memory>
#include <new>

module millrace.base;

namespace millrace {
namespace {

constexpr std::align_val_t alignment{64};

// Its address tells threads apart.
thread_local const char this_thread = 0;

std::byte* allocate(std::size_t bytes) {
  void* memory = ::operator new(bytes, alignment, std::nothrow);
  check(memory != nullptr, "out of memory for a buffer");
  return static_cast<std::byte*>(memory);
}

void deallocate(void* memory) {
  ::operator delete(memory, alignment);
}

std::size_t class_of(std::size_t size) {
  if (size <= pooled_buffer_bytes_min) return 0;
  return static_cast<std::size_t>(std::bit_width((size - 1) / pooled_buffer_bytes_min));
}

}  // namespace

void Buffer::release() noexcept {
  pool_->take_back(data_, capacity_);
}

BufferPool::~BufferPool() {
  check(counters_.lent_bytes == 0, "a buffer pool outlives its buffers");
  trim();
}

Buffer BufferPool::acquire(std::size_t size) {
  check_thread();
  if (size > pooled_buffer_bytes_max) {
    ++counters_.oversized;
    counters_.lent_bytes += size;
    return {*this, allocate(size), size, size};
  }
  const std::size_t size_class = class_of(size);
  const std::size_t capacity = pooled_buffer_bytes_min << size_class;
  counters_.lent_bytes += capacity;
  Kept* kept = kept_[size_class];
  if (kept == nullptr) {
    ++counters_.allocated;
    return {*this, allocate(capacity), size, capacity};
  }
  ASAN_UNPOISON_MEMORY_REGION(kept, capacity);
  kept_[size_class] = kept->next;
  ++counters_.reused;
  counters_.kept_bytes -= capacity;
  return {*this, reinterpret_cast<std::byte*>(kept), size, capacity};
}

void BufferPool::take_back(std::byte* data, std::size_t capacity) noexcept {
  check_thread();
  counters_.lent_bytes -= capacity;
  if (capacity > pooled_buffer_bytes_max) {
    deallocate(data);
    return;
  }
  if (counters_.kept_bytes + capacity > kept_bytes_max_) {
    ++counters_.dropped;
    deallocate(data);
    return;
  }
  const std::size_t size_class = class_of(capacity);
  kept_[size_class] = ::new (data) Kept{kept_[size_class]};
  counters_.kept_bytes += capacity;
  // Whoever still holds a view of it is found by the address sanitizer.
  ASAN_POISON_MEMORY_REGION(data, capacity);
}

void BufferPool::trim() {
  for (std::size_t size_class = 0; size_class < class_count; ++size_class) {
    const std::size_t capacity = pooled_buffer_bytes_min << size_class;
    while (kept_[size_class] != nullptr) {
      Kept* kept = kept_[size_class];
      ASAN_UNPOISON_MEMORY_REGION(kept, capacity);
      kept_[size_class] = kept->next;
      counters_.kept_bytes -= capacity;
      deallocate(kept);
    }
  }
}

void BufferPool::check_thread() {
  if (thread_ == nullptr) thread_ = &this_thread;
  check(thread_ == &this_thread, "a buffer pool serves one thread");
}

}  // namespace millrace
