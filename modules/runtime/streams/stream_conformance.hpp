// What every Network and its streams must do, as tests over any of them. A test program links
// stream_conformance*.cpp and names its implementations:
//   INSTANTIATE_TEST_SUITE_P(Simulated, StreamConformance, testing::Values(...), name_of_case);
#pragma once

#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.runtime.streams;

namespace millrace {

// An implementation, ready for one test.
class NetworkUnderTest {
 public:
  virtual ~NetworkUnderTest() = default;
  [[nodiscard]] virtual Network& network() = 0;
  [[nodiscard]] virtual Executor& executor() = 0;
  // Starts the task where the network runs, and returns when it has ended. A task that cannot end
  // is a failure of the test.
  virtual void run(Task<void> task) = 0;
  // A file with these bytes, until the test ends.
  [[nodiscard]] virtual FileRange file_with(ByteView bytes) = 0;
};

struct NetworkCase {
  std::string name;
  std::function<std::unique_ptr<NetworkUnderTest>()> make;

  friend void PrintTo(const NetworkCase& shown, std::ostream* out) { *out << shown.name; }
};

[[nodiscard]] inline std::string name_of_case(const testing::TestParamInfo<NetworkCase>& info) {
  return info.param.name;
}

// Bytes that show where they belong.
[[nodiscard]] std::vector<std::byte> numbered_bytes(std::size_t count);

// Two ends of one connection.
struct Ends {
  std::unique_ptr<ByteStream> client;
  std::unique_ptr<ByteStream> server;
};

class StreamConformance : public testing::TestWithParam<NetworkCase> {
 protected:
  void SetUp() override { under_test_ = GetParam().make(); }

  void run(Task<void> task) { under_test_->run(std::move(task)); }
  [[nodiscard]] Network& network() { return under_test_->network(); }
  [[nodiscard]] Executor& executor() { return under_test_->executor(); }
  [[nodiscard]] FileRange file_with(ByteView bytes) { return under_test_->file_with(bytes); }
  [[nodiscard]] MonotonicTime in(Duration duration) { return executor().clock().now() + duration; }

  [[nodiscard]] std::unique_ptr<Listener> listen();
  // Connects to the listener and accepts.
  [[nodiscard]] Task<Ends> connect(Listener& listener);
  [[nodiscard]] Task<Ends> connect();

  // Reads until `count` bytes, the end or an error have come.
  [[nodiscard]] Task<std::vector<std::byte>> read_all(ByteStream& stream, std::size_t count);
  [[nodiscard]] Task<bool> write_all(ByteStream& stream, ByteView bytes);

 private:
  std::unique_ptr<NetworkUnderTest> under_test_;
};

}  // namespace millrace
