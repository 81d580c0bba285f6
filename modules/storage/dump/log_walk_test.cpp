#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "test_support.hpp"

import millrace.storage.dump;

namespace millrace::storage {
namespace {

// Batches as "offset@position", gaps as "gap bytes@position" with what is known of them.
Task<void> walk_all(LogMachine& machine, std::string path, std::vector<std::string>& seen) {
  FileSystem& files = machine.process->files;
  const auto file = co_await files.open(path, OpenMode::read);
  EXPECT_TRUE(file);
  if (!file) co_return;
  const auto size = co_await files.file_size(*file);
  EXPECT_TRUE(size);
  LogWalk walk(files, machine.process->buffers, *file, path, size.value_or(0));
  for (;;) {
    const auto more = co_await walk.fill();
    EXPECT_TRUE(more);
    if (!more || !*more) break;
    while (const auto scanned = walk.next()) {
      seen.push_back(std::to_string(scanned->batch.header().base_offset.value()) + "@" +
                     std::to_string(scanned->position));
    }
    if (const auto gap = walk.take_gap()) {
      seen.push_back("gap " + std::to_string(gap->bytes) + "@" + std::to_string(gap->position) +
                     (gap->all_zeros ? " zeros" : "") + (gap->cut_off ? " cut off" : ""));
    }
  }
  EXPECT_TRUE(co_await files.close(*file));
}

class LogWalkTest : public DirectoryTest {
 protected:
  LogWalkTest() {
    std::string all;
    for (int i = 0; i < 3; ++i) {
      positions.push_back(all.size());
      const auto batch = encode({.values = {std::string(100, 'v')}, .base_offset = Offset(i)});
      all += as_text(batch);
    }
    size = all.size();
    write(path, all);
  }

  std::vector<std::string> walk() {
    std::vector<std::string> seen;
    machine.run(walk_all(machine, path, seen));
    return seen;
  }
  std::string at(int batch) {
    return std::to_string(batch) + "@" + std::to_string(positions[static_cast<std::size_t>(batch)]);
  }

  std::string path = path_of(SegmentFileKind::log, 0);
  std::vector<std::size_t> positions;
  std::size_t size = 0;
};

using Seen = std::vector<std::string>;

TEST_F(LogWalkTest, gives_all_batches_of_a_good_file) {
  EXPECT_EQ(walk(), (Seen{at(0), at(1), at(2)}));
}

TEST_F(LogWalkTest, goes_on_behind_a_damaged_header) {
  edit(path, [&](std::string& bytes) { bytes[positions[1] + 16] = 7; });
  EXPECT_EQ(walk(), (Seen{at(0),
                          "gap " + std::to_string(positions[2] - positions[1]) + "@" +
                              std::to_string(positions[1]),
                          at(2)}));
}

TEST_F(LogWalkTest, finds_what_lies_behind_a_length_beyond_the_end) {
  edit(path, [&](std::string& bytes) { bytes[positions[1] + 8] = 0x7f; });
  EXPECT_EQ(walk(), (Seen{at(0),
                          "gap " + std::to_string(positions[2] - positions[1]) + "@" +
                              std::to_string(positions[1]),
                          at(2)}));
}

TEST_F(LogWalkTest, tells_a_last_batch_that_is_not_whole) {
  edit(path, [](std::string& bytes) { bytes.resize(bytes.size() - 5); });
  EXPECT_EQ(walk(), (Seen{at(0), at(1),
                          "gap " + std::to_string(size - 5 - positions[2]) + "@" +
                              std::to_string(positions[2]) + " cut off"}));
}

TEST_F(LogWalkTest, tells_zeros) {
  edit(path, [](std::string& bytes) { bytes.append(3'000'000, '\0'); });
  EXPECT_EQ(walk(), (Seen{at(0), at(1), at(2), "gap 3000000@" + std::to_string(size) + " zeros"}));
}

TEST_F(LogWalkTest, finds_a_batch_wherever_it_lies_in_the_blocks_that_are_read) {
  const std::string good = contents(path);
  const std::string last = good.substr(positions[2]);
  for (const std::size_t before : {1ul, 60ul, 61ul, 62ul}) {
    std::string bytes = good.substr(0, positions[2]);
    bytes.append(scan_block_bytes - before, 'x');
    const std::size_t begin = bytes.size();
    write(path, bytes + last);
    EXPECT_EQ(walk(), (Seen{at(0), at(1),
                            "gap " + std::to_string(begin - positions[2]) + "@" +
                                std::to_string(positions[2]),
                            "2@" + std::to_string(begin)}));
  }
}

TEST_F(LogWalkTest, takes_no_batch_whose_offsets_were_there_before) {
  const std::string good = contents(path);
  write(path, good + std::string(10, 'x') + good);
  EXPECT_EQ(walk(), (Seen{at(0), at(1), at(2),
                          "gap " + std::to_string(size + 10) + "@" + std::to_string(size)}));
}

TEST_F(LogWalkTest, takes_no_batch_with_another_crc_behind_damage) {
  edit(path, [&](std::string& bytes) {
    bytes[positions[1] + 16] = 7;
    bytes[positions[2] + 80] ^= 1;
  });
  EXPECT_EQ(walk(), (Seen{at(0), "gap " + std::to_string(size - positions[1]) + "@" +
                                     std::to_string(positions[1])}));
}

}  // namespace
}  // namespace millrace::storage
