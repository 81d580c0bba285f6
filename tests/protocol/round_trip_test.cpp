// The table-driven codec against itself, over random values of every message and version.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>

#include "random_value.hpp"
#include "support.hpp"
#include "table_codec.hpp"

namespace millrace::table {
namespace {

constexpr std::uint64_t seeds = 100;

TEST(TableCodec, reads_back_what_it_wrote) {
  for (const Message& message : project_messages()) {
    for (int version = message.versions.low; version <= message.versions.high; ++version) {
      for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        Random random(seed);
        const Value value = random_value(message, version, random, WithUnknownTags::yes);
        const auto encoded = encode(message, version, value);
        ASSERT_TRUE(encoded) << message.name << ' ' << version << " seed " << seed << ": "
                             << encoded.error().what;
        const auto decoded = decode(message, version, *encoded, UnknownTags::keep);
        ASSERT_TRUE(decoded) << message.name << ' ' << version << " seed " << seed << ": "
                             << decoded.error().what;
        EXPECT_EQ(decoded->consumed, encoded->size());
        ASSERT_EQ(decoded->value, value) << message.name << ' ' << version << " seed " << seed;
      }
    }
  }
}

TEST(SmallestValues, take_as_few_bytes_as_the_schema_says) {
  for (const Message& message : project_messages()) {
    for (int version = message.versions.low; version <= message.versions.high; ++version) {
      const auto encoded = encode(message, version, smallest_value(*message.top, version));
      ASSERT_TRUE(encoded) << message.name << ' ' << version << ": " << encoded.error().what;
      EXPECT_EQ(encoded->size(), message.top->smallest_bytes[static_cast<std::size_t>(version)])
          << message.name << ' ' << version;
    }
  }
}

TEST(RandomValues, have_defaults_nulls_empty_and_long_fields_and_tags) {
  const auto messages = project_messages();
  bool empty_list = false;
  bool long_list = false;
  bool null_list = false;
  bool unknown_tags = false;
  std::size_t largest = 0;
  for (const Message& message : messages) {
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
      Random random(seed);
      const int version = message.versions.high;
      const Value value = random_value(message, version, random, WithUnknownTags::yes);
      unknown_tags |= !value.fields()->unknown_tags.empty();
      for (std::size_t i = 0; i < message.top->fields.size(); ++i) {
        const Value& member = value.fields()->members[i];
        empty_list |= member.list() != nullptr && member.list()->empty();
        long_list |= member.list() != nullptr && member.list()->size() > 127;
        null_list |= message.top->fields[i].is_array && member.is_null();
      }
      const auto encoded = encode(message, version, value);
      ASSERT_TRUE(encoded);
      largest = std::max(largest, encoded->size());
    }
  }
  EXPECT_TRUE(empty_list && long_list && null_list && unknown_tags);
  EXPECT_GT(largest, 1000U);
  EXPECT_LT(largest, 64U * 1024);
}

TEST(RandomValues, are_the_same_for_the_same_seed) {
  const auto messages = project_messages();
  Random first(7);
  Random second(7);
  for (const Message& message : messages) {
    const int version = message.versions.high;
    EXPECT_EQ(random_value(message, version, first, WithUnknownTags::yes),
              random_value(message, version, second, WithUnknownTags::yes));
  }
}

}  // namespace
}  // namespace millrace::table
