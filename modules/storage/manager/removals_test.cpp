// Directories that go after a delay.
#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

using namespace std::chrono_literals;

class RemovedDirectories : public ::testing::Test {
 protected:
  RemovedDirectories() {
    for (const char* path : {"/one", "/two"}) EXPECT_TRUE(executor.run(fill(path)));
  }
  ~RemovedDirectories() override { EXPECT_TRUE(executor.run(removals.stop())); }
  Task<void> fill(std::string path) {
    EXPECT_TRUE(co_await files.make_directory(path));
    for (const char* name : {"/a", "/b"}) {
      const std::string file_path = path + name;
      const auto file = co_await files.open(file_path, OpenMode::create);
      EXPECT_TRUE(co_await files.close(*file));
    }
  }
  [[nodiscard]] bool there(std::string_view path) {
    return disk.contents(std::string(path) + "/a").has_value();
  }

  SimulatedExecutor executor{1};
  SimulatedDisk disk{1};
  SimulatedFileSystem files{disk, executor};
  std::shared_ptr<MemoryLogSink> lines = std::make_shared<MemoryLogSink>();
  std::vector<StorageError> failures;
  Removals removals{executor, files, Logger(lines, "test"),
                    [this](const StorageError& error) { failures.push_back(error); }};
};

TEST_F(RemovedDirectories, go_at_their_time_whatever_the_order_of_asking) {
  removals.add("/one", 10s);
  removals.add("/two", 1s);
  executor.advance(2s);
  EXPECT_TRUE(there("/one"));
  EXPECT_FALSE(there("/two"));
  executor.advance(10s);
  EXPECT_FALSE(there("/one"));
  EXPECT_EQ(removals.waiting(), 0u);
}

TEST_F(RemovedDirectories, stay_when_the_server_stops_before) {
  removals.add("/one", 1s);
  EXPECT_TRUE(executor.run(removals.stop()));
  executor.advance(10s);
  EXPECT_TRUE(there("/one"));
}

TEST_F(RemovedDirectories, one_that_cannot_be_removed_does_not_hold_up_the_next) {
  disk.faults().plan({.kind = IoKind::remove, .fault = IoFault::invalid, .path_part = "/one/"});
  removals.add("/one", 1s);
  removals.add("/two", 2s);
  executor.advance(5s);
  EXPECT_FALSE(there("/two"));
  EXPECT_EQ(disk.faults().injected(), 1u);
  EXPECT_EQ(removals.waiting(), 0u);
  EXPECT_TRUE(failures.empty());
}

TEST_F(RemovedDirectories, one_that_lacked_a_descriptor_is_removed_later) {
  disk.faults().plan(
      {.kind = IoKind::list, .fault = IoFault::too_many_open, .path_part = "/one", .times = 3});
  removals.add("/one", 1s);
  removals.add("/two", 2s);
  executor.advance(5s);
  EXPECT_FALSE(there("/two"));
  EXPECT_TRUE(there("/one"));
  EXPECT_EQ(removals.waiting(), 1u);
  executor.advance(5min);
  EXPECT_FALSE(there("/one"));
  EXPECT_EQ(disk.faults().injected(), 3u);
  EXPECT_EQ(removals.waiting(), 0u);
  EXPECT_TRUE(failures.empty());
}

TEST_F(RemovedDirectories, a_device_that_fails_is_told_of_and_nothing_more_is_tried) {
  disk.faults().plan({.kind = IoKind::remove, .path_part = "/one/"});
  removals.add("/one", 1s);
  removals.add("/two", 2s);
  executor.advance(5s);
  EXPECT_TRUE(there("/two"));
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_EQ(failures.front().fault, StorageFault::offline);
  EXPECT_EQ(removals.waiting(), 0u);
}

}  // namespace
}  // namespace millrace::storage
