// TCP on this machine's loopback, for tests: one loop, turned by the thread of the test.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "stream_conformance.hpp"

import millrace.runtime.streams;

namespace millrace {

// Files that are in memory and have a descriptor. Nothing but that is asked of them.
class DescribedFiles final : public FileSystem {
 public:
  ~DescribedFiles() override {
    for (const int descriptor : descriptors_) ::close(descriptor);
  }
  [[nodiscard]] FileRange add(ByteView bytes) {
    const int descriptor = ::memfd_create("file", MFD_CLOEXEC);
    descriptors_.push_back(descriptor);
    while (!bytes.empty()) {
      const auto written = ::write(descriptor, bytes.data(), bytes.size());
      EXPECT_GT(written, 0);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {.files = this,
            .file = FileHandle(descriptor),
            .position = 0,
            .length = static_cast<std::uint64_t>(::lseek(descriptor, 0, SEEK_END))};
  }

  [[nodiscard]] bool start(IoOperation& operation) override {
    operation.failed_ = true;
    return true;
  }
  [[nodiscard]] int descriptor(FileHandle file) const override { return file.value(); }

 private:
  std::vector<int> descriptors_;
};

class TcpUnderTest final : public NetworkUnderTest {
 public:
  [[nodiscard]] Network& network() override { return network_; }
  [[nodiscard]] Executor& executor() override { return *loop_; }
  void run(Task<void> task) override { loop_->run(std::move(task)); }
  [[nodiscard]] FileRange file_with(ByteView bytes) override { return files_.add(bytes); }

  [[nodiscard]] ShardLoop& loop() { return *loop_; }
  [[nodiscard]] const MemoryLogSink& log() const { return *sink_; }

 private:
  SystemClock clock_;
  std::shared_ptr<MemoryLogSink> sink_ = std::make_shared<MemoryLogSink>();
  std::unique_ptr<ShardLoop> loop_ = ShardLoop::make(clock_).value();
  TcpNetwork network_{*loop_, Logger(sink_, "network")};
  DescribedFiles files_;
};

}  // namespace millrace
