// Reading a message from a receive buffer. Generated code keeps the position in a local and passes
// it on by value: a read function takes where to read and returns where it ended, or null after
// noting the fault.
module;
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>

export module millrace.protocol.wire:decode;

import millrace.base;
import :arena;
import :values;

export namespace millrace::protocol {

enum class DecodeFault : uint8_t {
  none,
  unsupported_version,
  truncated,
  bad_varint,
  negative_length,
  text_too_long,
  null_not_allowed,
  count_too_large,
  tag_order,
  tag_size,
  arena_full,
};

[[nodiscard]] std::string_view name_of(DecodeFault fault);

// What is wrong and at which byte of the message. Holds no memory: a hostile peer costs nothing
// more.
struct DecodeError {
  DecodeFault fault = DecodeFault::none;
  uint32_t position = 0;

  friend bool operator==(const DecodeError&, const DecodeError&) = default;
};

[[nodiscard]] std::string to_string(const DecodeError& error);

// How many bytes the message took; what lies behind is the caller's business.
using DecodeResult = Result<size_t, DecodeError>;

// The arena and the fault of one decode() call.
struct Decode {
  Arena& arena;
  DecodeFault fault = DecodeFault::none;
  const std::byte* fault_at = nullptr;

  const std::byte* fail(DecodeFault what, const std::byte* at) {
    fault = what;
    fault_at = at;
    return nullptr;
  }
};

// Where reading starts: never null, because null means that reading failed.
[[nodiscard]] inline const std::byte* start_of(Bytes input) {
  static constexpr std::byte nothing{0};
  return input.data() == nullptr ? &nothing : input.data();
}

[[nodiscard]] inline DecodeResult decoded(const Decode& state, const std::byte* start,
                                          const std::byte* after) {
  if (after != nullptr) [[likely]]
    return static_cast<size_t>(after - start);
  return failure(DecodeError{state.fault, static_cast<uint32_t>(state.fault_at - start)});
}

[[nodiscard]] inline DecodeResult version_not_supported() {
  return failure(DecodeError{DecodeFault::unsupported_version, 0});
}

// --- Fixed width: the caller has checked that the bytes are there. ---

template <class T>
[[nodiscard]] inline T load(const std::byte* from) {
  if constexpr (std::same_as<T, bool>) {
    return *from != std::byte{0};
  } else if constexpr (std::same_as<T, double>) {
    return std::bit_cast<double>(load_big_endian<uint64_t>(from));
  } else if constexpr (std::same_as<T, Uuid>) {
    Uuid uuid;
    __builtin_memcpy(uuid.bytes.data(), from, sizeof uuid.bytes);
    return uuid;
  } else {
    return load_big_endian<T>(from);
  }
}

template <class T>
inline constexpr size_t wire_size = sizeof(T);
template <>
inline constexpr size_t wire_size<bool> = 1;

[[nodiscard]] inline bool has(const std::byte* from, const std::byte* end, size_t count) {
  return static_cast<size_t>(end - from) >= count;
}

// --- Lengths. Null reads as -1. ---

[[nodiscard]] inline const std::byte* read_uvarint(uint32_t& value, const std::byte* from,
                                                   const std::byte* end, Decode& state) {
  const std::byte* after = read_unsigned_varint(from, end, value);
  if (after == nullptr) [[unlikely]]
    return state.fail(DecodeFault::bad_varint, from);
  return after;
}

// `Fixed` is the integer that carries the length in versions that are not flexible.
template <class Fixed>
[[nodiscard]] inline const std::byte* read_length(int64_t& length, const std::byte* from,
                                                  const std::byte* end, Decode& state,
                                                  bool flexible, bool nullable) {
  const std::byte* after = nullptr;
  if (flexible) {
    uint32_t raw = 0;
    after = read_uvarint(raw, from, end, state);
    if (after == nullptr) [[unlikely]]
      return nullptr;
    length = static_cast<int64_t>(raw) - 1;
  } else {
    if (!has(from, end, sizeof(Fixed))) [[unlikely]] {
      return state.fail(DecodeFault::truncated, from);
    }
    length = load_big_endian<Fixed>(from);
    after = from + sizeof(Fixed);
  }
  if (length < 0) [[unlikely]] {
    if (length < -1) return state.fail(DecodeFault::negative_length, from);
    if (!nullable) return state.fail(DecodeFault::null_not_allowed, from);
  }
  return after;
}

// --- Fields of variable length. ---

[[nodiscard]] inline const std::byte* read_string(String& out, const std::byte* from,
                                                  const std::byte* end, Decode& state,
                                                  bool flexible, bool nullable) {
  int64_t length = 0;
  from = read_length<int16_t>(length, from, end, state, flexible, nullable);
  if (from == nullptr) [[unlikely]]
    return nullptr;
  if (length < 0) {
    out = null_string;
    return from;
  }
  if (length > text_bytes_max) [[unlikely]]
    return state.fail(DecodeFault::text_too_long, from);
  const auto size = static_cast<size_t>(length);
  if (!has(from, end, size)) [[unlikely]]
    return state.fail(DecodeFault::truncated, from);
  out = String(reinterpret_cast<const char*>(from), size);
  return from + size;
}

[[nodiscard]] inline const std::byte* read_bytes(Bytes& out, const std::byte* from,
                                                 const std::byte* end, Decode& state, bool flexible,
                                                 bool nullable) {
  int64_t length = 0;
  from = read_length<int32_t>(length, from, end, state, flexible, nullable);
  if (from == nullptr) [[unlikely]]
    return nullptr;
  if (length < 0) {
    out = null_bytes;
    return from;
  }
  const auto size = static_cast<size_t>(length);
  if (!has(from, end, size)) [[unlikely]]
    return state.fail(DecodeFault::truncated, from);
  out = Bytes(from, size);
  return from + size;
}

[[nodiscard]] inline const std::byte* read_records(Records& out, const std::byte* from,
                                                   const std::byte* end, Decode& state,
                                                   bool flexible, bool nullable) {
  Bytes bytes;
  from = read_bytes(bytes, from, end, state, flexible, nullable);
  out = Records(bytes);
  return from;
}

// --- Arrays. ---

// Reads the count and refuses one whose elements, each of at least `element_bytes_min`, could not
// fit in what is left: nothing is allocated for a claim that the bytes do not back.
[[nodiscard]] inline const std::byte* read_count(int64_t& count, const std::byte* from,
                                                 const std::byte* end, Decode& state, bool flexible,
                                                 bool nullable, size_t element_bytes_min) {
  const std::byte* after = read_length<int32_t>(count, from, end, state, flexible, nullable);
  if (after == nullptr) [[unlikely]]
    return nullptr;
  if (count > 0 && static_cast<uint64_t>(count) * element_bytes_min >
                       static_cast<uint64_t>(end - after)) [[unlikely]] {
    return state.fail(DecodeFault::count_too_large, from);
  }
  return after;
}

// Room for the elements in the arena. Null is a full arena, noted in `state`.
template <class T>
[[nodiscard]] inline T* allocate_elements(int64_t count, const std::byte* at, Decode& state) {
  T* items = state.arena.allocate<T>(static_cast<size_t>(count));
  if (items == nullptr) [[unlikely]]
    state.fail(DecodeFault::arena_full, at);
  return items;
}

template <class T>
[[nodiscard]] inline const std::byte* read_fixed_array(Array<T>& out, const std::byte* from,
                                                       const std::byte* end, Decode& state,
                                                       bool flexible, bool nullable) {
  int64_t count = 0;
  from = read_count(count, from, end, state, flexible, nullable, wire_size<T>);
  if (from == nullptr) [[unlikely]]
    return nullptr;
  if (count <= 0) {
    out = Array<T>(nullptr, static_cast<int32_t>(count));
    return from;
  }
  T* items = allocate_elements<T>(count, from, state);
  if (items == nullptr) [[unlikely]]
    return nullptr;
  for (int64_t i = 0; i < count; ++i) {
    ::new (items + i) T(load<T>(from));
    from += wire_size<T>;
  }
  out = Array<T>(items, static_cast<int32_t>(count));
  return from;
}

[[nodiscard]] inline const std::byte* read_string_array(Array<String>& out, const std::byte* from,
                                                        const std::byte* end, Decode& state,
                                                        bool flexible, bool nullable) {
  int64_t count = 0;
  from = read_count(count, from, end, state, flexible, nullable, flexible ? 1 : 2);
  if (from == nullptr) [[unlikely]]
    return nullptr;
  if (count <= 0) {
    out = Array<String>(nullptr, static_cast<int32_t>(count));
    return from;
  }
  String* items = allocate_elements<String>(count, from, state);
  if (items == nullptr) [[unlikely]]
    return nullptr;
  for (int64_t i = 0; i < count; ++i) {
    ::new (items + i) String();
    from = read_string(items[i], from, end, state, flexible, false);
    if (from == nullptr) [[unlikely]]
      return nullptr;
  }
  out = Array<String>(items, static_cast<int32_t>(count));
  return from;
}

// `read_item(T&, const std::byte*)` reads one element and gives the position after it.
template <class T, class ReadItem>
[[nodiscard]] inline const std::byte* read_struct_array(Array<T>& out, const std::byte* from,
                                                        const std::byte* end, Decode& state,
                                                        bool flexible, bool nullable,
                                                        size_t element_bytes_min,
                                                        ReadItem read_item) {
  int64_t count = 0;
  from = read_count(count, from, end, state, flexible, nullable, element_bytes_min);
  if (from == nullptr) [[unlikely]]
    return nullptr;
  if (count <= 0) {
    out = Array<T>(nullptr, static_cast<int32_t>(count));
    return from;
  }
  T* items = allocate_elements<T>(count, from, state);
  if (items == nullptr) [[unlikely]]
    return nullptr;
  for (int64_t i = 0; i < count; ++i) {
    from = read_item(*::new (items + i) T(), from);
    if (from == nullptr) [[unlikely]]
      return nullptr;
  }
  out = Array<T>(items, static_cast<int32_t>(count));
  return from;
}

// A struct that may be null: a marker, then the struct. As a plain field the marker is a byte,
// below zero for null; inside a tagged field it is a varint, zero for null.
enum class NullMarker : int8_t { plain = -1, tagged = 0 };

[[nodiscard]] inline const std::byte* read_null_marker(bool& is_null, const std::byte* from,
                                                       const std::byte* end, Decode& state,
                                                       NullMarker null) {
  if (null == NullMarker::tagged) {
    uint32_t marker = 0;
    from = read_uvarint(marker, from, end, state);
    is_null = static_cast<int32_t>(marker) <= 0;  // signed, as Kafka reads it
    return from;
  }
  if (!has(from, end, 1)) [[unlikely]]
    return state.fail(DecodeFault::truncated, from);
  is_null = load<int8_t>(from) < 0;
  return from + 1;
}

template <class T, class ReadItem>
[[nodiscard]] inline const std::byte* read_nullable_struct(const T*& out, const std::byte* from,
                                                           const std::byte* end, Decode& state,
                                                           NullMarker null, ReadItem read_item) {
  bool is_null = false;
  from = read_null_marker(is_null, from, end, state, null);
  if (from == nullptr) [[unlikely]]
    return nullptr;
  if (is_null) {
    out = nullptr;
    return from;
  }
  T* item = allocate_elements<T>(1, from, state);
  if (item == nullptr) [[unlikely]]
    return nullptr;
  from = read_item(*::new (item) T(), from);
  out = item;
  return from;
}

// --- Tagged fields. ---

// The tags of one struct as they are read: ascending, each once, each within the bytes that are
// there.
struct TagReader {
  uint32_t left = 0;  // how many are still to come
  int64_t tag = -1;
  const std::byte* value_end = nullptr;

