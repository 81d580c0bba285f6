// Messages that carry their own version, as two bytes in front: the keys and values of internal
// topics (there the number of a key is its record type) and the subscriptions and assignments of
// the consumer protocol.
module;
#include <cstddef>
#include <cstdint>

export module millrace.protocol.framing:versioned;

import millrace.base;
import millrace.protocol.wire;

export namespace millrace::protocol {

inline constexpr std::size_t version_prefix_bytes = 2;

// What to do with a version above the newest that we know.
enum class NewerVersion : std::uint8_t {
  refuse,          // the records of internal topics: we must not guess
  read_as_newest,  // the consumer protocol: later versions only append fields
};

// The version or record type in front.
[[nodiscard]] inline Result<std::int16_t, DecodeError> read_version_prefix(Bytes input) {
  if (input.size() < version_prefix_bytes) {
    return failure(DecodeError{DecodeFault::truncated, 0});
  }
  return load_big_endian<std::int16_t>(input.data());
}

// Reads the prefix and the message; gives the version that stood there. Positions in errors count
// from behind the prefix.
template <class Message>
[[nodiscard]] Result<std::int16_t, DecodeError> decode_versioned(Message& out, Bytes input,
                                                                 Arena& arena, NewerVersion newer) {
  const auto version = read_version_prefix(input);
  if (!version) return version;
  const bool clamp = *version > Message::version_max && newer == NewerVersion::read_as_newest;
  const std::int16_t read_as = clamp ? Message::version_max : *version;
  const DecodeResult read = decode(out, input.subspan(version_prefix_bytes), read_as, arena);
  if (!read) return failure(read.error());
  return version;
}

// Prefix and message together.
template <class Message>
[[nodiscard]] MeasureResult measure_versioned(const Message& in, std::int16_t version) {
  MeasureResult size = measure(in, version);
  if (size) size->inline_bytes += version_prefix_bytes;
  return size;
}

// `buffer` has the size that measure_versioned() gave; such messages hold no records.
template <class Message>
void write_versioned(const Message& in, std::int16_t version, MutableBytes buffer) {
  check(buffer.size() >= version_prefix_bytes, "the buffer was measured");
  store_big_endian(buffer.data(), version);
  Writer writer(buffer.subspan(version_prefix_bytes), {});
  write(in, version, writer);
}

// The key of a coordinator's record: its record type, then the fields, always in version 0.
template <class Key>
[[nodiscard]] MeasureResult measure_record_key(const Key& in) {
  static_assert(Key::version_max == 0);
  MeasureResult size = measure(in, 0);
  if (size) size->inline_bytes += version_prefix_bytes;
  return size;
}

template <class Key>
void write_record_key(const Key& in, MutableBytes buffer) {
  check(buffer.size() >= version_prefix_bytes, "the buffer was measured");
  store_big_endian(buffer.data(), Key::record_type);
  Writer writer(buffer.subspan(version_prefix_bytes), {});
  write(in, 0, writer);
}

// Reads a key whose record type the caller has looked at with read_version_prefix().
template <class Key>
[[nodiscard]] DecodeResult decode_record_key(Key& out, Bytes input, Arena& arena) {
  const auto type = read_version_prefix(input);
  if (!type) return failure(type.error());
  if (*type != Key::record_type) return failure(DecodeError{DecodeFault::unsupported_version, 0});
  return decode(out, input.subspan(version_prefix_bytes), 0, arena);
}

}  // namespace millrace::protocol
