#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

constexpr std::string_view path = "/log/file";
constexpr std::string_view temporary = "/log/file.tmp";

StorageResult<void> replace(TestDisk& disk, std::string_view contents) {
  return disk.run(replace_file(disk.files(), "/log", "file", as_bytes(contents)));
}

StorageResult<std::string> read(TestDisk& disk, std::size_t bytes_max = 1000) {
  const auto bytes = disk.run(read_file(disk.files(), std::string(path), bytes_max));
  if (!bytes) return failure(bytes.error());
  return std::string(as_text(*bytes));
}

TEST(SmallFile, is_read_as_it_was_written) {
  TestDisk disk;
  for (const std::string& contents : {std::string(), std::string("a"), std::string(1000, 'x')}) {
    ASSERT_TRUE(replace(disk, contents));
    EXPECT_EQ(read(disk).value(), contents);
    EXPECT_EQ(disk.disk.contents(temporary), std::nullopt);
  }
  EXPECT_EQ(disk.files().open_files(), 0u);
}

TEST(SmallFile, that_is_not_there_is_not_found) {
  TestDisk disk;
  const auto contents = read(disk);
  ASSERT_FALSE(contents);
  EXPECT_EQ(contents.error().fault, StorageFault::not_found);
}

TEST(SmallFile, that_is_too_large_is_not_read) {
  TestDisk disk;
  ASSERT_TRUE(replace(disk, "12345"));
  EXPECT_EQ(read(disk, 5).value(), "12345");
  const auto contents = read(disk, 4);
  ASSERT_FALSE(contents);
  EXPECT_EQ(contents.error().fault, StorageFault::limit);
  EXPECT_EQ(disk.files().open_files(), 0u);
}

TEST(SmallFile, has_its_old_or_its_new_contents_after_a_crash_at_any_step) {
  std::size_t old_seen = 0;
  std::size_t new_seen = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    for (std::uint64_t step = 1;; ++step) {
      TestDisk disk(seed);
      ASSERT_TRUE(replace(disk, "old"));
      disk.disk.cut_power_at(disk.disk.steps() + step, seed);
      const auto replaced = replace(disk, "newer");
      const bool was_cut = disk.disk.power_cuts() > 0;
      EXPECT_EQ(replaced.has_value(), !was_cut);
      if (!was_cut) disk.disk.power_cut(seed);
      disk.start();
      const std::string contents = read(disk).value();
      if (!was_cut) {
        EXPECT_EQ(contents, "newer") << "what has been replaced stays so";
        break;
      }
      EXPECT_TRUE(contents == "old" || contents == "newer") << contents << " at step " << step;
      (contents == "old" ? old_seen : new_seen) += 1;
      ASSERT_TRUE(replace(disk, "newest")) << "a file left over by the crash is no hindrance";
      EXPECT_EQ(read(disk).value(), "newest");
    }
  }
  EXPECT_GT(old_seen, 0u);
  EXPECT_GT(new_seen, 0u);
}

TEST(SmallFile, stays_as_it_was_on_a_full_disk_and_can_be_replaced_later) {
  TestDisk disk;
  ASSERT_TRUE(replace(disk, "old"));
  disk.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space});
  const auto replaced = replace(disk, std::string(900, 'x'));
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().fault, StorageFault::no_space);
  EXPECT_EQ(disk.disk.faults().injected(), 1u);
  EXPECT_EQ(disk.disk.contents(temporary), std::nullopt) << "it gives back what it took";
  EXPECT_EQ(read(disk).value(), "old");
  EXPECT_TRUE(replace(disk, "new"));
  EXPECT_EQ(read(disk).value(), "new");
  EXPECT_EQ(disk.files().open_files(), 0u);
}

TEST(SmallFile, a_failed_sync_is_the_end_and_not_retried) {
  for (const IoKind kind : {IoKind::sync_data, IoKind::sync_directory}) {
    TestDisk disk;
    ASSERT_TRUE(replace(disk, "old"));
    disk.disk.faults().plan({.kind = kind, .fault = IoFault::failed});
    const std::uint64_t before = disk.disk.steps();
    const auto replaced = replace(disk, "new");
    ASSERT_FALSE(replaced);
    EXPECT_EQ(replaced.error().fault, StorageFault::offline);
    EXPECT_EQ(disk.disk.faults().injected(kind), 1u);
    // Create, write, sync, or these and rename, sync of the directory: nothing after the failure.
    EXPECT_EQ(disk.disk.steps() - before, kind == IoKind::sync_data ? 3u : 5u);
    if (kind == IoKind::sync_data) EXPECT_EQ(read(disk).value(), "old");
    EXPECT_EQ(disk.files().open_files(), 0u);
  }
}

TEST(SmallFile, every_failure_of_the_device_reaches_the_caller) {
  for (const IoKind kind : {IoKind::open, IoKind::write, IoKind::sync_data, IoKind::close,
                            IoKind::rename, IoKind::sync_directory}) {
    TestDisk disk;
    ASSERT_TRUE(replace(disk, "old"));
    disk.disk.faults().plan({.kind = kind, .fault = IoFault::failed});
    const auto replaced = replace(disk, "new");
    EXPECT_EQ(disk.disk.faults().injected(kind), 1u);
    ASSERT_FALSE(replaced) << static_cast<int>(kind);
    EXPECT_EQ(replaced.error().fault, StorageFault::offline) << replaced.error().message;
    EXPECT_TRUE(replaced.error().io);
  }
  for (const IoKind kind : {IoKind::open, IoKind::file_size, IoKind::read, IoKind::close}) {
    TestDisk disk;
    ASSERT_TRUE(replace(disk, "old"));
    disk.disk.faults().plan({.kind = kind, .fault = IoFault::failed});
    const auto contents = read(disk);
    EXPECT_EQ(disk.disk.faults().injected(kind), 1u);
    ASSERT_FALSE(contents) << static_cast<int>(kind);
    EXPECT_EQ(contents.error().fault, StorageFault::offline);
  }
}

TEST(SmallFile, a_lost_device_counts_for_more_than_a_full_one) {
  TestDisk disk;
  disk.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space});
  disk.disk.faults().plan({.kind = IoKind::remove, .fault = IoFault::failed});
  const auto replaced = replace(disk, "new");
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().fault, StorageFault::offline);
}

TEST(SmallFile, is_removed_whether_or_not_it_is_there) {
  TestDisk disk;
  EXPECT_TRUE(disk.run(remove_file_if_there(disk.files(), std::string(path))));
  ASSERT_TRUE(replace(disk, "x"));
  EXPECT_TRUE(disk.run(remove_file_if_there(disk.files(), std::string(path))));
  EXPECT_EQ(disk.disk.contents(path), std::nullopt);
  disk.disk.faults().plan({.kind = IoKind::remove, .fault = IoFault::failed});
  const auto removed = disk.run(remove_file_if_there(disk.files(), std::string(path)));
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().fault, StorageFault::offline);
}

}  // namespace
}  // namespace millrace::storage
