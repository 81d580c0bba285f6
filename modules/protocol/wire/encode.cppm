// Writing a message: a pass that measures it to the byte, then one write into a buffer of that
// size. Record bytes are not written: each Records field leaves a Splice, and the sender puts the
// chunks there.
module;
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

export module millrace.protocol.wire:encode;

import millrace.base;
import :values;

export namespace millrace::protocol {

enum class EncodeFault : uint8_t {
  none,
  unsupported_version,
  field_not_in_version,
  null_not_allowed,
  string_too_long,
  message_too_large,
};

[[nodiscard]] std::string_view name_of(EncodeFault fault);

// What cannot be written, and in which field.
struct EncodeError {
  EncodeFault fault = EncodeFault::none;
  const char* field = "";

  friend bool operator==(const EncodeError&, const EncodeError&) = default;
};

[[nodiscard]] std::string to_string(const EncodeError& error);

// Kafka's frame length is a signed 32-bit number.
inline constexpr size_t message_bytes_max = 0x7fffffff;

// The exact size of a message.
struct MessageSize {
  size_t inline_bytes = 0;  // what write() fills
  size_t record_bytes = 0;  // what the splices bring
  size_t splices = 0;

  [[nodiscard]] size_t total() const { return inline_bytes + record_bytes; }
  friend bool operator==(const MessageSize&, const MessageSize&) = default;
};

using MeasureResult = Result<MessageSize, EncodeError>;

// Records that belong at `position` of the inline bytes.
struct Splice {
  size_t position = 0;
  Records records;
};

// The measuring pass notes the first fault and goes on: sizes after a fault mean nothing.
struct Measure {
  size_t record_bytes = 0;
  size_t splices = 0;
  EncodeError error;

  void fail(EncodeFault fault, const char* field) {
    if (error.fault == EncodeFault::none) error = EncodeError{fault, field};
  }
};

[[nodiscard]] inline MeasureResult measured(const Measure& state, size_t inline_bytes) {
  if (state.error.fault != EncodeFault::none) [[unlikely]]
    return failure(state.error);
  const MessageSize size{inline_bytes, state.record_bytes, state.splices};
  if (size.total() > message_bytes_max) [[unlikely]] {
    return failure(EncodeError{EncodeFault::message_too_large, "message"});
  }
  return size;
}

[[nodiscard]] inline MeasureResult version_not_encodable() {
  return failure(EncodeError{EncodeFault::unsupported_version, "version"});
}

// Where a measured message is written: a buffer of MessageSize::inline_bytes and
// MessageSize::splices splices. Writing more than was measured is a broken invariant.
class Writer {
 public:
  Writer(MutableBytes buffer, std::span<Splice> splices)
      : begin_(buffer.data()), end_(buffer.data() + buffer.size()), splices_(splices) {}

  [[nodiscard]] inline std::byte* begin() const { return begin_; }
  void add_splice(const std::byte* at, const Records& records) {
    check(splice_count_ < splices_.size(), "more records than were measured");
    splices_[splice_count_++] = Splice{static_cast<size_t>(at - begin_), records};
  }
  void finish(const std::byte* at) const {
    check(at == end_, "a message was written shorter or longer than it was measured");
    check(splice_count_ == splices_.size(), "fewer records than were measured");
  }

