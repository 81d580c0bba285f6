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

class RaftSnapshotFile : public testing::Test {
 protected:
  storage::StorageResult<void> write(const SnapshotMeta& meta, std::uint64_t offset,
                                     std::string_view data) {
    return machine.run(writer.write(meta, offset, as_bytes(data)));
  }

  StoreMachine machine;
  SnapshotWriter writer{machine.files(), std::string(store_directory), "x.tmp"};
};

TEST_F(RaftSnapshotFile, is_there_only_when_it_is_finished) {
  const auto meta = meta_of(4, 2, "abcdef");
  ASSERT_TRUE(write(meta, 0, "abc"));
  EXPECT_EQ(machine.run(writer.finish(meta)).error().fault, StorageFault::invalid);
  ASSERT_TRUE(write(meta, 3, "def"));
  EXPECT_EQ(machine.contents(snapshot_name(meta.last)), "");
  ASSERT_TRUE(machine.run(writer.finish(meta)));
  const auto info =
      machine.run(open_snapshot(machine.files(), std::string(store_directory), meta.last));
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->meta, meta);
  EXPECT_EQ(machine.files().open_files(), 0u);
}

TEST_F(RaftSnapshotFile, offset_0_begins_anew) {
  ASSERT_TRUE(write(meta_of(4, 2, "abcdef"), 0, "abc"));
  const auto meta = meta_of(5, 2, "xy");
  ASSERT_TRUE(write(meta, 0, "xy"));
  ASSERT_TRUE(machine.run(writer.finish(meta)));
}

TEST_F(RaftSnapshotFile, piece_that_failed_for_lack_of_space_can_come_again) {
  const auto meta = meta_of(4, 2, "abcdef");
  ASSERT_TRUE(write(meta, 0, "abc"));
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space});
  EXPECT_EQ(write(meta, 3, "def").error().fault, StorageFault::no_space);
  ASSERT_TRUE(write(meta, 3, "def"));
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space});
  EXPECT_EQ(machine.run(writer.finish(meta)).error().fault, StorageFault::no_space);
  ASSERT_TRUE(machine.run(writer.finish(meta)));
}

TEST_F(RaftSnapshotFile, too_large_a_state_is_refused) {
  SnapshotMeta meta = meta_of(4, 2, "");
  meta.bytes = snapshot_state_bytes_max + 1;
  EXPECT_EQ(write(meta, 0, "").error().fault, StorageFault::limit);
  meta.bytes = 2;
  EXPECT_EQ(write(meta, 0, "abc").error().fault, StorageFault::invalid);
  EXPECT_TRUE(machine.run(writer.abandon()));
  EXPECT_EQ(machine.files().open_files(), 0u);
}

TEST_F(RaftSnapshotFile, part_outside_of_the_state_is_refused) {
  const auto meta = meta_of(4, 2, "abc");
  ASSERT_TRUE(write(meta, 0, "abc"));
  const auto info = machine.run(writer.finish(meta));
  ASSERT_TRUE(info);
  const auto read = [&](std::uint64_t offset, std::uint64_t length) {
    return machine.run(
        read_snapshot(machine.files(), std::string(store_directory), *info, offset, length));
  };
  EXPECT_EQ(read(4, 0).error().fault, StorageFault::invalid);
  EXPECT_EQ(read(1, 3).error().fault, StorageFault::invalid);
  EXPECT_EQ(as_text(read(1, 2).value()), "bc");
  EXPECT_TRUE(read(3, 0)->empty());
}

}  // namespace
}  // namespace millrace::raft
