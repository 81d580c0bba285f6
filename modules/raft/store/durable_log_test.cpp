// Also proves store.cppm.
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

class RaftStore : public testing::Test {
 protected:
  RaftStore() {
    const auto formatted = machine.format();
    EXPECT_TRUE(formatted) << formatted.error().message;
    machine.open_well();
  }

  StoreMachine machine;
};

TEST_F(RaftStore, keeps_what_was_written) {
  machine.persist_well(write_of({entry(1, 1), entry(2, 1)}, state_of(1)));
  machine.persist_well(write_of({entry(3, 1, "")}));
  const auto recovered = machine.reopen();
  EXPECT_EQ(recovered.hard_state, state_of(1));
  EXPECT_EQ(recovered.entries, (std::vector{entry(1, 1), entry(2, 1), entry(3, 1, "")}));
  EXPECT_EQ(recovered.snapshot, meta_of(0, 0, ""));
}

TEST_F(RaftStore, later_entry_takes_the_place_of_the_tail) {
  machine.persist_well(write_of({entry(1, 1), entry(2, 1), entry(3, 1)}, state_of(1)));
  machine.persist_well(write_of({entry(2, 2, "new")}, state_of(2)));
  EXPECT_EQ(machine.reopen().entries, (std::vector{entry(1, 1), entry(2, 2, "new")}));
}

TEST_F(RaftStore, rolls_and_compacts) {
  for (int i = 1; i <= 40; ++i) machine.persist_well(write_of({entry(i, 1)}, state_of(1)));
  const std::size_t before = machine.log->segments();
  EXPECT_GT(before, 5u);
  ASSERT_TRUE(machine.save(meta_of(30, 1, "the state"), "the state"));
  ASSERT_TRUE(machine.run(machine.log->compact_through(LogIndex(25))));
  EXPECT_LT(machine.log->segments(), before);
  const auto recovered = machine.reopen();
  EXPECT_EQ(recovered.snapshot, meta_of(30, 1, "the state"));
  ASSERT_EQ(recovered.entries.size(), 10u);
  EXPECT_EQ(recovered.entries.front(), entry(31, 1));
  EXPECT_EQ(recovered.hard_state, state_of(1));
}

TEST_F(RaftStore, installs_a_snapshot_that_the_log_does_not_reach) {
  machine.persist_well(write_of({entry(1, 1)}, state_of(1)));
  const auto meta = meta_of(50, 3, "state");
  ASSERT_TRUE(machine.receive(meta, "state"));
  Write write = write_of({entry(51, 3)}, state_of(3));
  write.install = meta;
  machine.persist_well(write);
  const auto recovered = machine.reopen();
  EXPECT_EQ(recovered.snapshot, meta);
  EXPECT_EQ(recovered.hard_state, state_of(3));
  EXPECT_EQ(recovered.entries, std::vector{entry(51, 3)});
}

