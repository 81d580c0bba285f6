// What the base of all streams does, whatever they carry. Also proves stream.cppm.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <string>
#include <vector>

import millrace.runtime.streams;

namespace millrace {
namespace {

using namespace std::chrono_literals;

// Does what it is told.
class ScriptedStream final : public ByteStream {
 public:
  explicit ScriptedStream(Executor& executor)
      : ByteStream(executor, address_from_string("127.0.0.1", Port{1}).value(),
                   address_from_string("127.0.0.1", Port{2}).value()) {}
  ~ScriptedStream() override { close_at_end(); }

  [[nodiscard]] bool takes_files() const override { return false; }
  void shutdown_writes() override {}

  void read_ready() {
    blocked = false;
    retry_read();
  }

  bool blocked = true;
  int again = 0;  // so many attempts ask for another one
  int attempts = 0;
  int closed = 0;

 private:
  [[nodiscard]] Progress attempt(StreamOperation& operation) override {
    ++attempts;
    if (blocked) return Progress::blocked;
    if (again-- > 0) {
      retry_read();  // as something that changes meanwhile might
      retry_write();
      return Progress::again;
    }
    operation.done_ = 1;
    return Progress::ended;
  }
  void close_connection() override { ++closed; }
};

struct Reader {
  Task<void> read(ByteStream& stream, MonotonicTime deadline = no_deadline) {
    std::array<std::byte, 8> buffer;
    const auto read = co_await stream.read(buffer, deadline);
    result = read ? formatted("{}", *read) : std::string(name_of(read.error().fault));
  }
  std::string result;
};

TEST(ByteStream, resumes_the_reader_in_a_later_turn) {
  SimulatedExecutor executor;
  ScriptedStream stream(executor);
  TaskGroup group;
  Reader reader;
  group.start(reader.read(stream));
  EXPECT_EQ(stream.attempts, 1);
  stream.read_ready();
  EXPECT_EQ(reader.result, "");
  executor.run_until_idle();
  EXPECT_EQ(reader.result, "1");
}

TEST(ByteStream, goes_on_with_long_work_after_others) {
  SimulatedExecutor executor;
  ScriptedStream stream(executor);
  stream.blocked = false;
  stream.again = 3;
  TaskGroup group;
  Reader reader;
  group.start(reader.read(stream));
  EXPECT_EQ(stream.attempts, 1);
  executor.run_until_idle();
  EXPECT_EQ(stream.attempts, 4);
  EXPECT_EQ(reader.result, "1");
}

TEST(ByteStream, what_is_given_up_in_the_middle_of_long_work_ends_once) {
  SimulatedExecutor executor;
  ScriptedStream stream(executor);
  stream.blocked = false;
  stream.again = 1000;
  TaskGroup group;
  Reader reader;
  group.start(reader.read(stream));
  stream.cancel();
  stream.cancel();
  executor.run_until_idle();
  EXPECT_EQ(reader.result, "cancelled");
  EXPECT_EQ(stream.attempts, 1);
}

TEST(ByteStream, what_came_in_time_is_not_late) {
  SimulatedExecutor executor;
  ScriptedStream stream(executor);
  TaskGroup group;
  Reader reader;
  group.start(reader.read(stream, executor.clock().now() + 1ms));
  executor.manual_clock().advance(1ms);
  stream.read_ready();
  executor.advance(1ms);
  EXPECT_EQ(reader.result, "1");
}

TEST(ByteStream, a_deadline_in_the_past_ends_only_what_would_wait) {
  SimulatedExecutor executor;
  executor.advance(1s);
  ScriptedStream stream(executor);
  TaskGroup group;
  Reader late;
  group.start(late.read(stream, MonotonicTime{}));
  executor.run_until_idle();
  EXPECT_EQ(late.result, "timed out");
  stream.blocked = false;
  Reader ready;
  group.start(ready.read(stream, MonotonicTime{}));
  executor.run_until_idle();
  EXPECT_EQ(ready.result, "1");
}

TEST(ByteStream, closes_its_connection_once) {
  SimulatedExecutor executor;
  ScriptedStream stream(executor);
  stream.close();
  stream.close();
  EXPECT_EQ(stream.closed, 1);
}

TEST(StreamError, is_told_with_peer_and_number) {
  const auto peer = address_from_string("192.0.2.1", Port{50412}).value();
  EXPECT_EQ(describe({.fault = StreamFault::reset, .number = 104, .operation = "read"}, peer),
            "read 192.0.2.1:50412: reset (errno 104)");
  EXPECT_EQ(describe({.fault = StreamFault::timed_out, .number = 0, .operation = "write"}, peer),
            "write 192.0.2.1:50412: timed out");
}

TEST(StreamError, of_the_system_is_one_of_ours) {
  EXPECT_EQ(stream_fault_of(EPIPE), StreamFault::reset);
  EXPECT_EQ(stream_fault_of(ECONNREFUSED), StreamFault::refused);
  EXPECT_EQ(stream_fault_of(EHOSTUNREACH), StreamFault::unreachable);
  EXPECT_EQ(stream_fault_of(EADDRINUSE), StreamFault::address_in_use);
  EXPECT_EQ(stream_fault_of(EACCES), StreamFault::denied);
  EXPECT_EQ(stream_fault_of(ENFILE), StreamFault::too_many_open);
  EXPECT_EQ(stream_fault_of(EIO), StreamFault::file);
  EXPECT_EQ(stream_fault_of(EINVAL), StreamFault::failed);
}

}  // namespace
}  // namespace millrace
