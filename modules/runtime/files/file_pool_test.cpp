#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

// These import modules: they come after all that includes standard headers.
#include "failing_calls.hpp"
#include "test_support.hpp"

namespace millrace {
namespace {

// One shard: a loop and a file system that hands everything over.
struct Shard {
  Shard(const Clock& clock, FilePool& pool, FileSystemOptions options = nothing_in_place())
      : loop(ShardLoop::make(clock).value()), files(*loop, pool, options) {}

  std::unique_ptr<ShardLoop> loop;
  ThreadPoolFileSystem files;
};

class FilePoolTest : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<FilePool> pool(std::size_t threads) {
    return FilePool::start(clock_, {.threads = threads}).value();
  }
  static Task<void> write_once(FileSystem& files, std::string path) {
    const auto file = (co_await files.open(path, OpenMode::create)).value();
    const ByteView piece = as_bytes("text");
    EXPECT_TRUE(co_await files.write(file, 0, std::span(&piece, 1)));
    EXPECT_TRUE(co_await files.sync_data(file));
    EXPECT_TRUE(co_await files.close(file));
  }
  static Task<void> read_once(FileSystem& files, std::string path) {
    const auto file = (co_await files.open(path, OpenMode::read)).value();
    std::string text(4, '?');
    const MutableBytes buffer(reinterpret_cast<std::byte*>(text.data()), text.size());
    EXPECT_EQ((co_await files.read(file, 0, buffer)).value(), 4);
    EXPECT_EQ(text, "text");
  }

  SystemClock clock_;
  TemporaryDirectory directory_;
};

TEST_F(FilePoolTest, has_as_many_threads_as_it_was_told_within_limits) {
  EXPECT_EQ(pool(3)->threads(), 3);
  EXPECT_EQ(pool(1)->threads(), 1);
  for (const std::size_t threads : {std::size_t{0}, file_pool_threads_max + 1}) {
    const auto refused = FilePool::start(clock_, {.threads = threads});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument);
    EXPECT_NE(refused.error().message.find(std::to_string(threads)), std::string::npos);
  }
}

TEST_F(FilePoolTest, is_shared_by_shards) {
  const auto shared = pool(2);
  std::vector<std::thread> threads;
  for (int shard = 0; shard < 4; ++shard) {
    threads.emplace_back([&, shard] {
      Shard own(clock_, *shared);
      const auto all = [&]() -> Task<void> {
        TaskGroup group;
        for (int i = 0; i < 50; ++i) {
          const std::string name = std::to_string(shard) + '-' + std::to_string(i);
          group.start(write_once(own.files, directory_.path(name)));
        }
        co_await group.wait();
      };
      own.loop->run(all());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(FilePoolTest, lets_reads_pass_when_every_change_waits_for_the_disk) {
  const auto small = pool(4);
  Shard shard(clock_, *small);
  shard.loop->run(write_once(shard.files, directory_.path("0")));
  FailingCalls calls;
  const auto test = [&]() -> Task<void> {
    TaskGroup group;
    calls.gate(LibraryCall::fdatasync).close();
    for (int i = 0; i < 10; ++i) {
      group.start(write_once(shard.files, directory_.path(std::to_string(i))));
    }
    while (calls.count(LibraryCall::fdatasync) < 3) {
      co_await read_once(shard.files, directory_.path("0"));
    }
    co_await read_once(shard.files, directory_.path("0"));
    EXPECT_EQ(calls.count(LibraryCall::fdatasync), 3);  // one thread is left to others
    calls.gate(LibraryCall::fdatasync).open();
    co_await group.wait();
  };
  shard.loop->run(test());
}

TEST_F(FilePoolTest, lets_changes_pass_when_every_read_waits_for_the_disk) {
  const auto small = pool(4);
  Shard shard(clock_, *small);
  shard.loop->run(write_once(shard.files, directory_.path("0")));
  FailingCalls calls;
  const auto test = [&]() -> Task<void> {
    std::vector<FileHandle> handles;
    TaskGroup group;
    const auto file =
        (co_await shard.files.open(directory_.path("0"), OpenMode::read_write)).value();
    calls.gate(LibraryCall::pread).close();
    const auto read = [&]() -> Task<void> {
      std::byte byte{};
      EXPECT_TRUE(co_await shard.files.read(file, 0, MutableBytes(&byte, 1)));
    };
    for (int i = 0; i < 10; ++i) group.start(read());
    calls.gate(LibraryCall::pread).wait_for(3);
    const ByteView piece = as_bytes("text");
    EXPECT_TRUE(co_await shard.files.write(file, 0, std::span(&piece, 1)));
    EXPECT_EQ(calls.count(LibraryCall::pread), 3);
    calls.gate(LibraryCall::pread).open();
    co_await group.wait();
    EXPECT_TRUE(co_await shard.files.close(file));
  };
  shard.loop->run(test());
}

TEST_F(FilePoolTest, holds_so_many_operations_of_a_shard_and_the_rest_waits_there) {
  const auto single = pool(1);
  FileSystemOptions options = nothing_in_place();
  options.pool_operations_max = 2;
  Shard shard(clock_, *single, options);
  const auto test = [&]() -> Task<void> {
    TaskGroup group;
    for (int i = 0; i < 20; ++i) {
      group.start(write_once(shard.files, directory_.path(std::to_string(i))));
    }
    co_await group.wait();
    EXPECT_EQ((co_await shard.files.list(directory_.path())).value().size(), 20);
  };
  shard.loop->run(test());
}

TEST_F(FilePoolTest, carries_out_what_it_has_when_it_is_stopped_and_shards_do_the_rest_themselves) {
  const auto stopped = pool(2);
  Shard shard(clock_, *stopped);
  FailingCalls calls;
  const auto test = [&]() -> Task<void> {
    TaskGroup group;
    calls.gate(LibraryCall::fdatasync).close();
    group.start(write_once(shard.files, directory_.path("before")));
    const auto listed = co_await shard.files.list(directory_.path());
    EXPECT_TRUE(listed);
    std::thread disk([&] {
      calls.gate(LibraryCall::fdatasync).open();
      stopped->stop();
    });
    disk.join();
    co_await group.wait();
    co_await write_once(shard.files, directory_.path("after"));
    co_await read_once(shard.files, directory_.path("after"));
    co_await read_once(shard.files, directory_.path("before"));
  };
  shard.loop->run(test());
  stopped->stop();
}

}  // namespace
}  // namespace millrace
