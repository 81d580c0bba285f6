#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.runtime;

namespace millrace {
namespace {

Task<IoResult<void>> write_file(FileSystem& files, std::string_view path, std::string_view text,
                                bool durable) {
  const auto file = co_await files.open(path, OpenMode::create);
  if (!file) co_return failure(file.error());
  const std::array pieces = {as_bytes(text)};
  if (auto written = co_await files.write(*file, 0, pieces); !written) co_return written;
  if (durable) {
    if (auto synced = co_await files.sync_data(*file); !synced) co_return synced;
    if (auto synced = co_await files.sync_directory("/"); !synced) co_return synced;
  }
  co_return co_await files.close(*file);
}

TEST(SimulatedFileSystem, a_synced_file_survives_every_power_cut) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedExecutor executor(seed);
    SimulatedDisk disk(seed);
    {
      SimulatedFileSystem files(disk, executor, {.seed = seed});
      const auto done = executor.run(write_file(files, "/a", "hello", true));
      ASSERT_TRUE(done) << done.error().message;
      ASSERT_TRUE(*done);
      disk.power_cut(seed);
      EXPECT_FALSE(files.alive());
    }
    EXPECT_EQ(disk.contents("/a"), "hello") << disk.dump();
  }
}

TEST(SimulatedFileSystem, an_unsynced_file_is_lost_by_some_power_cut_and_kept_by_another) {
  int kept = 0;
  int lost = 0;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    SimulatedExecutor executor(seed);
    SimulatedDisk disk(seed);
    {
      SimulatedFileSystem files(disk, executor, {.seed = seed});
      const auto done = executor.run(write_file(files, "/a", "hello", false));
      ASSERT_TRUE(done && *done);
      disk.power_cut(seed);
    }
    if (disk.contents("/a") == "hello") ++kept;
    if (!disk.contents("/a")) ++lost;
  }
  EXPECT_GT(kept, 0);
  EXPECT_GT(lost, 0);
}

}  // namespace
}  // namespace millrace
