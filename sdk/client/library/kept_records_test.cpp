#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "millrace/records.hpp"

namespace {

using namespace std::chrono_literals;
using millrace::v1::OwnedRecord;
using millrace::v1::Records;

TEST(KeptRecords, are_what_they_were_made_of) {
  const std::vector<OwnedRecord> owned = {
      {.topic = "orders",
       .partition = 3,
       .offset = 42,
       .timestamp = millrace::v1::Timestamp(1234ms),
       .key = "alice",
       .value = "",
       .headers = {{"trace", "1"}, {"empty", ""}, {"null", std::nullopt}}},
      {.topic = "bills", .offset = -7, .key = std::nullopt, .value = std::nullopt},
      {.topic = "bills", .headers = {{"large", std::string(3'000'000, 'x')}}}};
  Records records = Records::of(owned);
  const Records moved = std::move(records);
  ASSERT_EQ(moved.size(), owned.size());
  for (std::size_t index = 0; index < owned.size(); ++index)
    EXPECT_EQ(moved[index].to_owned(), owned[index]) << index;
  EXPECT_FALSE(moved[0].value().is_null());
  EXPECT_TRUE(moved[1].key().is_null());
}

TEST(KeptRecords, may_be_none) {
  const Records none = Records::of({});
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.begin(), none.end());
}

}  // namespace
