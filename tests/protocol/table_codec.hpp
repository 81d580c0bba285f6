// Encodes and decodes any message in any version by walking its schema: the second implementation
// of Kafka's wire format, written for clearness, against which the generated one is held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "schema.hpp"
#include "value.hpp"

namespace millrace::table {

// Why bytes are not a message, or a value cannot be written.
struct Failure {
  std::string what;
  std::size_t position = 0;  // in the bytes; 0 when encoding
};

enum class UnknownTags : std::uint8_t { keep, skip };

struct Decoded {
  Value value;
  std::size_t consumed = 0;  // what lies behind is the caller's business
};

[[nodiscard]] tl::expected<Decoded, Failure> decode(const Message& message, int version,
                                                    std::string_view bytes, UnknownTags unknown);

[[nodiscard]] tl::expected<std::string, Failure> encode(const Message& message, int version,
                                                        const Value& value);

}  // namespace millrace::table
