// Bytes that somebody else owns.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/abi.hpp"

namespace millrace::inline v1 {

// A view of bytes, or null: Kafka's records tell a key or value that is null from an empty one.
class BytesView {
 public:
  constexpr BytesView() noexcept = default;
  constexpr BytesView(std::nullptr_t) noexcept {}
  constexpr BytesView(std::string_view text) noexcept
      : data_(not_null(text.data())), size_(text.size()) {}
  BytesView(const std::string& text) noexcept : BytesView(std::string_view(text)) {}
  constexpr BytesView(const char* text) noexcept {
    if (text != nullptr) *this = BytesView(std::string_view(text));
  }
  BytesView(std::span<const std::byte> bytes) noexcept
      : BytesView(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size())) {}
  BytesView(const std::vector<std::byte>& bytes) noexcept
      : BytesView(std::span<const std::byte>(bytes)) {}

  [[nodiscard]] constexpr bool is_null() const noexcept { return data_ == nullptr; }
  [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
  // Empty for null.
  [[nodiscard]] constexpr std::string_view text() const noexcept {
    return is_null() ? std::string_view() : std::string_view(data_, size_);
  }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {reinterpret_cast<const std::byte*>(data_), size_};
  }

  [[nodiscard]] friend constexpr bool operator==(BytesView left, BytesView right) noexcept {
    return left.is_null() == right.is_null() && left.text() == right.text();
  }

 private:
  static constexpr const char* not_null(const char* data) noexcept {
    return data == nullptr ? "" : data;
  }

  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace millrace::inline v1
