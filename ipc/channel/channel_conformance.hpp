// What every pair of channels must do, as tests over any of them. A test program links
// channel_conformance.cpp and names its implementations:
//   INSTANTIATE_TEST_SUITE_P(Simulated, ChannelConformance, testing::Values(...), name_of_case);
#pragma once

#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

import millrace.ipc.channel;

namespace millrace::ipc {

struct ChannelEnds {
  std::unique_ptr<Channel> left;
  std::unique_ptr<Channel> right;
};

// An implementation, ready for one test.
class ChannelUnderTest {
 public:
  virtual ~ChannelUnderTest() = default;
  [[nodiscard]] virtual Executor& executor() = 0;
  // Starts the task where the channels live, and returns when it has ended. A task that cannot end
  // is a failure of the test.
  virtual void run(Task<void> task) = 0;
  [[nodiscard]] virtual Task<ChannelEnds> connect(ChannelOptions options) = 0;
};

struct ChannelCase {
  std::string name;
  std::function<std::unique_ptr<ChannelUnderTest>()> make;

  friend void PrintTo(const ChannelCase& shown, std::ostream* out) { *out << shown.name; }
};

[[nodiscard]] inline std::string name_of_case(const testing::TestParamInfo<ChannelCase>& info) {
  return info.param.name;
}

// Bytes that show which message they are and where they belong.
[[nodiscard]] std::vector<std::byte> message_of(std::size_t bytes, std::uint64_t number);

class ChannelConformance : public testing::TestWithParam<ChannelCase> {
 protected:
  void SetUp() override { under_test_ = GetParam().make(); }
  // Runs a test on both ends and closes them.
  void run(ChannelOptions options, const std::function<Task<void>(ChannelEnds&)>& test);

  [[nodiscard]] Executor& executor() { return under_test_->executor(); }

 private:
  std::unique_ptr<ChannelUnderTest> under_test_;
};

}  // namespace millrace::ipc
