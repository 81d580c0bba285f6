// Also proves log_cleaner.cpp: what is too young is not cleaned, what is overdue is.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "cleaner_machine.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;
using namespace std::chrono_literals;

constexpr std::int64_t begin_ms = 1'000'000;

class CompactionLagTest : public testing::Test {
 protected:
  // Four records of one key in a closed segment of their own.
  void fill(std::int64_t time_ms) {
    for (int i = 0; i < 4; ++i) {
      machine.append({{.timestamp = time_ms, .key = "k", .value = "v" + std::to_string(made_++)}});
    }
    machine.settle();
  }
  void at(std::int64_t time_ms) {
    machine.machine.executor.manual_clock().set_wall(Timestamp(time_ms));
  }
  std::vector<std::int64_t> offsets() {
    std::vector<std::int64_t> all;
    for (const Item& item : machine.items()) all.push_back(item.offset);
    return all;
  }

  CleanerMachine machine{1};
  LogConfig& config = machine.machine.config;

 private:
  int made_ = 0;
};

TEST_F(CompactionLagTest, records_younger_than_the_least_stay) {
  config.compaction_lag_min = 1'000ms;
  machine.open();
  fill(begin_ms);
  fill(begin_ms + 600);
  at(begin_ms + 999);
  EXPECT_FALSE(machine.clean());
  at(begin_ms + 1'000);
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(offsets(), (std::vector<std::int64_t>{3, 4, 5, 6, 7}));
  EXPECT_EQ(machine.cleaner->cleaned_end(machine.log()), Offset(4));
  EXPECT_FALSE(machine.clean());
  at(begin_ms + 1'600);
  EXPECT_TRUE(machine.clean());
  EXPECT_EQ(offsets(), (std::vector<std::int64_t>{7}));
}

TEST_F(CompactionLagTest, one_young_record_holds_back_its_segment_and_what_follows) {
  config.compaction_lag_min = 1'000ms;
  machine.open();
  machine.append({{.timestamp = begin_ms + 5'000, .key = "k", .value = "young"}});
  fill(begin_ms);
  fill(begin_ms);
  at(begin_ms + 2'000);
  EXPECT_FALSE(machine.clean());
  EXPECT_EQ(offsets().size(), 9u);
}

TEST_F(CompactionLagTest, records_without_a_time_are_as_old_as_their_file) {
  config.compaction_lag_min = 1'000ms;
  machine.open();
  at(begin_ms);
  fill(-1);
  at(begin_ms + 999);
  EXPECT_FALSE(machine.clean());
  at(begin_ms + 100'000);
  EXPECT_TRUE(machine.clean());
}

TEST_F(CompactionLagTest, what_is_overdue_is_cleaned_however_little_it_is) {
  config.dirty_ratio_min = 0.9;
  config.compaction_lag_max = 1'000ms;
  machine.open();
  fill(begin_ms);
  at(begin_ms + 1'001);
  EXPECT_TRUE(machine.clean());
  for (int i = 0; i < 200; ++i) {
    machine.append({{.timestamp = begin_ms, .key = "k" + std::to_string(i), .value = "v"}});
  }
  machine.settle();
  EXPECT_TRUE(machine.clean());
  fill(begin_ms + 2'000);
  at(begin_ms + 3'000);
  EXPECT_FALSE(machine.clean()) << "little, and not overdue";
  at(begin_ms + 3'001);
  EXPECT_TRUE(machine.clean());
  EXPECT_FALSE(machine.clean());
}

TEST_F(CompactionLagTest, what_is_overdue_and_too_young_at_once_waits) {
  config.compaction_lag_min = 1'000ms;
  config.compaction_lag_max = 1'000ms;
  machine.open();
  machine.append({{.timestamp = begin_ms, .key = "k", .value = "old"}});
  fill(begin_ms + 5'000);
  at(begin_ms + 2'000);
  EXPECT_FALSE(machine.clean());
  at(begin_ms + 6'000);
  EXPECT_TRUE(machine.clean());
}

TEST_F(CompactionLagTest, is_known_after_a_start) {
  config.compaction_lag_min = 1'000ms;
  config.compaction_lag_max = 2'000ms;
  config.dirty_ratio_min = 1;
  machine.open();
  fill(begin_ms);
  machine.reopen();
  at(begin_ms + 500);
  EXPECT_FALSE(machine.clean());
  at(begin_ms + 2'000);
  EXPECT_FALSE(machine.clean());
  at(begin_ms + 2'001);
  EXPECT_TRUE(machine.clean());
}

}  // namespace
}  // namespace millrace::storage
