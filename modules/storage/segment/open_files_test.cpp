#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

import millrace.storage.segment;

namespace millrace::storage {
namespace {

struct Disk {
  SimulatedExecutor executor{7};
  SimulatedDisk disk{7};
  SimulatedFileSystem files{disk, executor};

  void run(Task<void> task) {
    const auto done = executor.run(std::move(task));
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }
};

std::string name(int number) {
  return "/" + std::to_string(number);
}

Task<void> open_many(OpenFiles& files, int count) {
  for (int i = 0; i < count; ++i) {
    const auto lease = co_await files.acquire(name(i), OpenMode::create);
    EXPECT_TRUE(lease.has_value());
  }
}

TEST(OpenFiles, keeps_no_more_open_than_its_limit) {
  Disk disk;
  OpenFiles files(disk.files, 10);
  disk.run(open_many(files, 100));
  EXPECT_EQ(files.open(), 10u);
  EXPECT_EQ(disk.files.open_files(), 10u);
  disk.run(files.close_all());
  EXPECT_EQ(disk.files.open_files(), 0u);
}

Task<void> hold_all(OpenFiles& files, int count, std::vector<OpenFiles::Lease>& held) {
  for (int i = 0; i < count; ++i) {
    auto lease = co_await files.acquire(name(i), OpenMode::create);
    EXPECT_TRUE(lease.has_value());
    if (lease) held.push_back(std::move(*lease));
  }
}

TEST(OpenFiles, never_closes_a_file_in_use) {
  Disk disk;
  OpenFiles files(disk.files, 2);
  std::vector<OpenFiles::Lease> held;
  disk.run(hold_all(files, 5, held));
  EXPECT_EQ(files.open(), 5u);
  held.clear();
  disk.run(files.close_all());
  EXPECT_EQ(files.open(), 0u);
}

TEST(OpenFiles, closes_what_is_above_its_limit_when_it_is_given_back) {
  Disk disk;
  OpenFiles files(disk.files, 2);
  std::vector<OpenFiles::Lease> held;
  disk.run(hold_all(files, 5, held));
  held.clear();
  EXPECT_EQ(files.open(), 2u);
  disk.run(files.close_all());
  EXPECT_EQ(disk.files.open_files(), 0u);
}

Task<void> acquire_same(OpenFiles& files, std::vector<OpenFiles::Lease>& held) {
  auto lease = co_await files.acquire("/same", OpenMode::create);
  EXPECT_TRUE(lease.has_value());
  if (lease) held.push_back(std::move(*lease));
}

TEST(OpenFiles, opens_a_file_once_for_all_who_ask_at_the_same_time) {
  Disk disk;
  OpenFiles files(disk.files, 10);
  std::vector<OpenFiles::Lease> held;
  {
    TaskGroup group;
    for (int i = 0; i < 20; ++i) group.start(acquire_same(files, held));
    disk.executor.run_until_idle();
  }
  ASSERT_EQ(held.size(), 20u);
  EXPECT_EQ(disk.files.open_files(), 1u);
  for (const auto& lease : held) EXPECT_EQ(lease.handle(), held[0].handle());
  held.clear();
  disk.run(files.close_all());
}

TEST(OpenFiles, a_file_that_could_not_be_closed_well_is_told_to_the_next) {
  Disk disk;
  OpenFiles files(disk.files, 1);
  disk.run(open_many(files, 1));
  disk.disk.faults().plan({.kind = IoKind::close, .fault = IoFault::failed});
  const auto test = [&]() -> Task<void> {
    // In its place.
    EXPECT_TRUE(co_await files.acquire(name(1), OpenMode::create));
    const auto lost = co_await files.acquire(name(0));
    EXPECT_FALSE(lost);
    if (!lost) EXPECT_EQ(lost.error().fault, StorageFault::offline);
    EXPECT_FALSE(files.acquire_open(name(0)));
    // Another file may have the name.
    co_await files.forget(name(0));
    EXPECT_TRUE(co_await files.acquire(name(0)));
  };
  disk.run(test());
  EXPECT_EQ(files.close_failures(), 1u);
  disk.run(files.close_all());
}

TEST(OpenFiles, a_forgotten_file_stays_with_those_who_have_it_and_is_opened_anew_for_others) {
  Disk disk;
  OpenFiles files(disk.files, 10);
  std::vector<OpenFiles::Lease> held;
  disk.run(acquire_same(files, held));
  disk.run(files.forget("/same"));
  EXPECT_EQ(disk.files.open_files(), 1u);
  disk.run(acquire_same(files, held));
  ASSERT_EQ(held.size(), 2u);
  EXPECT_NE(held[0].handle(), held[1].handle());
  EXPECT_EQ(disk.files.open_files(), 2u);
  held.clear();
  disk.run(files.close_all());
  EXPECT_EQ(disk.files.open_files(), 0u);
}

Task<void> open_missing(OpenFiles& files) {
  const auto lease = co_await files.acquire("/missing", OpenMode::read_write);
  EXPECT_FALSE(lease.has_value());
  if (!lease) {
    EXPECT_EQ(lease.error().fault, StorageFault::not_found);
    EXPECT_NE(lease.error().message.find("/missing"), std::string::npos);
  }
}

TEST(OpenFiles, says_which_file_could_not_be_opened_and_keeps_nothing_of_it) {
  Disk disk;
  OpenFiles files(disk.files, 10);
  disk.run(open_missing(files));
  EXPECT_EQ(files.open(), 0u);
}

}  // namespace
}  // namespace millrace::storage
