// Records: what one sends, what one receives, and what one keeps.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/bytes.hpp"

namespace millrace::inline v1 {

// Kafka's timestamps count milliseconds since 1970.
using Timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

struct Header {
  std::string_view key;
  BytesView value;

  [[nodiscard]] friend bool operator==(const Header&, const Header&) = default;
};

// Headers of a record that is sent: views, valid as long as what they were made of.
class HeadersView {
 public:
  HeadersView() noexcept = default;
  // Those of `.headers = {{"trace", "1"}}` live until the end of the call.
  HeadersView(std::initializer_list<Header> headers) noexcept {
    headers_ = std::span<const Header>(headers.begin(), headers.size());
  }
  HeadersView(std::span<const Header> headers) noexcept : headers_(headers) {}
  HeadersView(const std::vector<Header>& headers) noexcept : headers_(headers) {}

  [[nodiscard]] std::span<const Header> span() const noexcept { return headers_; }
  [[nodiscard]] auto begin() const noexcept { return headers_.begin(); }
  [[nodiscard]] auto end() const noexcept { return headers_.end(); }
  [[nodiscard]] std::size_t size() const noexcept { return headers_.size(); }
  [[nodiscard]] bool empty() const noexcept { return headers_.empty(); }

 private:
  std::span<const Header> headers_;
};

// A record to be sent. All of it are views, which send() copies before it returns.
struct Record {
  std::string_view topic;
  BytesView key = {};
  BytesView value = {};
  HeadersView headers = {};
  std::optional<std::int32_t> partition = {};  // chosen by the partitioner when not given
  std::optional<Timestamp> timestamp = {};     // now when not given
};

struct OwnedHeader {
  std::string key;
  std::optional<std::string> value = {};

  [[nodiscard]] friend bool operator==(const OwnedHeader&, const OwnedHeader&) = default;
};

// A received record that was kept.
struct OwnedRecord {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  Timestamp timestamp = {};
  std::optional<std::string> key = {};
  std::optional<std::string> value = {};
  std::vector<OwnedHeader> headers = {};

  [[nodiscard]] friend bool operator==(const OwnedRecord&, const OwnedRecord&) = default;
};

}  // namespace millrace::inline v1
