#include "agreement.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include "byte_difference.hpp"
#include "json.hpp"
#include "table_codec.hpp"

// This one imports modules: it comes after all that includes standard headers.
#include "generated_codecs.hpp"

import millrace.protocol.wire;

namespace millrace::table {
namespace {

// Runs the generated codec over a copy of exactly this size, so that the address sanitizer sees
// every read outside.
protocol::RoundTrip round_trip(const Subject& subject, int version, int write_version,
                               std::string_view input) {
  const auto copy = std::make_unique_for_overwrite<std::byte[]>(input.size());
  if (!input.empty()) std::memcpy(copy.get(), input.data(), input.size());
  return subject.generated->round_trip({copy.get(), input.size()},
                                       static_cast<std::int16_t>(version),
                                       static_cast<std::int16_t>(write_version));
}

std::string_view text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Chunks double up to a size, and what did not fit into one is lost: so the arena may take three
// times what is asked of it and one chunk more.
bool is_within_memory_limit(std::size_t arena_bytes, std::size_t input_bytes) {
  const std::size_t asked = protocol::arena_bytes_per_wire_byte_max * input_bytes;
  if (asked <= protocol::arena_first_chunk_bytes) {
    return arena_bytes <= protocol::arena_first_chunk_bytes;
  }
  return arena_bytes <= 3 * asked + protocol::arena_chunk_bytes_max;
}

std::optional<std::string> different_meaning(const Subject& subject, int version,
                                             const Value& value, const std::string& found) {
  const auto json = parse_json(found);
  if (!json) return json.error() + " in " + found;
  return first_difference(to_json(*subject.message, version, value), *json);
}

UnknownTags unknown_tags_of(const Message& message) {
  return message.keeps_unknown_tags ? UnknownTags::keep : UnknownTags::skip;
}

std::optional<std::string> difference(const Subject& subject, int version, std::string_view input,
                                      CompareJson json) {
  const Message& message = *subject.message;
  const auto unknown = unknown_tags_of(message);
  const auto table = decode(message, version, input, unknown);
  const protocol::RoundTrip trip = round_trip(subject, version, version, input);
  if (!is_within_memory_limit(trip.arena_bytes, input.size())) {
    return std::to_string(trip.arena_bytes) + " bytes of arena for an input of " +
           std::to_string(input.size());
  }
  if (!table && !trip.decoded) return std::nullopt;
  if (!table) return "only the table-driven codec refuses: " + table.error().what;
  if (!trip.decoded) {
    return "only the generated codec refuses: " + protocol::to_string(trip.decode_error);
  }
  if (trip.consumed != table->consumed) {
    return "read " + std::to_string(table->consumed) + " and " + std::to_string(trip.consumed) +
           " bytes";
  }
  const auto encoded = encode(message, version, table->value);
  if (!encoded) return "the table-driven codec does not write: " + encoded.error().what;
  if (!trip.encoded) {
    return "the generated codec does not write: " + protocol::to_string(trip.encode_error);
  }
  if (auto bytes = byte_difference(*encoded, text_of(trip.bytes))) return bytes;
  if (json == CompareJson::no) return std::nullopt;
  return different_meaning(subject, version, table->value, trip.json);
}

std::optional<std::string> difference_across(const Subject& subject, int read_version,
                                             int write_version, std::string_view input) {
  const Message& message = *subject.message;
  const auto table = decode(message, read_version, input, unknown_tags_of(message));
  const protocol::RoundTrip trip = round_trip(subject, read_version, write_version, input);
  if (!table || !trip.decoded) return "one of the codecs refuses the input";
  const auto encoded = encode(message, write_version, table->value);
  if (!encoded && !trip.encoded) return std::nullopt;
  if (!encoded) {
    return "only the table-driven codec refuses to write: " + encoded.error().what;
  }
  if (!trip.encoded) {
    return "only the generated codec refuses to write: " + protocol::to_string(trip.encode_error);
  }
  return byte_difference(*encoded, text_of(trip.bytes));
}

}  // namespace

tl::expected<std::vector<Subject>, std::string> pair_up(
    const std::vector<Message>& messages, const std::vector<protocol::GeneratedCodec>& codecs) {
  if (messages.size() != codecs.size()) {
    return tl::unexpected(std::to_string(messages.size()) + " schema files, but " +
                          std::to_string(codecs.size()) + " generated codecs");
  }
  std::vector<Subject> subjects;
  for (const Message& message : messages) {
    const auto codec = std::ranges::find(codecs, message.name, &protocol::GeneratedCodec::name);
    if (codec == codecs.end()) return tl::unexpected(message.name + " has no generated codec");
    if (message.versions != Versions{codec->version_min, codec->version_max}) {
      return tl::unexpected(message.name + " has other versions in its generated codec");
    }
    subjects.push_back({&message, &*codec});
  }
  return subjects;
}

std::optional<std::string> disagreement(const Subject& subject, int version, std::string_view input,
                                        CompareJson json) {
  auto found = difference(subject, version, input, json);
  if (!found) return std::nullopt;
  return subject.message->name + " version " + std::to_string(version) + ": " + *found;
}

std::optional<std::string> disagreement_across(const Subject& subject, int read_version,
                                               int write_version, std::string_view input) {
  auto found = difference_across(subject, read_version, write_version, input);
  if (!found) return std::nullopt;
  return subject.message->name + " read in version " + std::to_string(read_version) +
         ", written in " + std::to_string(write_version) + ": " + *found;
}

tl::expected<Generated, std::string> run_generated(const Subject& subject, int version,
                                                   std::string_view input) {
  const protocol::RoundTrip trip = round_trip(subject, version, version, input);
  if (!trip.decoded) return tl::unexpected(protocol::to_string(trip.decode_error));
  if (!trip.encoded) return tl::unexpected(protocol::to_string(trip.encode_error));
  return Generated{std::string(text_of(trip.bytes)), trip.json};
}

}  // namespace millrace::table
