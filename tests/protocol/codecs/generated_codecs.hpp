// The generated codecs behind one type-erased table, so that a test can run over every message.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json_writer.hpp"

import millrace.protocol.wire;

namespace millrace::protocol {

// What became of one input: decoded and printed, then encoded, perhaps in another version.
struct RoundTrip {
  bool decoded = false;
  DecodeError decode_error;
  std::size_t consumed = 0;
  std::size_t arena_bytes = 0;
  bool encoded = false;
  EncodeError encode_error;
  std::vector<std::byte> bytes;
  std::string json;
};

struct GeneratedCodec {
  std::string_view file;  // the schema file, without its ending
  std::string_view name;
  std::int16_t version_min = 0;
  std::int16_t version_max = 0;
  RoundTrip (*round_trip)(Bytes input, std::int16_t version, std::int16_t write_version) = nullptr;
};

// Everything a decoded input may take, whatever it claims.
inline constexpr std::size_t round_trip_arena_bytes_max = 64u << 20;

// Fills the gaps that the records left.
inline std::vector<std::byte> join_splices(std::span<const std::byte> inline_bytes,
                                           std::span<const Splice> splices) {
  std::vector<std::byte> joined;
  std::size_t position = 0;
  for (const Splice& splice : splices) {
    const auto before = inline_bytes.subspan(position, splice.position - position);
    joined.insert(joined.end(), before.begin(), before.end());
    const Bytes records = splice.records.bytes();
    joined.insert(joined.end(), records.begin(), records.end());
    position = splice.position;
  }
  const auto rest = inline_bytes.subspan(position);
  joined.insert(joined.end(), rest.begin(), rest.end());
  return joined;
}

// `Print` is found by the caller, in the anonymous namespace of the generated file.
template <class Message, class Print>
RoundTrip round_trip(Bytes input, std::int16_t version, std::int16_t write_version, Print print) {
  RoundTrip result;
  Arena arena(round_trip_arena_bytes_max);
  Message message;
  const DecodeResult decoded = decode(message, input, version, arena);
  result.arena_bytes = arena.allocated_bytes();
  if (!decoded) {
    result.decode_error = decoded.error();
    return result;
  }
  result.decoded = true;
  result.consumed = *decoded;
  JsonWriter json;
  print(json, message, version);
  result.json = json.take();
  const MeasureResult size = measure(message, write_version);
  if (!size) {
    result.encode_error = size.error();
    return result;
  }
  result.encoded = true;
  std::vector<std::byte> inline_bytes(size->inline_bytes);
  std::vector<Splice> splices(size->splices);
  Writer writer(inline_bytes, splices);
  write(message, write_version, writer);
  result.bytes = join_splices(inline_bytes, splices);
  return result;
}

// Every message of every family, in no particular order.
std::vector<GeneratedCodec> generated_codecs();

}  // namespace millrace::protocol
