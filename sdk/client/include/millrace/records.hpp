// Records that were received.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/bytes.hpp"
#include "millrace/record.hpp"

namespace millrace::inline v1 {

struct TopicPartition {
  std::string topic;
  std::int32_t partition = 0;

  [[nodiscard]] friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

using Offsets = std::map<TopicPartition, std::int64_t>;

// A received record, as views of the memory into which it was fetched: valid as long as the Records
// that it came in.
class MILLRACE_API RecordView {
 public:
  RecordView() = default;

  [[nodiscard]] std::string_view topic() const noexcept;
  [[nodiscard]] std::int32_t partition() const noexcept;
  [[nodiscard]] std::int64_t offset() const noexcept;
  [[nodiscard]] Timestamp timestamp() const noexcept;
  [[nodiscard]] BytesView key() const noexcept;
  [[nodiscard]] BytesView value() const noexcept;
  // Empty for null.
  [[nodiscard]] std::string_view key_text() const noexcept { return key().text(); }
  [[nodiscard]] std::string_view value_text() const noexcept { return value().text(); }
  [[nodiscard]] bool has_headers() const noexcept;
  [[nodiscard]] std::vector<Header> headers() const;
  // One to keep.
  [[nodiscard]] OwnedRecord to_owned() const;

 private:
  friend class Records;
  explicit RecordView(const void* record) noexcept : record_(record) {}

  const void* record_ = nullptr;
};

// What one poll gave: records by partition, in the order of each, and the memory that they lie in.
// Moves. Read by one thread at a time; keeps a consumer's memory from being used again, so do not
// keep many.
class MILLRACE_API Records {
 public:
  class Iterator;

  Records() noexcept = default;
  Records(Records&& other) noexcept
      : held_(std::move(other.held_)),
        first_(std::exchange(other.first_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  Records& operator=(Records&& other) noexcept {
    held_ = std::move(other.held_);
    first_ = std::exchange(other.first_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~Records() = default;

  // Records of one's own, for tests of code that takes some.
  [[nodiscard]] static Records of(std::vector<OwnedRecord> records);

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] RecordView operator[](std::size_t index) const noexcept;
  // By partition: where these records begin, and what is read after them.
  [[nodiscard]] Offsets first_offsets() const;
  [[nodiscard]] Offsets next_offsets() const;
  [[nodiscard]] Iterator begin() const noexcept;
  [[nodiscard]] Iterator end() const noexcept;

 private:
  friend class Consumer;
  Records(std::shared_ptr<const void> held, const void* first, std::size_t size) noexcept
      : held_(std::move(held)), first_(first), size_(size) {}

  std::shared_ptr<const void> held_;
  const void* first_ = nullptr;
  std::size_t size_ = 0;
};

class Records::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = RecordView;
  using difference_type = std::ptrdiff_t;
  using pointer = const RecordView*;
  using reference = RecordView;

  Iterator() = default;
  Iterator(const Records& records, std::size_t index) noexcept
      : records_(&records), index_(index) {}

  [[nodiscard]] RecordView operator*() const noexcept { return (*records_)[index_]; }
  Iterator& operator++() noexcept {
    ++index_;
    return *this;
  }
  Iterator operator++(int) noexcept {
    const Iterator before = *this;
    ++index_;
    return before;
  }
  [[nodiscard]] friend bool operator==(const Iterator& left, const Iterator& right) noexcept {
    return left.index_ == right.index_;
  }

 private:
  const Records* records_ = nullptr;
  std::size_t index_ = 0;
};

inline Records::Iterator Records::begin() const noexcept {
  return {*this, 0};
}

inline Records::Iterator Records::end() const noexcept {
  return {*this, size_};
}

}  // namespace millrace::inline v1
