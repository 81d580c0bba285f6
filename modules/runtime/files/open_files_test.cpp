#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

import millrace.runtime.files;

namespace millrace::files {
namespace {

[[nodiscard]] FileHandle add(OpenFileTable& table, int descriptor) {
  check(table.reserve(), "the table has room");
  return table.add(descriptor);
}

// Descriptors that no system knows: the table closes none of them.
constexpr int some_descriptor = 1'000'000;

TEST(OpenFileTable, finds_what_was_added_until_it_is_removed) {
  OpenFileTable table(10);
  const FileHandle one = add(table, some_descriptor);
  const FileHandle two = add(table, some_descriptor + 1);
  ASSERT_NE(table.find(one), nullptr);
  EXPECT_EQ(table.find(one)->descriptor, some_descriptor);
  EXPECT_EQ(table.find(two)->descriptor, some_descriptor + 1);
  table.remove(one);
  EXPECT_EQ(table.find(one), nullptr);
  EXPECT_NE(table.find(two), nullptr);
  EXPECT_EQ(table.size(), 1);
  table.remove(two);
}

TEST(OpenFileTable, gives_no_handle_that_is_zero_or_negative) {
  OpenFileTable table(10);
  for (int i = 0; i < 200'000; ++i) {
    const FileHandle handle = add(table, some_descriptor);
    ASSERT_GT(handle.value(), 0);
    table.remove(handle);
  }
}

TEST(OpenFileTable, a_removed_handle_is_not_given_again_for_a_long_time) {
  OpenFileTable table(1);
  std::set<std::int32_t> given;
  for (int i = 0; i < 1'000'000; ++i) {
    const FileHandle handle = add(table, some_descriptor);
    ASSERT_TRUE(given.insert(handle.value()).second) << i;
    table.remove(handle);
  }
}

TEST(OpenFileTable, has_room_for_so_many_and_no_more) {
  OpenFileTable table(2);
  ASSERT_TRUE(table.reserve());
  ASSERT_TRUE(table.reserve());
  EXPECT_FALSE(table.reserve());
  table.cancel_reservation();
  ASSERT_TRUE(table.reserve());
  const FileHandle one = table.add(some_descriptor);
  const FileHandle two = table.add(some_descriptor);
  EXPECT_FALSE(table.reserve());
  table.remove(one);
  EXPECT_TRUE(table.reserve());
  table.cancel_reservation();
  table.remove(two);
}

TEST(OpenFileTable, holds_as_many_files_as_handles_can_name) {
  OpenFileTable table(open_files_max);
  std::vector<FileHandle> handles;
  for (std::size_t i = 0; i < open_files_max; ++i) handles.push_back(add(table, some_descriptor));
  EXPECT_FALSE(table.reserve());
  for (const FileHandle handle : handles) ASSERT_NE(table.find(handle), nullptr);
  for (const FileHandle handle : handles) table.remove(handle);
  const FileHandle again = add(table, some_descriptor);
  EXPECT_NE(table.find(again), nullptr);
  table.remove(again);
}

TEST(OpenFileTable, does_not_find_a_file_that_is_closing_but_keeps_it) {
  OpenFileTable table(10);
  const FileHandle handle = add(table, some_descriptor);
  IoOperation* const closing = reinterpret_cast<IoOperation*>(&table);  // never looked at
  table.find(handle)->closing = closing;
  EXPECT_EQ(table.find(handle), nullptr);
  EXPECT_EQ(table.get(handle).descriptor, some_descriptor);
  table.remove(handle);
}

TEST(OpenFileTable, a_place_that_is_used_again_begins_afresh) {
  OpenFileTable table(1);
  for (int i = 0; i < 1000; ++i) {
    OpenFile& file = table.get(add(table, some_descriptor));
    EXPECT_EQ(file.lost, 0);
    EXPECT_TRUE(file.reads_in_place);
    EXPECT_EQ(file.write_back.waiting_bytes(), 0);
    file.lost = 5;
    file.reads_in_place = false;
    file.write_back.wrote(0, 100);
    table.remove(file.handle);
  }
}

TEST(OpenFileTable, closes_what_nobody_closed) {
  std::optional<OpenFileTable> table(10);
  const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(descriptor, 0);
  static_cast<void>(add(*table, descriptor));
  table.reset();
  EXPECT_EQ(::fcntl(descriptor, F_GETFD), -1);
}

}  // namespace
}  // namespace millrace::files
