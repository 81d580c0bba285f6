module;
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

module millrace.protocol.batch;

import millrace.base;

namespace millrace::protocol {

bool BatchStorage::grow(std::size_t capacity, std::size_t used) {
  if (pool_ == nullptr) return false;
  check(used <= capacity_, "no more is kept than was there");
  Buffer larger = pool_->acquire(std::max(capacity, 2 * capacity_));
  if (used != 0) std::memcpy(larger.data(), data_, used);
  pooled_ = std::move(larger);
  data_ = pooled_.data();
  capacity_ = pooled_.capacity();
  return true;
}

Buffer BatchStorage::take(std::size_t size) {
  check(pool_ != nullptr, "only storage from a pool can be given away");
  check(size <= capacity_, "no more is given away than is there");
  Buffer taken = std::move(pooled_);
  taken.resize(size);
  data_ = nullptr;
  capacity_ = 0;
  return taken;
}

}  // namespace millrace::protocol
