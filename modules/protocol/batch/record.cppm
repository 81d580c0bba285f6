// One record of a batch as a view, its headers, and the parsing of both. Everything here is inline:
// the functions are the hot path of whoever reads records.
module;
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

export module millrace.protocol.batch:record;

import :failure;
import millrace.base;

namespace millrace::protocol {

// Lengths of up to two bytes (values of -64 to 8191) are read without a loop.
inline const std::byte* read_short_varint(const std::byte* at, const std::byte* end,
                                          std::int32_t& value) {
  if (end - at >= 2) [[likely]] {
    const auto first = static_cast<std::uint32_t>(at[0]);
    if (first < 0x80) {
      value = unzigzag(first);
      return at + 1;
    }
    const auto second = static_cast<std::uint32_t>(at[1]);
    if (second < 0x80) [[likely]] {
      value = unzigzag((first & 0x7f) | (second << 7));
      return at + 2;
    }
  }
  return read_varint(at, end, value);
}

inline const std::byte* read_short_varlong(const std::byte* at, const std::byte* end,
                                           std::int64_t& value) {
  if (end - at >= 2) [[likely]] {
    const auto first = static_cast<std::uint64_t>(at[0]);
    if (first < 0x80) {
      value = unzigzag(first);
      return at + 1;
    }
    const auto second = static_cast<std::uint64_t>(at[1]);
    if (second < 0x80) {
      value = unzigzag((first & 0x7f) | (second << 7));
      return at + 2;
    }
  }
  return read_varlong(at, end, value);
}

// Reads a length and as many bytes; length -1 gives a view whose data pointer is null. Returns the
// position after them, or null where the length is malformed, below -1 or beyond the end.
inline const std::byte* read_nullable_bytes(const std::byte* at, const std::byte* end,
                                            ByteView& bytes) {
  std::int32_t length = 0;
  at = read_short_varint(at, end, length);
  if (at == nullptr) [[unlikely]]
    return nullptr;
  if (length < 0) {
    bytes = ByteView{};
    return length == -1 ? at : nullptr;
  }
  if (length > end - at) [[unlikely]]
    return nullptr;
  bytes = ByteView(at, static_cast<std::size_t>(length));
  return at + length;
}

}  // namespace millrace::protocol

export namespace millrace::protocol {

// Null and empty are two things: a null key or value has no data pointer.
[[nodiscard]] inline bool is_null(ByteView bytes) {
  return bytes.data() == nullptr;
}

struct RecordHeader {
  std::string_view key;
  ByteView value;  // null where its data pointer is null
};

// The headers of one record, parsed again at each walk. Made only from bytes whose structure was
// checked, so that a walk cannot fail.
class RecordHeaders {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = RecordHeader;
    using difference_type = std::ptrdiff_t;
    using pointer = const RecordHeader*;
    using reference = const RecordHeader&;

    Iterator() = default;
    Iterator(const std::byte* at, const std::byte* end, std::int32_t left)
        : at_(at), end_(end), left_(left) {
      read();
    }

    inline const RecordHeader& operator*() const { return header_; }
    inline const RecordHeader* operator->() const { return &header_; }
    inline Iterator& operator++() {
      --left_;
      read();
      return *this;
    }
    inline Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    friend inline bool operator==(const Iterator& a, const Iterator& b) {
      return a.left_ == b.left_;
    }

   private:
    inline void read() {
      if (left_ == 0) return;
      ByteView key;
      at_ = read_nullable_bytes(at_, end_, key);
      header_.key = as_text(key);
      at_ = read_nullable_bytes(at_, end_, header_.value);
    }

    const std::byte* at_ = nullptr;
    const std::byte* end_ = nullptr;
    std::int32_t left_ = 0;
    RecordHeader header_;
  };

  RecordHeaders() = default;

  [[nodiscard]] inline std::int32_t count() const { return count_; }
  [[nodiscard]] inline bool empty() const { return count_ == 0; }
  [[nodiscard]] inline Iterator begin() const {
    return Iterator(bytes_.data(), bytes_.data() + bytes_.size(), count_);
  }
  [[nodiscard]] inline Iterator end() const { return Iterator(); }
  // Encoded, without their count: what a builder may copy as one piece.
  [[nodiscard]] inline ByteView bytes() const { return bytes_; }

