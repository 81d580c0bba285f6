#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

import millrace.base;

namespace millrace {
namespace {

Result<int> half(int value) {
  if (value % 2 != 0) return failure(ErrorKind::invalid_argument, "odd");
  return value / 2;
}

// An error passes on as it is, to a result of another type.
Result<std::string> half_as_text(int value) {
  const Result<int> halved = half(value);
  if (!halved) return failure(halved.error());
  return std::to_string(*halved);
}

TEST(Result, holds_a_value_or_an_error) {
  const Result<int> good = half(4);
  ASSERT_TRUE(good.has_value());
  EXPECT_EQ(*good, 2);
  const Result<int> bad = half(3);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error(), (Error{ErrorKind::invalid_argument, "odd"}));
}

TEST(Result, an_error_passes_on_to_another_type) {
  EXPECT_EQ(half_as_text(8).value(), "4");
  EXPECT_EQ(half_as_text(5).error(), half(5).error());
}

TEST(Result, may_hold_nothing_but_success) {
  const auto run = [](bool good) -> Result<void> {
    if (!good) return failure(ErrorKind::io, "disk gone");
    return {};
  };
  EXPECT_TRUE(run(true).has_value());
  EXPECT_EQ(run(false).error().kind, ErrorKind::io);
}

TEST(Result, moves_what_cannot_be_copied) {
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(7); };
  Result<std::unique_ptr<int>> made = make();
  const std::unique_ptr<int> taken = std::move(made).value();
  EXPECT_EQ(*taken, 7);
}

TEST(Result, carries_an_error_type_of_its_own) {
  enum class Fault { cut_off };
  const auto decode = []() -> Result<int, Fault> { return failure(Fault::cut_off); };
  EXPECT_EQ(decode().error(), Fault::cut_off);
}

TEST(ErrorKind, every_kind_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::cancelled); ++kind) {
    const std::string_view name = name_of(static_cast<ErrorKind>(kind));
    EXPECT_NE(name, "unknown") << kind;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(name_of(static_cast<ErrorKind>(99)), "unknown");
}

TEST(Check, passes_when_the_invariant_holds) {
  check(true, "never seen");
}

TEST(CheckDeathTest, stops_the_process_with_place_and_reason) {
  EXPECT_DEATH(check(false, "high watermark went back"),
               "result_test.cpp:[0-9]+: invariant broken: high watermark went back");
}

}  // namespace
}  // namespace millrace
