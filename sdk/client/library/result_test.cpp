#include "millrace/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

import millrace.protocol.api;

namespace {

using millrace::v1::Error;
using millrace::v1::ErrorCode;
using millrace::v1::Failed;
using millrace::v1::Origin;
using millrace::v1::Persisted;
template <class T>
using Result = millrace::v1::Result<T>;

Error sample() {
  return Error({.code = ErrorCode::not_enough_replicas,
                .origin = Origin::broker,
                .is_retriable = true,
                .persisted = Persisted::no,
                .broker = 2},
               "orders-3: NOT_ENOUGH_REPLICAS after 3 tries in 30.0 s; not persisted");
}

TEST(Error, prints_its_sentence) {
  std::ostringstream out;
  out << sample();
  EXPECT_EQ(out.str(), "orders-3: NOT_ENOUGH_REPLICAS after 3 tries in 30.0 s; not persisted");
}

TEST(Error, tells_programs_what_they_need_to_choose) {
  const Error error = sample();
  EXPECT_EQ(error.code(), ErrorCode::not_enough_replicas);
  EXPECT_EQ(error.origin(), Origin::broker);
  EXPECT_TRUE(error.is_retriable());
  EXPECT_FALSE(error.is_fatal());
  EXPECT_EQ(error.persisted(), Persisted::no);
  EXPECT_EQ(error.broker(), 2);
}

TEST(ErrorCode, has_the_name_that_kafka_gives_to_each_number) {
  for (int number = -1; number < 200; ++number) {
    const auto narrow = static_cast<std::int16_t>(number);
    EXPECT_EQ(name_of(static_cast<ErrorCode>(narrow)),
              millrace::protocol::name_of(millrace::protocol::error_code_from(narrow)))
        << number;
  }
  EXPECT_EQ(name_of(ErrorCode::not_leader_or_follower), "NOT_LEADER_OR_FOLLOWER");
  EXPECT_EQ(static_cast<int>(ErrorCode::not_enough_replicas),
            static_cast<int>(millrace::protocol::ErrorCode::not_enough_replicas));
}

TEST(Result, holds_a_value_or_an_error) {
  const Result<int> good = 7;
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 7);
  EXPECT_EQ(good.value_or(1), 7);

  const Result<int> bad = sample();
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().broker(), 2);
  EXPECT_EQ(bad.value_or(1), 1);
}

TEST(Result, gives_up_what_it_holds) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = *std::move(result);
  EXPECT_EQ(*taken, 5);
}

TEST(Result, can_be_gone_over_while_it_is_a_temporary) {
  const std::string name(100, 'n');  // on the heap
  const auto made = [&] { return Result<std::vector<std::string>>(std::vector{name}); };
  for (const std::string& each : made().value()) EXPECT_EQ(each, name);
  for (const std::string& each : *made()) EXPECT_EQ(each, name);
}

TEST(Result, throws_its_error_where_a_value_is_demanded) {
  const Result<int> bad = sample();
  try {
    static_cast<void>(bad.value());
    FAIL() << "value() of an error returned";
  } catch (const Failed& failed) {
    EXPECT_EQ(failed.error().code(), ErrorCode::not_enough_replicas);
    EXPECT_EQ(std::string(failed.what()), sample().message());
  }
}

TEST(Result, of_nothing_is_success_until_it_fails) {
  const Result<void> good;
  EXPECT_TRUE(good);
  EXPECT_NO_THROW(good.value());
  const Result<void> bad = sample();
  EXPECT_FALSE(bad);
  EXPECT_THROW(bad.value(), Failed);
}

}  // namespace
