// Holds the generated codec of a message against the table-driven one, over the same bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema.hpp"

namespace millrace::protocol {
struct GeneratedCodec;
}

namespace millrace::table {

// One message behind both codecs. Finds its generated half among `codecs`, which must outlive it.
struct Subject {
  const Message* message = nullptr;
  const protocol::GeneratedCodec* generated = nullptr;
};

// The subjects of all messages; a sentence when the two sides do not have the same messages and
// versions.
[[nodiscard]] tl::expected<std::vector<Subject>, std::string> pair_up(
    const std::vector<Message>& messages, const std::vector<protocol::GeneratedCodec>& codecs);

enum class CompareJson : bool { no, yes };

// What the two make of the input: nothing when both refuse it, or when both read the same number of
// bytes, write the same bytes again and, if asked, mean the same. Also holds the generated decoder
// to the memory that it may take for an input of this size. JSON has no infinite numbers: inputs
// that may hold some are compared without it.
[[nodiscard]] std::optional<std::string> disagreement(const Subject& subject, int version,
                                                      std::string_view input, CompareJson json);

// The same for an input that is written again in another version: both refuse to write it, or both
// write the same bytes.
[[nodiscard]] std::optional<std::string> disagreement_across(const Subject& subject,
                                                             int read_version, int write_version,
                                                             std::string_view input);

// What the generated codec makes of an input alone; a sentence when it refuses to read or write it.
struct Generated {
  std::string bytes;  // as it writes what it read
  std::string json;
};
[[nodiscard]] tl::expected<Generated, std::string> run_generated(const Subject& subject,
                                                                 int version,
                                                                 std::string_view input);

}  // namespace millrace::table