  // Moves to the next tag; its value lies from the returned position to value_end.
  [[nodiscard]] const std::byte* next(const std::byte* from, const std::byte* end, Decode& state);
};

// Passes over the tagged fields of a struct that knows none.
[[nodiscard]] const std::byte* skip_tags_slow(const std::byte* from, const std::byte* end,
                                              Decode& state);
[[nodiscard]] inline const std::byte* skip_tags(const std::byte* from, const std::byte* end,
                                                Decode& state) {
  if (from != end && *from == std::byte{0}) [[likely]]
    return from + 1;
  return skip_tags_slow(from, end, state);
}

// Reads the number of tags of a struct that knows some.
[[nodiscard]] inline const std::byte* read_tag_count(TagReader& tags, const std::byte* from,
                                                     const std::byte* end, Decode& state) {
  return read_uvarint(tags.left, from, end, state);
}

// Collects the unknown tags of a struct that keeps them.
class UnknownTagKeeper {
 public:
  // False when the arena is full; the fault is noted.
  [[nodiscard]] bool keep(const TagReader& tags, const std::byte* from, const std::byte* end,
                          Decode& state);
  [[nodiscard]] Array<UnknownTag> kept() const { return Array<UnknownTag>(items_, count_); }

 private:
  UnknownTag* items_ = nullptr;
  int32_t count_ = 0;
};

}  // namespace millrace::protocol