 private:
  std::byte* begin_;
  std::byte* end_;
  std::span<Splice> splices_;
  size_t splice_count_ = 0;
};

// --- Fixed width. ---

template <class T>
inline void store(std::byte* to, T value) {
  if constexpr (std::same_as<T, bool>) {
    *to = static_cast<std::byte>(value ? 1 : 0);
  } else if constexpr (std::same_as<T, double>) {
    store_big_endian(to, std::bit_cast<uint64_t>(value));
  } else if constexpr (std::same_as<T, Uuid>) {
    __builtin_memcpy(to, value.bytes.data(), sizeof value.bytes);
  } else {
    store_big_endian(to, value);
  }
}

// --- Lengths. ---

[[nodiscard]] inline size_t uvarint_size(uint64_t value) {
  return unsigned_varint_size(value);
}

// `Fixed` is the integer that carries the length in versions that are not flexible; -1 is null.
template <class Fixed>
[[nodiscard]] inline size_t length_size(int64_t length, bool flexible) {
  return flexible ? uvarint_size(static_cast<uint64_t>(length + 1)) : sizeof(Fixed);
}

template <class Fixed>
[[nodiscard]] inline std::byte* write_length(int64_t length, std::byte* to, bool flexible) {
  if (flexible) return write_unsigned_varint(to, static_cast<uint64_t>(length + 1));
  store_big_endian(to, static_cast<Fixed>(length));
  return to + sizeof(Fixed);
}

// --- Fields of variable length. ---

// What null means for a field in the version that is written.
enum class Null : uint8_t {
  never,    // the field is nullable in no version: null counts as empty
  allowed,  // null is written as null
  refused,  // the field is nullable in other versions only: null is a fault
};

// The length as it is written: -1 is null.
[[nodiscard]] inline int64_t written_length(Bytes value, Null null) {
  if (value.data() == nullptr && null != Null::never) return -1;
  return static_cast<int64_t>(value.size());
}

[[nodiscard]] inline size_t string_size(String value, Measure& state, const char* field,
                                        bool flexible, Null null) {
  const int64_t length = written_length(as_bytes(value), null);
  if (length < 0 && null == Null::refused) [[unlikely]] {
    state.fail(EncodeFault::null_not_allowed, field);
  }
  if (length > text_bytes_max) [[unlikely]] {
    state.fail(EncodeFault::string_too_long, field);
  }
  return length_size<int16_t>(length, flexible) + value.size();
}

[[nodiscard]] inline std::byte* write_string(String value, std::byte* to, bool flexible,
                                             Null null) {
  to = write_length<int16_t>(written_length(as_bytes(value), null), to, flexible);
  if (!value.empty()) __builtin_memcpy(to, value.data(), value.size());
  return to + value.size();
}

[[nodiscard]] inline size_t bytes_size(Bytes value, Measure& state, const char* field,
                                       bool flexible, Null null) {
  const int64_t length = written_length(value, null);
  if (length < 0 && null == Null::refused) [[unlikely]] {
    state.fail(EncodeFault::null_not_allowed, field);
  }
  return length_size<int32_t>(length, flexible) + value.size();
}

[[nodiscard]] inline std::byte* write_bytes(Bytes value, std::byte* to, bool flexible, Null null) {
  to = write_length<int32_t>(written_length(value, null), to, flexible);
  if (!value.empty()) __builtin_memcpy(to, value.data(), value.size());
  return to + value.size();
}

[[nodiscard]] inline size_t records_size(const Records& value, Measure& state, const char* field,
                                         bool flexible, Null null) {
  if (value.is_null()) {
    if (null != Null::allowed) [[unlikely]]
      state.fail(EncodeFault::null_not_allowed, field);
    return length_size<int32_t>(-1, flexible);
  }
  state.record_bytes += value.size();
  state.splices += 1;
  return length_size<int32_t>(static_cast<int64_t>(value.size()), flexible);
}

[[nodiscard]] inline std::byte* write_records(const Records& value, std::byte* to, Writer& writer,
                                              bool flexible) {
  if (value.is_null()) return write_length<int32_t>(-1, to, flexible);
  to = write_length<int32_t>(static_cast<int64_t>(value.size()), to, flexible);
  writer.add_splice(to, value);
  return to;
}

// --- Arrays. ---

template <class T>
[[nodiscard]] inline int64_t count_of(const Array<T>& array) {
  return array.is_null() ? -1 : static_cast<int64_t>(array.size());
}

template <class T>
[[nodiscard]] inline size_t count_size(const Array<T>& array, Measure& state, const char* field,
                                       bool flexible, Null null) {
  if (array.is_null() && null != Null::allowed) [[unlikely]] {
    state.fail(EncodeFault::null_not_allowed, field);
  }
  return length_size<int32_t>(count_of(array), flexible);
}

template <class T>
[[nodiscard]] inline size_t fixed_array_size(const Array<T>& array, Measure& state,
                                             const char* field, bool flexible, Null null) {
  return count_size(array, state, field, flexible, null) + array.size() * sizeof(T);
}

template <class T>
[[nodiscard]] inline std::byte* write_fixed_array(const Array<T>& array, std::byte* to,
                                                  bool flexible) {
  to = write_length<int32_t>(count_of(array), to, flexible);
  for (const T& item : array) {
    store(to, item);
    to += sizeof(T);
  }
  return to;
}

[[nodiscard]] inline size_t string_array_size(const Array<String>& array, Measure& state,
                                              const char* field, bool flexible, Null null) {
  size_t size = count_size(array, state, field, flexible, null);
  for (const String item : array) size += string_size(item, state, field, flexible, Null::never);
  return size;
}

[[nodiscard]] inline std::byte* write_string_array(const Array<String>& array, std::byte* to,
                                                   bool flexible) {
  to = write_length<int32_t>(count_of(array), to, flexible);
  for (const String item : array) to = write_string(item, to, flexible, Null::never);
  return to;
}

// `size_item(const T&)` gives the size of one element.
template <class T, class SizeItem>
[[nodiscard]] inline size_t struct_array_size(const Array<T>& array, Measure& state,
                                              const char* field, bool flexible, Null null,
                                              SizeItem size_item) {
  size_t size = count_size(array, state, field, flexible, null);
  for (const T& item : array) size += size_item(item);
  return size;
}

// `write_item(const T&, std::byte*)` writes one element and gives the position after it.
template <class T, class WriteItem>
[[nodiscard]] inline std::byte* write_struct_array(const Array<T>& array, std::byte* to,
                                                   bool flexible, WriteItem write_item) {
  to = write_length<int32_t>(count_of(array), to, flexible);
  for (const T& item : array) to = write_item(item, to);
  return to;
}

// --- Tagged fields. ---

// A tag, the size of its value and the value.
[[nodiscard]] inline size_t tag_size(uint32_t tag, size_t value_size) {
  return uvarint_size(tag) + uvarint_size(value_size) + value_size;
}

[[nodiscard]] inline std::byte* write_tag_head(uint32_t tag, size_t value_size, std::byte* to) {
  return write_unsigned_varint(write_unsigned_varint(to, tag), value_size);
}

[[nodiscard]] size_t unknown_tags_size(const Array<UnknownTag>& tags);

// Writes those unknown tags from `index` on that come before `before`, and moves the index past
// them.
[[nodiscard]] std::byte* write_unknown_tags(const Array<UnknownTag>& tags, size_t& index,
                                            uint64_t before, std::byte* to);

inline constexpr uint64_t after_last_tag = uint64_t{1} << 32;

}  // namespace millrace::protocol