 private:
  friend class RecordParser;
  RecordHeaders(ByteView bytes, std::int32_t count) : bytes_(bytes), count_(count) {}

  ByteView bytes_;
  std::int32_t count_ = 0;
};

// A record inside a batch. All views point into the batch, or into the reader's window where the
// batch is compressed: they are valid until the reader moves on.
struct RecordView {
  Offset offset;
  Timestamp timestamp;
  std::int32_t offset_delta = 0;
  ByteView key;    // null where its data pointer is null
  ByteView value;  // likewise
  RecordHeaders headers;
};

}  // namespace millrace::protocol

namespace millrace::protocol {

// Parses records one after the other from contiguous bytes.
class RecordParser {
 public:
  // What a batch says about all its records.
  struct Origin {
    std::int64_t base_offset = 0;
    std::int64_t base_timestamp = 0;
    // 0 where the deltas do not count because all records have the batch's log append time.
    std::int64_t timestamp_delta_mask = -1;
  };

  enum class Step : std::uint8_t { record, incomplete, failed };

  RecordParser() = default;
  explicit RecordParser(const Origin& origin) : origin_(origin) {}

  // Reads the record at `at`. On Step::record `at` is moved past it. On Step::incomplete the record
  // starts before `end` and reaches past it.
  inline Step parse(const std::byte*& at, const std::byte* end, RecordView& record,
                    BatchError& error) const {
    std::int32_t length = 0;
    const std::byte* body = read_short_varint(at, end, length);
    if (body == nullptr) [[unlikely]]
      return unread_length(at, end, error);
    if (length < 0) [[unlikely]]
      return fail(BatchError::record_length_invalid, error);
    if (length > end - body) [[unlikely]]
      return Step::incomplete;
    const std::byte* body_end = body + length;
    if (!parse_body(body, body_end, record, error)) [[unlikely]]
      return Step::failed;
    at = body_end;
    return Step::record;
  }

  // How many bytes the incomplete record at `at` has with its length field; 0 while that is cut
  // off.
  static inline std::size_t size_of_incomplete(const std::byte* at, const std::byte* end) {
    std::int32_t length = 0;
    const std::byte* body = read_varint(at, end, length);
    if (body == nullptr) return 0;
    return static_cast<std::size_t>(body - at) + static_cast<std::size_t>(length);
  }

 private:
  static inline Step fail(BatchError what, BatchError& error) {
    error = what;
    return Step::failed;
  }

  static inline Step unread_length(const std::byte* at, const std::byte* end, BatchError& error) {
    if (end - at < static_cast<std::ptrdiff_t>(varint_bytes_max)) {
      bool cut_off = true;
      for (; at != end; ++at) cut_off = cut_off && static_cast<std::uint8_t>(*at) >= 0x80;
      if (cut_off) return Step::incomplete;
    }
    return fail(BatchError::record_length_invalid, error);
  }

  inline bool parse_body(const std::byte* at, const std::byte* end, RecordView& record,
                         BatchError& error) const {
    std::int64_t timestamp_delta = 0;
    // The record's own attributes have no meaning yet; readers ignore them.
    if (at == end || (at = read_short_varlong(at + 1, end, timestamp_delta)) == nullptr ||
        (at = read_short_varint(at, end, record.offset_delta)) == nullptr) [[unlikely]] {
      error = BatchError::record_field_invalid;
      return false;
    }
    at = read_nullable_bytes(at, end, record.key);
    if (at == nullptr) [[unlikely]] {
      error = BatchError::key_length_invalid;
      return false;
    }
    at = read_nullable_bytes(at, end, record.value);
    if (at == nullptr) [[unlikely]] {
      error = BatchError::value_length_invalid;
      return false;
    }
    record.offset = Offset(wrapping_sum(origin_.base_offset, record.offset_delta));
    record.timestamp = Timestamp(
        wrapping_sum(origin_.base_timestamp, timestamp_delta & origin_.timestamp_delta_mask));
    // One byte 0, the last one of the record: no headers.
    if (end - at == 1 && *at == std::byte{0}) [[likely]] {
      record.headers = RecordHeaders();
      return true;
    }
    return parse_headers(at, end, record, error);
  }

  static inline std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  }

  // Out of the hot path for records without headers.
  static bool parse_headers(const std::byte* at, const std::byte* end, RecordView& record,
                            BatchError& error);

  Origin origin_;
};

}  // namespace millrace::protocol
