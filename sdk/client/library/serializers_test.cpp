#include "millrace/serializers.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace millrace::v1;

template <class Serializer, class T>
std::string bytes_of(const Serializer& serializer, const T& value) {
  std::string buffer;
  serializer.serialize(value, buffer);
  return buffer;
}

template <class Serializer, class T>
void expect_round_trip(const Serializer& serializer, const T& value) {
  static_assert(SerializerOf<Serializer, T>);
  const auto back = serializer.deserialize(bytes_of(serializer, value));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, value);
}

TEST(Serializers, write_what_javas_write) {
  using namespace std::string_view_literals;
  EXPECT_EQ(bytes_of(int16(), std::int16_t{-2}), "\xff\xfe"sv);
  EXPECT_EQ(bytes_of(int32(), 1), "\0\0\0\1"sv);
  EXPECT_EQ(bytes_of(int64(), std::int64_t{258}), "\0\0\0\0\0\0\1\2"sv);
  EXPECT_EQ(bytes_of(float32(), 1.0F), "\x3f\x80\0\0"sv);
  EXPECT_EQ(bytes_of(float64(), -2.0), "\xc0\0\0\0\0\0\0\0"sv);
  EXPECT_EQ(bytes_of(text(), "h\xc3\xbc"), "h\xc3\xbc");
}

TEST(Serializers, give_back_what_they_were_given) {
  expect_round_trip(int16(), std::numeric_limits<std::int16_t>::min());
  expect_round_trip(int32(), std::numeric_limits<std::int32_t>::max());
  expect_round_trip(int64(), std::numeric_limits<std::int64_t>::min());
  expect_round_trip(float32(), 0.1F);
  expect_round_trip(float64(), std::numeric_limits<double>::infinity());
  expect_round_trip(text(), std::string());
  expect_round_trip(text(), std::string("a\0b", 3));
  expect_round_trip(bytes(), std::vector<std::byte>{std::byte{0}, std::byte{255}});
  expect_round_trip(uuid(), *uuid_from_string("2f3c8e86-5f3d-4f8a-9c33-0d4a3c1f7b10"));
}

TEST(Serializers, refuse_numbers_of_another_size) {
  const auto number = int32().deserialize("123");
  ASSERT_FALSE(number);
  EXPECT_EQ(number.error().message(),
            "a record's bytes cannot be read as a number of 4 bytes: there are 3");
  EXPECT_FALSE(int64().deserialize("123456789"));
  EXPECT_FALSE(int16().deserialize(""));
}

TEST(Serializers, refuse_null) {
  EXPECT_EQ(int16().deserialize(nullptr).error().message(),
            "a record's bytes cannot be read as a number of 2 bytes: there are none");
  EXPECT_FALSE(text().deserialize({}));
  EXPECT_FALSE(bytes().deserialize({}));
  EXPECT_FALSE(uuid().deserialize({}));
  EXPECT_TRUE(text().deserialize("")) << "empty is not null";
}

// What an application brings along: a number of cents and a currency of three letters.
struct Money {
  std::int64_t cents = 0;
  std::string currency;

  friend bool operator==(const Money&, const Money&) = default;
};

class MoneySerializer {
 public:
  void serialize(const Money& money, std::string& buffer) const {
    int64().serialize(money.cents, buffer);
    buffer += money.currency;
  }
  [[nodiscard]] Result<Money> deserialize(BytesView bytes) const {
    if (bytes.size() != 11) return cannot_deserialize("money", "it has not 11 bytes");
    const auto cents = int64().deserialize(bytes.text().substr(0, 8));
    if (!cents) return cents.error();
    return Money{.cents = *cents, .currency = std::string(bytes.text().substr(8))};
  }
};

// Each lacks something of a serializer.
struct OnlyWrites {
  void serialize(const Money& money, std::string& buffer) const;
};
struct ReadsWithoutResult {
  void serialize(const Money& money, std::string& buffer) const;
  [[nodiscard]] Money deserialize(BytesView bytes) const;
};
struct Changes {
  void serialize(const Money& money, std::string& buffer);
  [[nodiscard]] Result<Money> deserialize(BytesView bytes);
};

TEST(Serializers, of_the_application_are_as_good_as_ours) {
  expect_round_trip(MoneySerializer(), Money{.cents = -1, .currency = "EUR"});
  EXPECT_EQ(bytes_of(MoneySerializer(), Money{.cents = 258, .currency = "EUR"}),
            std::string_view("\0\0\0\0\0\0\1\2EUR", 11));
  EXPECT_EQ(MoneySerializer().deserialize(nullptr).error().message(),
            "a record's bytes cannot be read as money: it has not 11 bytes");
}

TEST(Serializers, are_only_what_reads_and_writes_and_does_not_change) {
  static_assert(!SerializerOf<MoneySerializer, std::int64_t>);
  static_assert(!SerializerOf<OnlyWrites, Money>);
  static_assert(!SerializerOf<ReadsWithoutResult, Money>);
  static_assert(!SerializerOf<Changes, Money>);
}

TEST(Uuid, is_written_in_lower_case_and_read_in_any) {
  const auto uuid = uuid_from_string("2F3C8E86-5f3d-4f8a-9c33-0d4a3c1f7b10");
  ASSERT_TRUE(uuid);
  EXPECT_EQ(to_string(*uuid), "2f3c8e86-5f3d-4f8a-9c33-0d4a3c1f7b10");
}

TEST(Uuid, that_is_malformed_is_none) {
  for (const std::string_view text :
       {"", "2f3c8e865f3d4f8a9c330d4a3c1f7b10", "2f3c8e86-5f3d-4f8a-9c33-0d4a3c1f7b1",
        "2f3c8e86-5f3d-4f8a-9c33-0d4a3c1f7b1g", "2f3c8e86x5f3d-4f8a-9c33-0d4a3c1f7b10",
        "2f3c8e86-5f3d-4f8a-9c33-0d4a3c1f7b100"})
    EXPECT_FALSE(uuid_from_string(text)) << text;
}

}  // namespace
