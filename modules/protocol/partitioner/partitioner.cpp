module;
#include <zlib.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

module millrace.protocol.partitioner;

import millrace.base;

namespace millrace::protocol {
namespace {

std::uint32_t load_little_endian(const std::byte* from) {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (std::endian::native == std::endian::big) return swap_bytes(value);
  return value;
}

// One step of Java's hash for a UTF-16 unit.
std::uint32_t add_unit(std::uint32_t hash, char32_t unit) {
  return hash * 31 + static_cast<std::uint32_t>(unit);
}

PartitionIndex modulo(std::uint32_t hash, std::int32_t partition_count) {
  check(partition_count > 0, "a topic has partitions");
  return PartitionIndex{
      static_cast<std::int32_t>(hash % static_cast<std::uint32_t>(partition_count))};
}

// The absolute value in 32 bits, where that of the lowest number is itself.
std::uint32_t magnitude(std::uint32_t hash) {
  return hash > 0x8000'0000 ? 0 - hash : hash;
}

}  // namespace

std::int32_t murmur2(ByteView key) {
  constexpr std::uint32_t seed = 0x9747b28c;
  constexpr std::uint32_t multiplier = 0x5bd1e995;
  std::uint32_t hash = seed ^ static_cast<std::uint32_t>(key.size());
  for (; key.size() >= 4; key = key.subspan(4)) {
    std::uint32_t word = load_little_endian(key.data()) * multiplier;
    word = (word ^ (word >> 24)) * multiplier;
    hash = (hash * multiplier) ^ word;
  }
  if (!key.empty()) {
    for (std::size_t place = 0; place < key.size(); ++place) {
      hash ^= static_cast<std::uint32_t>(key[place]) << (8 * place);
    }
    hash *= multiplier;
  }
  hash = (hash ^ (hash >> 13)) * multiplier;
  return static_cast<std::int32_t>(hash ^ (hash >> 15));
}

std::uint32_t crc32(ByteView key) {
  // zlib takes null for "begin", and an empty view may be null.
  if (key.empty()) return 0;
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(key.data()), key.size()));
}

std::uint32_t fnv1a(ByteView key) {
  constexpr std::uint32_t basis = 0x811c9dc5;
  constexpr std::uint32_t prime = 0x01000193;
  std::uint32_t hash = basis;
  for (const std::byte byte : key) hash = (hash ^ static_cast<std::uint32_t>(byte)) * prime;
  return hash;
}

std::int32_t java_string_hash(std::string_view utf8) {
  std::uint32_t hash = 0;
  for (ByteView rest = as_bytes(utf8); !rest.empty();) {
    const Utf8Character character = first_utf8_character(rest);
    if (character.code_point < 0x10000) {
      hash = add_unit(hash, character.code_point);
    } else {
      const char32_t above = character.code_point - 0x10000;
      hash = add_unit(hash, 0xd800 + (above >> 10));
      hash = add_unit(hash, 0xdc00 + (above & 0x3ff));
    }
    rest = rest.subspan(character.bytes);
  }
  return static_cast<std::int32_t>(hash);
}

PartitionIndex key_partition(Partitioner partitioner, ByteView key, std::int32_t partition_count) {
  switch (partitioner) {
    case Partitioner::murmur2:
      // The sign bit is cleared.
      return modulo(static_cast<std::uint32_t>(murmur2(key)) & 0x7fff'ffff, partition_count);
    case Partitioner::consistent:
      return modulo(crc32(key), partition_count);
    case Partitioner::fnv1a:
      return modulo(magnitude(fnv1a(key)), partition_count);
  }
  check(false, "no such partitioner");
  return {};
}

PartitionIndex state_partition(std::string_view id, std::int32_t partition_count) {
  const std::int32_t hash = java_string_hash(id);
  // Kafka takes the absolute value here, and zero where there is none.
  if (hash == std::numeric_limits<std::int32_t>::min()) return modulo(0, partition_count);
  return modulo(magnitude(static_cast<std::uint32_t>(hash)), partition_count);
}

}  // namespace millrace::protocol
