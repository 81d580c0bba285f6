// The lines of checkpoint files, on a disk that fails and forgets.
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

const TopicPartition a{"a", PartitionIndex(0)};
const TopicPartition b{"b", PartitionIndex(7)};
constexpr auto recovery = CheckpointKind::recovery_point;
constexpr auto start = CheckpointKind::log_start;

class CheckpointFiles : public ::testing::Test {
 protected:
  CheckpointFiles() { open(); }
  void open() {
    files = std::make_unique<SimulatedFileSystem>(disk, executor);
    static_cast<void>(executor.run(make()));
    checkpoints = std::make_unique<Checkpoints>(*files, "/data", Logger(lines, "test"));
    EXPECT_TRUE(wait(checkpoints->load()));
  }
  Task<void> make() { static_cast<void>(co_await files->make_directory("/data")); }
  Task<bool> sync_root() { co_return (co_await files->sync_directory("/")).has_value(); }
  StorageResult<void> wait(Task<StorageResult<void>> task) {
    return executor.run(std::move(task)).value();
  }
  StorageResult<void> save(CheckpointKind kind) { return wait(checkpoints->save(kind)); }

  SimulatedExecutor executor{1};
  SimulatedDisk disk{1};
  std::shared_ptr<MemoryLogSink> lines = std::make_shared<MemoryLogSink>();
  std::unique_ptr<SimulatedFileSystem> files;
  std::unique_ptr<Checkpoints> checkpoints;
};

TEST_F(CheckpointFiles, what_was_saved_is_there_after_a_power_cut) {
  static_cast<void>(checkpoints->set(recovery, a, Offset(5)));
  static_cast<void>(checkpoints->set(start, b, Offset(2)));
  ASSERT_TRUE(wait(checkpoints->save_changed()));
  // The directory itself is not theirs to make durable.
  ASSERT_TRUE(executor.run(sync_root()).value());
  disk.power_cut(3);
  open();
  EXPECT_EQ(checkpoints->of(a)[recovery], Offset(5));
  EXPECT_EQ(checkpoints->of(a)[start], no_offset);
  EXPECT_EQ(checkpoints->of(b)[start], Offset(2));
}

TEST_F(CheckpointFiles, a_file_without_a_change_is_not_written) {
  static_cast<void>(checkpoints->set(recovery, a, Offset(5)));
  ASSERT_TRUE(wait(checkpoints->save_changed()));
  EXPECT_EQ(checkpoints->writes(), 1u);
  static_cast<void>(checkpoints->set(recovery, a, Offset(5)));
  ASSERT_TRUE(wait(checkpoints->save_changed()));
  EXPECT_EQ(checkpoints->writes(), 1u);
}

TEST_F(CheckpointFiles, only_an_offset_that_goes_down_must_be_saved_at_once) {
  EXPECT_FALSE(checkpoints->set(recovery, a, Offset(5)));
  EXPECT_FALSE(checkpoints->set(recovery, a, Offset(6)));
  EXPECT_TRUE(checkpoints->set(recovery, a, Offset(4)));
  ASSERT_TRUE(save(recovery));
  EXPECT_FALSE(checkpoints->set(recovery, a, Offset(5)));
}

TEST_F(CheckpointFiles, after_a_failed_write_the_file_may_have_the_higher_offset_still) {
  static_cast<void>(checkpoints->set(recovery, a, Offset(100)));
  ASSERT_TRUE(save(recovery));
  disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space});
  EXPECT_TRUE(checkpoints->set(recovery, a, Offset(70)));
  EXPECT_FALSE(save(recovery));
  // 80 is above 70 but below what the file says.
  EXPECT_TRUE(checkpoints->set(recovery, a, Offset(80)));
  EXPECT_TRUE(save(recovery));
  EXPECT_EQ(disk.contents("/data/recovery-point-offset-checkpoint"), "0\n1\na 0 80\n");
}

TEST_F(CheckpointFiles, a_lack_of_space_does_not_hide_that_the_device_failed) {
  static_cast<void>(checkpoints->set(recovery, a, Offset(5)));
  static_cast<void>(checkpoints->set(start, a, Offset(2)));
  disk.faults().plan(
      {.kind = IoKind::write, .fault = IoFault::no_space, .path_part = "recovery-point"});
  disk.faults().plan({.kind = IoKind::sync_data, .path_part = "log-start"});
  const auto saved = wait(checkpoints->save_changed());
  EXPECT_EQ(disk.faults().injected(), 2u);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().fault, StorageFault::offline);
}

TEST_F(CheckpointFiles, many_saves_at_a_time_share_writes) {
  TaskGroup tasks;
  std::size_t saved = 0;
  const auto each = [&](std::int32_t partition) -> Task<void> {
    static_cast<void>(checkpoints->set(recovery, {"t", PartitionIndex(partition)}, Offset(1)));
    const auto done = co_await checkpoints->save(recovery);
    EXPECT_TRUE(done);
    ++saved;
  };
  for (std::int32_t i = 0; i < 500; ++i) tasks.start(each(i));
  executor.run_until_idle();
  EXPECT_EQ(saved, 500u);
  EXPECT_LE(checkpoints->writes(), 500u);
  disk.power_cut(9);
  open();
  EXPECT_EQ(checkpoints->partitions(), 500u);
}

TEST_F(CheckpointFiles, a_damaged_file_is_made_again_and_a_lost_device_is_an_error) {
  static_cast<void>(checkpoints->set(recovery, a, Offset(5)));
  ASSERT_TRUE(save(recovery));
  ASSERT_TRUE(disk.flip_bit("/data/recovery-point-offset-checkpoint", 1));
  open();
  EXPECT_EQ(checkpoints->of(a)[recovery], no_offset);
  EXPECT_EQ(lines->lines().size(), 1u);
  disk.faults().plan({.kind = IoKind::read, .path_part = "checkpoint"});
  Checkpoints other(*files, "/data", Logger(lines, "test"));
  EXPECT_EQ(wait(other.load()).error().fault, StorageFault::offline);
}

TEST_F(CheckpointFiles, a_partition_that_is_forgotten_has_no_lines) {
  static_cast<void>(checkpoints->set(recovery, a, Offset(5)));
  static_cast<void>(checkpoints->set(recovery, b, Offset(6)));
  EXPECT_EQ(checkpoints->keep_only([](const TopicPartition& p) { return p == b; }), 1u);
  ASSERT_TRUE(wait(checkpoints->save_changed()));
  EXPECT_EQ(disk.contents("/data/recovery-point-offset-checkpoint"), "0\n1\nb 7 6\n");
}

}  // namespace
}  // namespace millrace::storage
