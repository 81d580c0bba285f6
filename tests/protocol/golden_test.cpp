// The table-driven codec against what Kafka's own classes wrote.
#include <gtest/gtest.h>

#include <set>

#include "byte_difference.hpp"
#include "json.hpp"
#include "support.hpp"
#include "table_codec.hpp"

namespace millrace::table {
namespace {

TEST(GoldenMessages, cover_every_version_of_every_message) {
  for (const Message& message : project_messages()) {
    std::set<int> found;
    for (const GoldenLine& line : golden_lines(message)) found.insert(line.version);
    std::set<int> wanted;
    for (int version = message.versions.low; version <= message.versions.high; ++version) {
      wanted.insert(version);
    }
    EXPECT_EQ(found, wanted) << message.name;
  }
}

TEST(GoldenMessages, are_read_as_kafka_means_them) {
  for (const Message& message : project_messages()) {
    for (const GoldenLine& line : golden_lines(message)) {
      const auto decoded = decode(message, line.version, line.bytes, UnknownTags::keep);
      const auto json = parse_json(line.json);
      if (!decoded || !json) {
        ADD_FAILURE() << line.place << ": " << (json ? decoded.error().what : json.error());
        continue;
      }
      EXPECT_EQ(decoded->consumed, line.bytes.size()) << line.place;
      const Json found = to_json(message, line.version, decoded->value);
      EXPECT_EQ(first_difference(*json, found).value_or(""), "") << line.place;
    }
  }
}

TEST(GoldenMessages, are_written_to_the_same_bytes) {
  for (const Message& message : project_messages()) {
    for (const GoldenLine& line : golden_lines(message)) {
      const auto decoded = decode(message, line.version, line.bytes, UnknownTags::keep);
      ASSERT_TRUE(decoded) << line.place << ": " << decoded.error().what;
      const auto encoded = encode(message, line.version, decoded->value);
      ASSERT_TRUE(encoded) << line.place << ": " << encoded.error().what;
      EXPECT_EQ(byte_difference(line.bytes, *encoded).value_or(""), "") << line.place;
    }
  }
}

TEST(GoldenMessages, have_the_defaults_of_the_schema) {
  for (const Message& message : project_messages()) {
    for (const GoldenLine& line : golden_lines(message)) {
      if (line.label != "default") continue;
      const auto encoded = encode(message, line.version, message.top->default_value);
      ASSERT_TRUE(encoded) << line.place << ": " << encoded.error().what;
      EXPECT_EQ(byte_difference(line.bytes, *encoded).value_or(""), "") << line.place;
    }
  }
}

}  // namespace
}  // namespace millrace::table
