// What a fuzzer gives, taken byte by byte; zeros behind its end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : data_(data, size) {}

  [[nodiscard]] bool more() const { return !data_.empty(); }
  std::uint8_t byte() {
    if (data_.empty()) return 0;
    const std::uint8_t first = data_.front();
    data_ = data_.subspan(1);
    return first;
  }
  std::size_t number() {
    const std::size_t high = byte();
    return high * 256 + byte();
  }
  // At the most as many; fewer at the end.
  std::span<const std::byte> bytes(std::size_t count) {
    const auto taken = data_.first(std::min(count, data_.size()));
    data_ = data_.subspan(taken.size());
    return std::as_bytes(taken);
  }

 private:
  std::span<const std::uint8_t> data_;
};

}  // namespace millrace::fuzz