TEST_F(RaftStore, snapshot_is_read_in_pieces) {
  const std::string state(3 * snapshot_block_bytes + 17, 's');
  machine.persist_well(write_of({entry(1, 1)}, state_of(1)));
  const auto meta = meta_of(1, 1, state);
  ASSERT_TRUE(machine.save(meta, state, 10'000));
  const auto part = machine.run(machine.log->read_snapshot(meta, 65'000, 70'000));
  ASSERT_TRUE(part) << part.error().message;
  EXPECT_EQ(as_text(*part), std::string_view(state).substr(65'000, 70'000));
  const auto other = machine.run(machine.log->read_snapshot(meta_of(2, 1, state), 0, 1));
  EXPECT_EQ(other.error().fault, StorageFault::not_found);
}

TEST_F(RaftStore, two_processes_do_not_share_a_directory) {
  SimulatedFileSystem other(machine.disk, machine.executor);
  const auto opened =
      machine.run(DurableLog::open(other, std::string(store_directory), machine.options));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, StorageFault::locked);
}

TEST_F(RaftStore, group_is_begun_once) {
  machine.start();
  EXPECT_EQ(machine.format().error().fault, StorageFault::already_exists);
}

TEST_F(RaftStore, closed_log_can_be_opened_again) {
  ASSERT_TRUE(machine.run(machine.log->close()));
  EXPECT_EQ(machine.files().open_files(), 0u);
  machine.open_well();
}

TEST_F(RaftStore, failed_sync_ends_it) {
  machine.disk.faults().plan({.kind = IoKind::sync_data});
  EXPECT_EQ(machine.persist(write_of({entry(1, 1)}, state_of(1))).error().fault,
            StorageFault::offline);
  machine.disk.faults().clear();
  EXPECT_EQ(machine.persist(write_of({entry(1, 1)}, state_of(1))).error().fault,
            StorageFault::offline);
  EXPECT_EQ(machine.run(machine.log->restore_reserve()).error().fault, StorageFault::offline);
}

TEST_F(RaftStore, full_disk_is_reported_and_the_write_can_be_made_again) {
  machine.persist_well(write_of({entry(1, 1)}, state_of(1)));
  machine.disk.faults().plan(
      {.kind = IoKind::write, .fault = IoFault::no_space, .done = std::size_t{60}});
  const Write write = write_of({entry(2, 1), entry(3, 1)});
  EXPECT_EQ(machine.persist(write).error().fault, StorageFault::no_space);
  machine.persist_well(write);
  EXPECT_EQ(machine.reopen().entries, (std::vector{entry(1, 1), entry(2, 1), entry(3, 1)}));
}

TEST_F(RaftStore, reserve_lets_it_go_on_when_the_disk_is_full) {
  machine.start();
  machine.options.reserve_bytes = 64 * kibibyte;
  machine.open_well();
  ASSERT_TRUE(machine.log->reserve_held());
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space});
  machine.persist_well(write_of({entry(1, 1)}, state_of(1)));
  EXPECT_FALSE(machine.log->reserve_held());
  ASSERT_TRUE(machine.run(machine.log->restore_reserve()));
  EXPECT_TRUE(machine.log->reserve_held());
  machine.reopen();
  EXPECT_TRUE(machine.log->reserve_held());
}

TEST_F(RaftStore, goes_on_when_a_disk_that_was_full_has_room_again) {
  machine.start();
  machine.options.reserve_bytes = 64 * kibibyte;
  machine.disk.set_capacity(400 * kibibyte);
  machine.open_well();
  ASSERT_TRUE(machine.log->reserve_held());
  const std::string data(10'000, 'd');
  std::int64_t index = 1;
  bool refused = false;
  for (; index < 100; ++index) {
    const auto done = machine.persist(write_of({entry(index, 1, data)}, state_of(1)));
    refused = !done;
    if (!refused) continue;
    EXPECT_EQ(done.error().fault, StorageFault::no_space);
    break;
  }
  ASSERT_TRUE(refused);
  EXPECT_FALSE(machine.log->reserve_held());
  EXPECT_EQ(machine.run(machine.log->restore_reserve()).error().fault, StorageFault::no_space);
  machine.disk.set_capacity(mebibyte);
  machine.persist_well(write_of({entry(index, 1, data)}));
  EXPECT_TRUE(machine.run(machine.log->restore_reserve()));
  EXPECT_EQ(machine.reopen().entries.size(), static_cast<std::size_t>(index));
}

TEST_F(RaftStore, keeps_few_snapshots_also_when_nothing_is_compacted) {
  for (int i = 1; i <= 5; ++i) {
    machine.persist_well(write_of({entry(i, 1)}, state_of(1)));
    ASSERT_TRUE(machine.save(meta_of(i, 1, "state"), "state"));
  }
  std::size_t kept = 0;
  for (int i = 0; i <= 5; ++i) {
    const LogPosition last{LogIndex(i), Term(i > 0 ? 1 : 0)};
    if (!machine.contents(snapshot_name(last)).empty()) ++kept;
  }
  EXPECT_EQ(kept, snapshots_kept_max);
}

TEST_F(RaftStore, part_of_a_snapshot_that_does_not_fit_is_refused) {
  const auto meta = meta_of(5, 1, "state");
  ASSERT_TRUE(machine.receive(meta, "sta"));
  const SnapshotPart gap{meta, 4, Payload("e")};
  EXPECT_EQ(machine.run(machine.log->receive(gap)).error().fault, StorageFault::invalid);
  Write write = write_of({}, state_of(1));
  write.install = meta;
  EXPECT_EQ(machine.persist(write).error().fault, StorageFault::invalid);
}

}  // namespace
}  // namespace millrace::raft
