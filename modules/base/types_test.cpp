#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <unordered_set>

import millrace.base;

namespace millrace {
namespace {

static_assert(sizeof(Offset) == sizeof(std::int64_t));
static_assert(sizeof(ProducerEpoch) == sizeof(std::int16_t));
static_assert(std::is_trivially_copyable_v<Offset>);
static_assert(!std::convertible_to<std::int64_t, Offset>, "an integer is not an offset by itself");
static_assert(!std::convertible_to<Offset, std::int64_t>);
static_assert(!std::equality_comparable_with<Offset, Timestamp>, "an offset is not a timestamp");

TEST(StrongType, counts_and_compares) {
  constexpr Offset first{10};
  EXPECT_EQ(first.next(), Offset{11});
  EXPECT_EQ(first.plus(5), Offset{15});
  EXPECT_EQ(Offset{15}.since(first), 5);
  EXPECT_LT(first, first.next());
  EXPECT_EQ(Offset{}, Offset{0});
  EXPECT_LT(no_offset, Offset{});
}

TEST(StrongType, is_a_key_in_hashed_containers) {
  const std::unordered_set<BrokerId> brokers = {BrokerId{1}, BrokerId{2}, BrokerId{1}};
  EXPECT_EQ(brokers.size(), 2u);
  EXPECT_TRUE(brokers.contains(BrokerId{2}));
}

Uuid uuid_of(std::initializer_list<int> values) {
  Uuid uuid;
  std::size_t position = 0;
  for (const int value : values) uuid.bytes.at(position++) = static_cast<std::byte>(value);
  return uuid;
}

TEST(Uuid, is_written_as_kafka_writes_it) {
  EXPECT_EQ(to_string(Uuid{}), "AAAAAAAAAAAAAAAAAAAAAA");
  // Kafka's reserved id of its metadata topic: zeros and a one.
  EXPECT_EQ(to_string(uuid_of({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})),
            "AAAAAAAAAAAAAAAAAAAAAQ");
  EXPECT_EQ(to_string(uuid_of(
                {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})),
            "_____________________w");
}

TEST(Uuid, knows_zero) {
  EXPECT_TRUE(Uuid{}.is_zero());
  EXPECT_FALSE(uuid_of({0, 1}).is_zero());
  EXPECT_LT(Uuid{}, uuid_of({0, 1}));
}

RC_GTEST_PROP(Uuid, comes_back_from_its_text, (std::array<std::uint8_t, 16> values)) {
  Uuid uuid;
  for (std::size_t i = 0; i < values.size(); ++i) uuid.bytes[i] = static_cast<std::byte>(values[i]);
  const Result<Uuid> read = uuid_from_string(to_string(uuid));
  RC_ASSERT(read.has_value());
  RC_ASSERT(*read == uuid);
}

RC_GTEST_PROP(Uuid, text_that_is_read_is_written_the_same, (std::string text)) {
  const Result<Uuid> read = uuid_from_string(text);
  if (read.has_value()) RC_ASSERT(to_string(*read) == text);
}

TEST(Uuid, refuses_text_of_another_length) {
  for (const char* text :
       {"", "A", "AAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA=="}) {
    const Result<Uuid> read = uuid_from_string(text);
    ASSERT_FALSE(read.has_value()) << text;
    EXPECT_EQ(read.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(read.error().message.find("22 characters"), std::string::npos);
  }
}

TEST(Uuid, refuses_characters_outside_the_alphabet) {
  const std::string good = "AAAAAAAAAAAAAAAAAAAAAA";
  for (const char wrong : {'+', '/', '=', ' ', '\0', '\n', '\x80'}) {
    for (std::size_t place = 0; place < good.size(); ++place) {
      std::string text = good;
      text[place] = wrong;
      EXPECT_FALSE(uuid_from_string(text).has_value()) << place;
    }
  }
}

TEST(Uuid, refuses_a_second_spelling_of_the_same_bytes) {
  for (const char last : {'B', 'P', 'R', 'f', 'h', 'x', '_'}) {
    const Result<Uuid> read = uuid_from_string(std::string("AAAAAAAAAAAAAAAAAAAAA") + last);
    ASSERT_FALSE(read.has_value()) << last;
    EXPECT_NE(read.error().message.find("last character"), std::string::npos);
  }
}

}  // namespace
}  // namespace millrace
