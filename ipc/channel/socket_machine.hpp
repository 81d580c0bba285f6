// A loop, a directory and a listener for tests of channels between processes.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>  // mkdtemp
#include <unistd.h>

#include <coroutine>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "channel_conformance.hpp"

import millrace.ipc.channel;
import millrace.runtime.shard;

namespace millrace::ipc {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "channel-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct SocketMachine {
  SystemClock clock;
  TemporaryDirectory directory;
  std::string path = directory.path() + "/coordinator.socket";
  std::shared_ptr<MemoryLogSink> lines = std::make_shared<MemoryLogSink>();
  Logger log{lines, "test"};
  std::unique_ptr<ShardLoop> loop = ShardLoop::make(clock).value();

  [[nodiscard]] ChannelResult<std::unique_ptr<ChannelListener>> listen(
      ChannelOptions options = {}) const {
    return ChannelListener::listen(*loop, log, path, options);
  }
  [[nodiscard]] MonotonicTime soon() const { return clock.now() + std::chrono::seconds{60}; }
};

// Both ends on one loop: the left one listens.
inline Task<ChannelEnds> connect_both(const SocketMachine& machine, ChannelListener& listener,
                                      ChannelOptions options) {
  ChannelEnds ends;
  const auto accept_one = [&]() -> Task<void> {
    auto accepted = co_await listener.accept();
    EXPECT_TRUE(accepted) << describe(accepted.error());
    if (accepted) ends.left = std::move(*accepted);
  };
  TaskGroup group;
  group.start(accept_one());
  auto connected = co_await connect(*machine.loop, machine.path, options, machine.soon());
  EXPECT_TRUE(connected) << describe(connected.error());
  if (connected) ends.right = std::move(*connected);
  co_await group.wait();
  co_return ends;
}

}  // namespace millrace::ipc
