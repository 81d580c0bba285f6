// Conformance of many operations at the same time.
#include <algorithm>

// This one imports the module: it comes after all that includes standard headers.
#include "file_system_conformance.hpp"

namespace millrace {
namespace {

Task<void> write_number(FileSystem& files, FileHandle file, std::uint64_t number, int& failures) {
  std::string text = std::to_string(number);
  text.resize(8, '.');
  const ByteView piece = as_bytes(text);
  if (!co_await files.write(file, number * 8, std::span(&piece, 1))) ++failures;
}

Task<void> read_number(FileSystem& files, FileHandle file, std::uint64_t number, int& failures) {
  std::string expected = std::to_string(number);
  expected.resize(8, '.');
  std::string text(8, '?');
  const MutableBytes buffer(reinterpret_cast<std::byte*>(text.data()), text.size());
  const auto count = co_await files.read(file, number * 8, buffer);
  if (!count || *count != 8 || text != expected) ++failures;
}

TEST_P(FileSystemConformance, a_thousand_writes_at_the_same_time_all_arrive) {
  const FileHandle file = opened("file");
  int failures = 0;
  const auto all = [&](auto one) -> Task<void> {
    TaskGroup group;
    for (std::uint64_t i = 0; i < 1000; ++i) group.start(one(files(), file, i, failures));
    co_await group.wait();
  };
  run(all(write_number));
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(file_size(file).value(), 8000);
  run(all(read_number));
  EXPECT_EQ(failures, 0);
  EXPECT_TRUE(succeeds(close(file)));
}

// One life of a file; counts the steps that succeeded.
Task<void> live(FileSystem& files, std::string path, std::string renamed, int& steps) {
  const auto file = co_await files.open(path, OpenMode::create_new);
  if (!file) co_return;
  const std::string text(3000, 'z');
  const ByteView piece = as_bytes(text);
  for (std::uint64_t i = 0; i < 5; ++i) {
    if (co_await files.write(*file, i * text.size(), std::span(&piece, 1))) ++steps;
  }
  if (co_await files.sync_data(*file)) ++steps;
  std::string back(text.size(), '?');
  const MutableBytes buffer(reinterpret_cast<std::byte*>(back.data()), back.size());
  const auto count = co_await files.read(*file, 2 * text.size(), buffer);
  if (count && *count == text.size() && back == text) ++steps;
  if (co_await files.rename(path, renamed)) ++steps;
  if (co_await files.close(*file)) ++steps;
  const auto status = co_await files.status(renamed);
  if (status && status->size == 5 * text.size()) ++steps;
  if (co_await files.remove(renamed)) ++steps;
}

TEST_P(FileSystemConformance, many_files_live_at_the_same_time) {
  int steps = 0;
  const auto all = [&]() -> Task<void> {
    TaskGroup group;
    for (int i = 0; i < 60; ++i) {
      const std::string name = path("file" + std::to_string(i));
      group.start(live(files(), name, name + ".renamed", steps));
    }
    co_await group.wait();
  };
  run(all());
  EXPECT_EQ(steps, 60 * 11);
  EXPECT_TRUE(list("").value().empty());
}

TEST_P(FileSystemConformance, reads_may_overlap_each_other) {
  const FileHandle file = opened("file");
  std::string whole(50'000, '\0');
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<char>(i * 7 + i / 256);
  ASSERT_TRUE(succeeds(write(file, 0, whole)));
  int failures = 0;
  const auto one = [&](std::size_t position) -> Task<void> {
    std::string text(20'000, '?');
    const MutableBytes buffer(reinterpret_cast<std::byte*>(text.data()), text.size());
    const auto count = co_await files().read(file, position, buffer);
    if (!count) {
      ++failures;
      co_return;
    }
    text.resize(*count);
    if (text != whole.substr(position, 20'000)) ++failures;
  };
  const auto all = [&]() -> Task<void> {
    TaskGroup group;
    for (std::size_t i = 0; i < 50; ++i) group.start(one(i * 997));
    co_await group.wait();
  };
  run(all());
  EXPECT_EQ(failures, 0);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, a_long_row_of_operations_does_not_use_up_the_stack) {
  const FileHandle file = opened("file");
  std::uint64_t done = 0;
  const auto all = [&]() -> Task<void> {
    const ByteView piece = as_bytes("abcdefgh");
    for (std::uint64_t i = 0; i < 30'000; ++i) {
      if (co_await files().write(file, i % 100 * 8, std::span(&piece, 1))) ++done;
    }
  };
  run(all());
  EXPECT_EQ(done, 30'000);
  EXPECT_EQ(file_size(file).value(), 800);
  EXPECT_TRUE(succeeds(close(file)));
}

TEST_P(FileSystemConformance, synced_appends_from_many_tasks_are_all_there) {
  const FileHandle file = opened("file");
  std::uint64_t end = 0;
  int failures = 0;
  const auto one = [&](char letter) -> Task<void> {
    const std::string text(100, letter);
    const ByteView piece = as_bytes(text);
    for (int i = 0; i < 5; ++i) {
      const std::uint64_t position = std::exchange(end, end + text.size());
      if (!co_await files().write(file, position, std::span(&piece, 1))) ++failures;
      if (!co_await files().sync_data(file)) ++failures;
    }
  };
  const auto all = [&]() -> Task<void> {
    TaskGroup group;
    for (char letter = 'a'; letter <= 'p'; ++letter) group.start(one(letter));
    co_await group.wait();
  };
  run(all());
  EXPECT_EQ(failures, 0);
  EXPECT_TRUE(succeeds(close(file)));
  const std::string whole = contents("file");
  EXPECT_EQ(whole.size(), 16 * 500);
  for (char letter = 'a'; letter <= 'p'; ++letter) {
    EXPECT_EQ(std::count(whole.begin(), whole.end(), letter), 500) << letter;
  }
}

}  // namespace
}  // namespace millrace
