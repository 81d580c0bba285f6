// The power is cut at every step of a cleaning that changes the disk. Then the log opens, and each
// of its segments has its old records or its new ones.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "cleaner_machine.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;

// A log of small segments, cleaned once in part, so that the next pass has clean segments, dirty
// ones, tombstones of both kinds, transactions and a producer that goes on.
void build(CleanerMachine& machine, std::uint64_t seed) {
  Random random(seed);
  machine.machine.config.segment_bytes = 300 + random.below(900);
  if (random.chance(0.3)) machine.options.dedupe_buffer_bytes = 24 * (4 + random.below(6));
  machine.open();
  std::int32_t sequence = 0;
  for (int i = 0; i < 40; ++i) {
    std::vector<Item> items(1 + random.below(3));
    for (Item& item : items) {
      item.timestamp = 1000 + i;
      item.key = "k" + std::to_string(random.below(6));
      if (!random.chance(0.3)) item.value = "v" + std::to_string(i);
    }
    BatchOptions options;
    options.compression = CompressionOptions(static_cast<Codec>(random.below(5)));
    const auto count = static_cast<std::int32_t>(items.size());
    const bool transactional = random.chance(0.2);
    if (transactional) {
      options.producer = {ProducerId(7), ProducerEpoch(0), Sequence(0)};
      options.transactional = true;
    } else if (random.chance(0.3)) {
      options.producer = {ProducerId(3), ProducerEpoch(0), Sequence(sequence)};
      sequence += count;
    }
    machine.append(std::move(items), options);
    if (transactional) {
      const auto type = random.chance(0.5) ? ControlRecordType::abort : ControlRecordType::commit;
      machine.replicate(
          machine.made.end_transaction(ProducerId(7), ProducerEpoch(0), type, Timestamp(1000 + i)));
    }
    if (i == 20) {
      machine.settle();
      EXPECT_TRUE(machine.clean());
      machine.machine.executor.advance(std::chrono::milliseconds(500));
    }
  }
  machine.settle();
  machine.machine.executor.advance(std::chrono::milliseconds(700));
}

struct Known {
  std::int64_t end = 0;
  LastValues values;
  std::map<std::int64_t, Item> old_items;
  std::set<std::int64_t> new_offsets;
  std::vector<std::int64_t> bases;  // of the segments before
};

std::map<std::int64_t, Item> by_offset(const std::vector<Item>& items) {
  std::map<std::int64_t, Item> found;
  for (const Item& item : items) found.emplace(item.offset, item);
  return found;
}

// Each segment has what it had, or what the cleaning leaves of it.
void expect_old_or_new(const Known& known, const std::map<std::int64_t, Item>& found) {
  for (const auto& [offset, item] : found) {
    const auto old = known.old_items.find(offset);
    ASSERT_NE(old, known.old_items.end()) << offset;
    ASSERT_EQ(item, old->second);
  }
  for (std::size_t i = 0; i < known.bases.size(); ++i) {
    const std::int64_t from = known.bases[i];
    const std::int64_t to = i + 1 < known.bases.size() ? known.bases[i + 1] : known.end;
    std::set<std::int64_t> now;
    std::set<std::int64_t> before;
    std::set<std::int64_t> after;
    for (std::int64_t offset = from; offset < to; ++offset) {
      if (found.contains(offset)) now.insert(offset);
      if (known.old_items.contains(offset)) before.insert(offset);
      if (known.new_offsets.contains(offset)) after.insert(offset);
    }
    ASSERT_TRUE(now == before || now == after) << "the segment at " << from;
  }
}

// True if the cut took place before the cleaning had ended.
bool cut_at(std::uint64_t seed, std::uint64_t step, const Known& known) {
  CleanerMachine machine(seed);
  build(machine, seed);
  const std::uint64_t cuts = machine.machine.disk.power_cuts();
  machine.machine.disk.cut_power_at(machine.machine.disk.steps() + step, seed * 1000 + step);
  const bool cleaned = machine.clean();
  if (machine.machine.disk.power_cuts() == cuts) {
    EXPECT_TRUE(cleaned);
    return false;
  }
  machine.part_now();
  machine.machine.end_of_process();
  machine.open();
  EXPECT_EQ(machine.log().end(), Offset(known.end));
  EXPECT_EQ(machine.last_values(), known.values);
  expect_old_or_new(known, by_offset(machine.items()));
  EXPECT_EQ(machine.files_with(".cleaned") + machine.files_with(".swap"), 0u);
  const auto* producer = machine.log().producers().find(ProducerId(3));
  const auto* made = machine.made.producers().find(ProducerId(3));
  EXPECT_EQ(producer == nullptr, made == nullptr);
  if (producer != nullptr && made != nullptr) {
    EXPECT_EQ(producer->last_batch()->last_sequence, made->last_batch()->last_sequence);
  }
  // The next passes end it as if nothing had happened.
  while (machine.clean()) {
    EXPECT_EQ(machine.last_values(), known.values);
  }
  EXPECT_EQ(machine.cleaner->counters().failed_passes, 0u);
  machine.reopen();
  EXPECT_EQ(machine.last_values(), known.values);
  return true;
}

TEST(CleanerCrash, at_every_step_the_log_has_its_old_segments_or_its_new_ones) {
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    Known known;
    {
      CleanerMachine machine(seed);
      build(machine, seed);
      known.end = machine.log().end().value();
      known.values = machine.last_values();
      known.old_items = by_offset(machine.items());
      for (const auto& segment : machine.log().segments()) {
        known.bases.push_back(segment->base().value());
      }
      ASSERT_TRUE(machine.clean());
      for (const Item& item : machine.items()) known.new_offsets.insert(item.offset);
      ASSERT_EQ(machine.last_values(), known.values);
    }
    for (std::uint64_t step = 1;; step += MILLRACE_SLOWNESS) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(step));
      if (!cut_at(seed, step, known)) break;
      ++cuts;
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(cuts, 300u / MILLRACE_SLOWNESS);
}

}  // namespace
}  // namespace millrace::storage
