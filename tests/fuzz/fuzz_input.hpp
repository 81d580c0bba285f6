// What a fuzzer gives, taken byte by byte; zeros behind its end.
#pragma once

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
  std::size_t number() { return std::size_t{byte()} * 256 + byte(); }

 private:
  std::span<const std::uint8_t> data_;
};

}  // namespace millrace::fuzz
