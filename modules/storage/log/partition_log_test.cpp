// Also proves keeper.cppm, log.cppm.
#include "log_machine.hpp"

namespace millrace::storage {
namespace {

TEST(Log, gives_back_what_was_appended) {
  LogMachine machine(1);
  ASSERT_TRUE(machine.open());
  const auto first = machine.append({{"a", "b"}});
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->base_offset, Offset(0));
  EXPECT_EQ(first->last_offset, Offset(1));
  const auto second = machine.append({{"c"}});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->base_offset, Offset(2));
  EXPECT_EQ(machine.log->end(), Offset(3));
  EXPECT_EQ(values_of(machine.records()), (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_TRUE(machine.close());
}

TEST(Log, is_the_same_after_a_clean_stop) {
  LogMachine machine(2);
  machine.config.segment_bytes = 500;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(machine.append({{"value " + std::to_string(i)}, Timestamp(1'000 + i)}));
  }
  const auto before = machine.records();
  EXPECT_EQ(before.size(), 50u);
  EXPECT_GT(machine.log->segments().size(), 3u);
  machine.reopen();
  EXPECT_EQ(machine.log->end(), Offset(50));
  EXPECT_EQ(machine.log->recovery().scanned_bytes, 0u);
  EXPECT_EQ(machine.records(), before);
  ASSERT_TRUE(machine.append({{"more"}}));
  EXPECT_EQ(machine.records().size(), 51u);
  ASSERT_TRUE(machine.close());
}

Task<void> append_one(Log& log, std::vector<std::byte>& bytes, std::vector<AppendResult>& results) {
  LeaderAppend append;
  append.batch = bytes;
  append.epoch = LeaderEpoch(0);
  results.push_back(co_await log.append(append));
}

TEST(Log, what_is_appended_in_one_turn_is_written_at_once) {
  LogMachine machine(3);
  ASSERT_TRUE(machine.open());
  ASSERT_TRUE(machine.append({{"first"}}));
  std::vector<std::vector<std::byte>> batches(20, encode({{"x"}}));
  std::vector<AppendResult> results;
  std::uint64_t writes = 0;
  machine.disk.before_step = [&](const SimulatedStep& step) {
    if (step.kind == IoKind::write) ++writes;
  };
  TaskGroup group;
  for (auto& batch : batches) group.start(append_one(*machine.log, batch, results));
  machine.executor.run_until_idle();
  machine.disk.before_step = nullptr;
  EXPECT_EQ(writes, 1u);
  ASSERT_EQ(results.size(), 20u);
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_TRUE(results[i]);
    EXPECT_EQ(results[i]->base_offset, Offset(static_cast<std::int64_t>(i) + 1));
  }
  EXPECT_EQ(machine.records().size(), 21u);
  ASSERT_TRUE(machine.close());
}

TEST(Log, recovers_after_a_power_cut_what_was_flushed) {
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    LogMachine machine(seed);
    machine.config.segment_bytes = 700;
    ASSERT_TRUE(machine.open());
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(machine.append({{"value " + std::to_string(i)}}));
    ASSERT_TRUE(machine.wait(machine.log->flush()));
    for (int i = 30; i < 60; ++i) ASSERT_TRUE(machine.append({{"value " + std::to_string(i)}}));
    const auto before = machine.records();
    machine.power_cut(seed);
    const auto opened = machine.open();
    ASSERT_TRUE(opened) << opened.error().message;
    const auto after = machine.records();
    ASSERT_GE(after.size(), 30u) << machine.disk.dump();
    ASSERT_EQ(after, std::vector(before.begin(), before.begin() + std::ssize(after))) << seed;
    ASSERT_TRUE(machine.append({{"more"}}));
    EXPECT_EQ(machine.records().size(), after.size() + 1);
    ASSERT_TRUE(machine.close());
  }
}

TEST(Log, truncates_to_an_offset_and_goes_on_from_there) {
  LogMachine machine(4);
  machine.config.segment_bytes = 500;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(machine.append({{std::to_string(i)}}));
  ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(13))));
  EXPECT_EQ(machine.log->end(), Offset(13));
  const auto left = machine.records();
  ASSERT_EQ(left.size(), 13u);
  EXPECT_EQ(left.back().value, "12");
  ASSERT_TRUE(machine.append({{"new 13"}}));
  machine.reopen();
  EXPECT_EQ(machine.records().back().value, "new 13");
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
