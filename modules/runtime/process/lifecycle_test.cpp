// Real processes: what they say, how they end. Also proves signal_thread.cpp,
// process_test_service.cpp.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "notify_socket.hpp"

import millrace.runtime.process;

namespace millrace {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

// The test service, as systemd would start it.
class Child {
 public:
  explicit Child(const std::vector<std::string>& arguments, const char* watchdog = nullptr) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    std::vector<std::string> words = {TEST_SERVICE};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    ::setenv("NOTIFY_SOCKET", systemd.name().c_str(), 1);
    if (watchdog != nullptr) ::setenv("WATCHDOG_USEC", watchdog, 1);
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(pipe[1], STDOUT_FILENO);
      ::dup2(pipe[1], STDERR_FILENO);
      ::execv(pointers[0], pointers.data());
      std::_Exit(127);
    }
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    ::close(pipe[1]);
    output_ = pipe[0];
  }
  ~Child() {
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    ::close(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void send(int signal) const { EXPECT_EQ(::kill(process_, signal), 0); }

  // Hears messages until one begins so.
  [[nodiscard]] bool tells(std::string_view beginning) const {
    for (;;) {
      const std::string message = systemd.hear();
      if (message.starts_with(beginning)) return true;
      if (message.empty()) return false;
    }
  }

  // Everything that it has printed, after its end.
  [[nodiscard]] std::string output() {
    std::string all;
    std::array<char, 4096> buffer{};
    for (;;) {
      const auto count = ::read(output_, buffer.data(), buffer.size());
      if (count <= 0) return all;
      all.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }

  // 1000 and the number of the signal, if one ended it.
  [[nodiscard]] int exit_code() {
    int status = 0;
    EXPECT_EQ(::waitpid(process_, &status, 0), process_);
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  NotifySocket systemd;

 private:
  pid_t process_ = -1;
  int output_ = -1;
};

TEST(ProcessLifecycle, starts_says_ready_and_stops_when_asked) {
  for (const int signal : {SIGTERM, SIGINT}) {
    Child child({"--set", "millrace.shards=3"});
    EXPECT_EQ(child.systemd.hear(), "READY=1\nSTATUS=serving 3 shards PID=1");
    child.send(signal);
    EXPECT_TRUE(child.tells("STOPPING=1\n"));
    const std::string output = child.output();
    EXPECT_EQ(child.exit_code(), 0);
    EXPECT_THAT(output, HasSubstr("millrace-test 0.0.1 runs on 3 shards"));
    EXPECT_THAT(output, HasSubstr("ready: serving 3 shards"));
    EXPECT_THAT(output, HasSubstr(signal == SIGTERM ? "SIGTERM asks to stop; within 30 s"
                                                    : "SIGINT asks to stop; within 30 s"));
    EXPECT_THAT(output, HasSubstr("stopped"));
  }
}

TEST(ProcessLifecycle, has_a_shard_for_every_two_cores_unless_told_otherwise) {
  Child child({});
  EXPECT_THAT(child.systemd.hear(),
              StartsWith("READY=1\nSTATUS=serving " +
                         std::to_string(std::max<std::size_t>(usable_cores().size() / 2, 1))));
  child.send(SIGTERM);
  EXPECT_EQ(child.exit_code(), 0);
}

TEST(ProcessLifecycle, stops_while_it_still_starts) {
  Child child({"--behave", "slow-start"});
  EXPECT_EQ(child.systemd.hear(), "STATUS=recovering");
  child.send(SIGTERM);
  EXPECT_EQ(child.exit_code(), 0);
}

TEST(ProcessLifecycle, goes_on_stopping_when_it_is_asked_again) {
  Child child({"--behave", "hang-stop", "--deadline-ms", "1500"});
  EXPECT_TRUE(child.tells("READY=1"));
  child.send(SIGTERM);
  EXPECT_TRUE(child.tells("STOPPING=1"));
  for (const int signal : {SIGTERM, SIGINT, SIGTERM}) child.send(signal);
  EXPECT_EQ(child.exit_code(), static_cast<int>(ExitCode::stop_deadline));
  EXPECT_THAT(child.output(), HasSubstr("again: the stop goes on"));
}

TEST(ProcessLifecycle, ends_at_its_deadline_when_it_does_not_stop) {
  Child child({"--behave", "hang-stop", "--deadline-ms", "50"});
  EXPECT_TRUE(child.tells("READY=1"));
  child.send(SIGTERM);
  EXPECT_EQ(child.exit_code(), static_cast<int>(ExitCode::stop_deadline));
  EXPECT_THAT(child.output(), HasSubstr("did not stop in time"));
}

TEST(ProcessLifecycle, names_the_shard_that_hangs) {
  Child child({"--behave", "hang-shard", "--deadline-ms", "3500", "--set", "millrace.shards=2"});
  EXPECT_TRUE(child.tells("READY=1"));
  child.send(SIGTERM);
  EXPECT_EQ(child.exit_code(), static_cast<int>(ExitCode::stop_deadline));
  const std::string output = child.output();
  EXPECT_THAT(output, ContainsRegex("shard 0 hangs: its turn has run for [0-9]+ s"));
  EXPECT_THAT(output, ContainsRegex("did not stop in time: shard 0 hangs for [0-9]+ s"));
}

TEST(ProcessLifecycle, is_well_for_the_watchdog_as_long_as_its_shards_turn) {
  Child child({}, "100000");
  EXPECT_TRUE(child.tells("READY=1"));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(child.tells("WATCHDOG=1"));
  child.send(SIGTERM);
  EXPECT_EQ(child.exit_code(), 0);
}

TEST(ProcessLifecycle, is_not_well_for_the_watchdog_when_a_shard_hangs) {
  Child child({"--behave", "hang-shard"}, "100000");
  EXPECT_TRUE(child.tells("READY=1"));
  // It may be well a few times more, and then no longer.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  child.send(SIGTERM);
  int well = 0;
  while (child.systemd.hear() == "WATCHDOG=1") ++well;  // until it tells that it stops
  EXPECT_LT(well, 4);
  child.send(SIGKILL);
  EXPECT_EQ(child.exit_code(), 1000 + SIGKILL);
}

TEST(ProcessLifecycle, goes_on_at_signals_that_ask_for_nothing) {
  Child child({});
  EXPECT_TRUE(child.tells("READY=1"));
  child.send(SIGHUP);
  child.send(SIGPIPE);
  child.send(SIGXFSZ);
  child.send(SIGHUP);
  child.send(SIGTERM);
  EXPECT_EQ(child.exit_code(), 0);
  EXPECT_THAT(child.output(), HasSubstr("SIGHUP: there is nothing to reload"));
}

TEST(ProcessLifecycle, serves_its_metrics_where_it_is_told) {
  Child child({"--set", "millrace.metrics.listener=127.0.0.1:0"});
  EXPECT_TRUE(child.tells("READY=1"));
  child.send(SIGTERM);
  EXPECT_EQ(child.exit_code(), 0);
  EXPECT_THAT(child.output(), ContainsRegex("metrics at http://127.0.0.1:[1-9][0-9]*/metrics"));
}

TEST(ProcessLifecycle, does_not_start_without_a_place_for_its_metrics) {
  Child child({"--set", "millrace.metrics.listener=192.0.2.1:9644"});
  EXPECT_EQ(child.exit_code(), static_cast<int>(ExitCode::failure));
  EXPECT_THAT(child.output(), HasSubstr("cannot listen at 192.0.2.1:9644"));
  Child wrong({"--set", "millrace.metrics.listener=9644"});
  EXPECT_EQ(wrong.exit_code(), static_cast<int>(ExitCode::failure));
  EXPECT_THAT(wrong.output(), HasSubstr("an address must end in a port"));
}

TEST(ProcessLifecycle, an_error_of_the_service_is_its_last_word) {
  Child child({"--behave", "fail"});
  EXPECT_EQ(child.exit_code(), static_cast<int>(ExitCode::failure));
  EXPECT_THAT(child.output(), HasSubstr("the disk is on fire"));
}

TEST(ProcessLifecycle, a_service_may_give_up_by_itself) {
  Child child({"--behave", "give-up"});
  EXPECT_TRUE(child.tells("STOPPING=1"));
  EXPECT_EQ(child.exit_code(), 0);
}

TEST(ProcessLifecycle, prints_help_and_version_on_standard_output) {
  Child version({"--version"});
  EXPECT_EQ(version.exit_code(), 0);
  EXPECT_EQ(version.output(), "millrace-test 0.0.1\n");
  Child help({"--help"});
  EXPECT_EQ(help.exit_code(), 0);
  EXPECT_THAT(help.output(), HasSubstr("--config"));
}

TEST(ProcessLifecycle, refuses_a_wrong_command_line_and_a_wrong_configuration) {
  Child wrong_option({"--no-such-option"});
  EXPECT_EQ(wrong_option.exit_code(), static_cast<int>(ExitCode::usage));
  Child wrong_value({"--set", "num.partitions=none"});
  EXPECT_EQ(wrong_value.exit_code(), static_cast<int>(ExitCode::configuration));
  EXPECT_THAT(wrong_value.output(), HasSubstr("error: command line: num.partitions=none"));
  Child no_file({"--config", "/no/such/file"});
  EXPECT_EQ(no_file.exit_code(), static_cast<int>(ExitCode::configuration));
  EXPECT_THAT(no_file.output(), HasSubstr("/no/such/file"));
}

TEST(ProcessLifecycle, reads_its_file_and_the_command_line_over_it) {
  const std::string path = testing::TempDir() + "lifecycle-" + std::to_string(::getpid());
  std::ofstream(path) << "millrace.shards=2\n";
  Child from_file({"--config", path});
  EXPECT_THAT(from_file.systemd.hear(), HasSubstr("serving 2 shards"));
  Child over_it({"--config", path, "--set", "millrace.shards=1"});
  EXPECT_THAT(over_it.systemd.hear(), HasSubstr("serving 1 shards"));
  std::remove(path.c_str());
}

// Whenever it is killed, nothing of it is left and a new one starts.
TEST(ProcessLifecycle, can_be_killed_at_any_time) {
  for (int i = 0; i < 10; ++i) {
    Child child({});
    if (i % 2 == 0) EXPECT_TRUE(child.tells("READY=1"));
    if (i % 4 == 0) child.send(SIGTERM);
    child.send(SIGKILL);
    const int code = child.exit_code();
    EXPECT_TRUE(code == 1000 + SIGKILL || code == 0) << code;
  }
}

}  // namespace
}  // namespace millrace
