#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_store.hpp"

namespace millrace::raft {
namespace {

using storage::StorageFault;

constexpr std::string_view first_segment = "0000000000000000001.raftlog";

class RaftRecovery : public testing::Test {
 protected:
  RaftRecovery() {
    EXPECT_TRUE(machine.format());
    machine.open_well();
  }
  void write_entries(int from, int to) {
    for (int i = from; i <= to; ++i) machine.persist_well(write_of({entry(i, 1)}, state_of(1)));
  }
  [[nodiscard]] StorageFault fault_at_open() {
    machine.start();
    const auto opened = machine.open();
    EXPECT_FALSE(opened);
    return opened ? StorageFault::limit : opened.error().fault;
  }

  StoreMachine machine;
};

TEST_F(RaftRecovery, directory_without_a_log_is_told) {
  StoreMachine empty;
  EXPECT_EQ(empty.open().error().fault, StorageFault::not_found);
}

TEST_F(RaftRecovery, every_flipped_bit_of_a_closed_segment_is_noticed) {
  write_entries(1, 12);
  ASSERT_GT(machine.log->segments(), 1u);
  const std::size_t bits = machine.contents(first_segment).size() * 8;
  for (std::size_t bit = 0; bit < bits; ++bit) {
    machine.start();
    machine.flip(first_segment, bit);
    const auto opened = machine.open();
    ASSERT_FALSE(opened) << bit;
    EXPECT_NE(opened.error().message.find(first_segment), std::string::npos);
    machine.flip(first_segment, bit);
  }
  EXPECT_EQ(machine.reopen().entries.size(), 12u);
}

TEST_F(RaftRecovery, every_flipped_bit_of_the_newest_segment_below_its_last_write_is_noticed) {
  write_entries(1, 2);
  const std::size_t before = machine.contents(first_segment).size();
  write_entries(3, 3);
  for (std::size_t bit = 0; bit < before * 8; ++bit) {
    machine.flip(first_segment, bit);
    machine.start();
    ASSERT_FALSE(machine.open()) << bit;
    machine.flip(first_segment, bit);
  }
}

TEST_F(RaftRecovery, every_flipped_bit_of_the_only_snapshot_is_noticed) {
  write_entries(1, 30);
  const auto meta = meta_of(30, 1, "the state");
  ASSERT_TRUE(machine.save(meta, "the state"));
  ASSERT_TRUE(machine.run(machine.log->compact_through(LogIndex(30))));
  const std::string name = snapshot_name(meta.last);
  const std::size_t bits = machine.contents(name).size() * 8;
  for (std::size_t bit = 0; bit < bits; ++bit) {
    machine.flip(name, bit);
    machine.start();
    ASSERT_FALSE(machine.open()) << bit;
    machine.flip(name, bit);
  }
}

TEST_F(RaftRecovery, damaged_snapshot_is_done_without_where_the_log_covers_it) {
  write_entries(1, 30);
  const auto meta = meta_of(20, 1, "the state");
  ASSERT_TRUE(machine.save(meta, "the state"));
  machine.flip(snapshot_name(meta.last), 500);
  const auto recovered = machine.reopen();
  EXPECT_EQ(recovered.snapshot.last.index, LogIndex(0));
  EXPECT_EQ(recovered.entries.size(), 30u);
  EXPECT_FALSE(machine.log->notes().empty());
  EXPECT_EQ(machine.contents(snapshot_name(meta.last)), "");
}

TEST_F(RaftRecovery, damage_after_the_start_is_met_when_a_snapshot_is_read) {
  write_entries(1, 1);
  const auto meta = meta_of(1, 1, "the state");
  ASSERT_TRUE(machine.save(meta, "the state"));
  const std::size_t state_at = machine.contents(snapshot_name(meta.last)).find("the state");
  machine.flip(snapshot_name(meta.last), state_at * 8);
  const auto part = machine.run(machine.log->read_snapshot(meta, 0, 3));
  EXPECT_EQ(part.error().fault, StorageFault::corrupt);
}

TEST_F(RaftRecovery, log_that_ends_below_its_snapshot_goes_on_above_it) {
  write_entries(1, 3);
  const auto meta = meta_of(50, 1, "state");
  ASSERT_TRUE(machine.save(meta, "state"));
  EXPECT_TRUE(machine.reopen().entries.empty());
  machine.persist_well(write_of({entry(51, 1)}));
  EXPECT_EQ(machine.reopen().entries, std::vector{entry(51, 1)});
}

TEST_F(RaftRecovery, missing_segment_is_corruption) {
  write_entries(1, 40);
  ASSERT_GT(machine.log->segments(), 3u);
  const auto remove = [&](const char* name) {
    const auto path = storage::path_in(store_directory, name);
    EXPECT_TRUE(machine.run(storage::remove_file_if_there(machine.files(), path)));
  };
  remove("0000000000000000001.raftlog");
  EXPECT_EQ(fault_at_open(), StorageFault::corrupt);
  remove("0000000000000000003.raftlog");
  EXPECT_EQ(fault_at_open(), StorageFault::corrupt);
}

TEST_F(RaftRecovery, interrupted_format_is_done_again) {
  for (std::uint64_t step = 1; step < 20; ++step) {
    StoreMachine fresh(step);
    fresh.disk.cut_power_at(fresh.disk.steps() + step, step);
    const auto done = fresh.format();
    fresh.disk.cut_power_at(0, 0);
    fresh.start();
    const auto again = fresh.format();
    if (again) EXPECT_FALSE(done);
    if (!again) EXPECT_EQ(again.error().fault, StorageFault::already_exists);
    EXPECT_EQ(fresh.open_well().snapshot, meta_of(0, 0, ""));
  }
}

TEST_F(RaftRecovery, written_again_what_a_failed_sync_may_have_given_up) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    StoreMachine failing(seed);
    ASSERT_TRUE(failing.format());
    failing.open_well();
    failing.disk.faults().plan({.kind = IoKind::sync_data});
    ASSERT_FALSE(failing.persist(write_of({entry(1, 1)}, state_of(1))));
    failing.disk.faults().clear();
    const auto found = failing.reopen().entries;
    failing.disk.power_cut(seed);
    EXPECT_EQ(failing.reopen().entries, found) << seed;
  }
}

}  // namespace
}  // namespace millrace::raft
