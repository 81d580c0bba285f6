#include "log_machine.hpp"

namespace millrace::storage {
namespace {

protocol::BatchHeader header_of(const std::vector<std::byte>& batch) {
  return protocol::read_batch_header(batch).value();
}

std::vector<std::byte> batch_at(std::int64_t offset, std::size_t value_bytes) {
  return encode({.values = {std::string(value_bytes, 'v')}, .base_offset = Offset(offset)});
}

void add(Tail& tail, const std::vector<std::byte>& batch) {
  tail.add(header_of(batch), batch);
}

constexpr Offset no_limit{1'000'000};

TEST(Tail, gives_the_batches_from_the_one_that_holds_the_offset) {
  TailMemory memory;
  Tail tail(&memory);
  const auto first = batch_at(10, 100);
  const auto second = batch_at(11, 100);
  const auto third = batch_at(12, 100);
  for (const auto* batch : {&first, &second, &third}) add(tail, *batch);
  const auto all = tail.find(Offset(10), no_limit, 10'000);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->base_offset, Offset(10));
  EXPECT_EQ(all->bytes.size(), first.size() + second.size() + third.size());
  const auto two = tail.find(Offset(11), no_limit, 10'000);
  ASSERT_TRUE(two);
  EXPECT_EQ(two->base_offset, Offset(11));
  EXPECT_EQ(two->bytes.size(), second.size() + third.size());
}

TEST(Tail, gives_no_more_than_was_asked_for_but_at_least_one_batch) {
  TailMemory memory;
  Tail tail(&memory);
  const auto first = batch_at(0, 100);
  const auto second = batch_at(1, 100);
  add(tail, first);
  add(tail, second);
  EXPECT_EQ(tail.find(Offset(0), no_limit, 1)->bytes.size(), first.size());
  EXPECT_EQ(tail.find(Offset(0), no_limit, first.size() + second.size() - 1)->bytes.size(),
            first.size());
  EXPECT_EQ(tail.find(Offset(0), Offset(1), 10'000)->bytes.size(), first.size());
  EXPECT_FALSE(tail.find(Offset(1), Offset(1), 10'000));
}

TEST(Tail, knows_what_it_does_not_hold) {
  TailMemory memory;
  Tail tail(&memory);
  EXPECT_FALSE(tail.find(Offset(0), no_limit, 100));
  add(tail, batch_at(10, 100));
  EXPECT_FALSE(tail.find(Offset(9), no_limit, 100));
  EXPECT_FALSE(tail.find(Offset(11), no_limit, 100));
}

TEST(Tail, a_large_batch_leaves_no_gap_behind_it) {
  TailMemory memory;
  Tail tail(&memory);
  add(tail, batch_at(0, 100));
  add(tail, batch_at(1, tail_batch_bytes_max));
  EXPECT_FALSE(tail.find(Offset(0), no_limit, 100));
  add(tail, batch_at(2, 100));
  EXPECT_FALSE(tail.find(Offset(0), no_limit, 100));
  EXPECT_TRUE(tail.find(Offset(2), no_limit, 100));
}

TEST(Tail, what_was_given_stays_when_the_tail_moves_on) {
  TailMemory memory;
  Tail tail(&memory);
  const auto first = batch_at(0, 1'000);
  add(tail, first);
  const auto given = tail.find(Offset(0), no_limit, 10'000);
  ASSERT_TRUE(given);
  for (int i = 1; i < 500; ++i) add(tail, batch_at(i, 1'000));
  EXPECT_FALSE(tail.find(Offset(0), no_limit, 100));
  EXPECT_TRUE(std::equal(given->bytes.begin(), given->bytes.end(), first.begin(), first.end()));
  EXPECT_EQ(memory.bytes(), 2 * tail_chunk_bytes);
}

TEST(Tail, the_one_that_was_idle_for_longest_gives_way) {
  TailMemory memory(2 * tail_chunk_bytes);
  Tail first(&memory);
  Tail second(&memory);
  Tail third(&memory);
  add(first, batch_at(0, 100));
  add(second, batch_at(0, 100));
  add(first, batch_at(1, 100));
  add(third, batch_at(0, 100));
  EXPECT_TRUE(first.find(Offset(0), no_limit, 100));
  EXPECT_FALSE(second.find(Offset(0), no_limit, 100));
  EXPECT_TRUE(third.find(Offset(0), no_limit, 100));
  EXPECT_EQ(memory.bytes(), 2 * tail_chunk_bytes);
}

TEST(Tail, readers_at_the_end_of_the_log_are_served_from_memory_and_get_the_same) {
  LogMachine machine(1);
  machine.process->context.tails = &machine.process->tails;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(machine.append({{"value " + std::to_string(i)}}));
  const auto slice = machine.wait(machine.log->read({Offset(15), Offset(20), 10'000, true}));
  ASSERT_TRUE(slice);
  EXPECT_TRUE(slice->in_memory());
  EXPECT_EQ(slice->base_offset, Offset(15));
  EXPECT_EQ(machine.records().size(), 20u);
  EXPECT_EQ(machine.records().back().value, "value 19");
  ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(10))));
  ASSERT_TRUE(machine.append({{"other"}}));
  EXPECT_EQ(machine.records().back().value, "other");
  ASSERT_TRUE(machine.close());
}

}  // namespace
}  // namespace millrace::storage
