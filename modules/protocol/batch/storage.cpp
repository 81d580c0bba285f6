module;
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

module millrace.protocol.batch;

import millrace.base;

namespace millrace::protocol {

bool BatchStorage::grow(std::size_t capacity, std::size_t used) {
  constexpr std::size_t first_capacity = 4096;
  if (!growable_) return false;
  const std::size_t wanted = std::max({capacity, 2 * capacity_, first_capacity});
  std::unique_ptr<std::byte[]> larger(new (std::nothrow) std::byte[wanted]);
  if (larger == nullptr) return false;
  if (used != 0) std::memcpy(larger.get(), data_, used);
  owned_ = std::move(larger);
  data_ = owned_.get();
  capacity_ = wanted;
  return true;
}

}  // namespace millrace::protocol
