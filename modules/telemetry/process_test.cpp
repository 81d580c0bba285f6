#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "exposition_parser.hpp"

import millrace.base;
import millrace.telemetry;

namespace millrace::telemetry {
namespace {

constexpr ShardIndex shard{0};

// As the kernel writes it, of a program whose name is meant to confuse.
constexpr std::string_view own_stat =
    "4711 (a) R 1 2 (b)) S 1 4711 4711 0 -1 4194560 1189 0 3 0 250 125 7 8 20 0 9 0 360000 "
    "2306867200 51200 18446744073709551615 1 1 0 0 0 0 0 4096 0 0 0 0 17 1 0 0 0 0 0\n";
constexpr std::string_view machine_stat =
    "cpu  10 0 20 300\ncpu0 10 0 20 300\nintr 5\nctxt 7\nbtime 1700000000\nprocesses 42\n";

// A folder that looks like /proc and ends with the test.
class FakeProc {
 public:
  FakeProc() {
    std::filesystem::create_directories(path_ / "self/fd");
    write("self/stat", own_stat);
    write("stat", machine_stat);
  }
  ~FakeProc() { std::filesystem::remove_all(path_); }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  void write(const std::string& name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(path_ / name); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_ =
      std::filesystem::path(::testing::TempDir()) / ("millrace_proc_" + std::to_string(::getpid()));
};

std::string shown(const Registry& registry, const std::string& name) {
  return test::ExpositionParser(exposition_text(registry)).value(name);
}

TEST(ProcessStat, is_read_past_any_program_name) {
  EXPECT_EQ(parse_process_stat(own_stat).value(), (ProcessStat{.user_ticks = 250,
                                                               .system_ticks = 125,
                                                               .start_ticks = 360'000,
                                                               .threads = 9,
                                                               .virtual_bytes = 2'306'867'200,
                                                               .resident_pages = 51'200}));
}

TEST(ProcessStat, what_is_cut_off_is_corrupt_and_not_a_smaller_number) {
  // The last number that is read ends before this field.
  const std::size_t needed = own_stat.find(" 18446744073709551615");
  for (std::size_t length = 0; length < needed - 5; ++length) {
    EXPECT_FALSE(parse_process_stat(own_stat.substr(0, length))) << length;
  }
  EXPECT_TRUE(parse_process_stat(own_stat.substr(0, needed)));
}

TEST(ProcessStat, what_is_no_number_is_corrupt) {
  for (const std::string_view text :
       {"", ")", "1 (a) S", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x 2 3 4 5 6 7 8 9 10 11",
        "1 (a) S 1 2 3 4 5 6 7 8 9 10 -1 2 3 4 5 6 7 8 9 10 11",
        "1 (a) S 1 2 3 4 5 6 7 8 9 10 1x 2 3 4 5 6 7 8 9 10 11",
        "1 (a) S 1 2 3 4 5 6 7 8 9 10 99999999999999999999 2 3 4 5 6 7 8 9 10 11"}) {
    EXPECT_EQ(parse_process_stat(text).error().kind, ErrorKind::corrupt) << text;
  }
}

TEST(ProcessStat, boot_time_is_found_or_corrupt) {
  EXPECT_EQ(parse_boot_time(machine_stat).value(), 1'700'000'000u);
  for (const std::string_view text :
       {"", "btime", "cpu 1\nbtime \n", "cpu 1\nbtime x\n", "cpu 1\nxbtime 5\n",
        "cpu 1\nbtime 99999999999999999\n", "cpu 1\nbtime 5s\n"}) {
    EXPECT_EQ(parse_boot_time(text).error().kind, ErrorKind::corrupt) << text;
  }
}

RC_GTEST_PROP(ProcessStat, any_text_is_read_or_refused, (const std::string& text)) {
  static_cast<void>(parse_process_stat(text));
  static_cast<void>(parse_process_stat("1 (a" + text + ") S " + text));
  static_cast<void>(parse_boot_time("\nbtime " + text));
}

TEST(ProcessMetrics, show_what_the_kernel_tells) {
  const FakeProc proc;
  Registry registry(1);
  auto metrics = ProcessMetrics::create(registry, shard, proc.path());
  ASSERT_TRUE(metrics);
  proc.write("self/fd/0", "");
  proc.write("self/fd/1", "");
  ASSERT_TRUE(metrics->sample());
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  EXPECT_DOUBLE_EQ(std::stod(shown(registry, "process_cpu_seconds_total")), 375 / ticks);
  EXPECT_DOUBLE_EQ(std::stod(shown(registry, "process_start_time_seconds")),
                   1'700'000'000 + 360'000 / ticks);
  EXPECT_EQ(shown(registry, "process_resident_memory_bytes"),
            std::to_string(51'200 * ::sysconf(_SC_PAGESIZE)));
  EXPECT_EQ(shown(registry, "process_virtual_memory_bytes"), "2306867200");
  EXPECT_EQ(shown(registry, "process_threads"), "9");
  EXPECT_EQ(shown(registry, "process_open_fds"), "2");
  ::rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(shown(registry, "process_max_fds"), std::to_string(limit.rlim_cur));
}

TEST(ProcessMetrics, keep_their_numbers_when_proc_cannot_be_read) {
  const FakeProc proc;
  Registry registry(1);
  auto metrics = ProcessMetrics::create(registry, shard, proc.path());
  ASSERT_TRUE(metrics->sample());
  proc.remove("self/fd");
  proc.write("self/stat", "1 (a) S 1 2 3 4 5 6 7 8 9 10 1 2 3 4 5 6 7 8 9 10 11");
  EXPECT_EQ(metrics->sample().error().kind, ErrorKind::io);
  proc.write("stat", "nothing");
  EXPECT_EQ(metrics->sample().error().kind, ErrorKind::corrupt);
  proc.remove("stat");
  EXPECT_EQ(metrics->sample().error().kind, ErrorKind::io);
  proc.write("self/stat", "nothing");
  EXPECT_EQ(metrics->sample().error().kind, ErrorKind::corrupt);
  proc.remove("self/stat");
  const auto failed = metrics->sample();
  EXPECT_EQ(failed.error().kind, ErrorKind::io);
  EXPECT_NE(failed.error().message.find("self/stat: No such file"), std::string::npos)
      << failed.error().message;
  EXPECT_EQ(shown(registry, "process_threads"), "9");
}

TEST(ProcessMetrics, numbers_too_large_to_be_true_do_no_harm) {
  const FakeProc proc;
  const std::string huge = " 18446744073709551615";
  std::string text = "1 (a) S 1 2 3 4 5 6 7 8 9 10";
  for (int i = 0; i < 11; ++i) text += huge;
  proc.write("self/stat", text);
  Registry registry(1);
  auto metrics = ProcessMetrics::create(registry, shard, proc.path());
  EXPECT_TRUE(metrics->sample());
}

TEST(ProcessMetrics, of_this_process_are_plausible) {
  Registry registry(1);
  auto metrics = ProcessMetrics::create(registry, shard);
  ASSERT_TRUE(metrics->sample());
  const auto before = std::stoull(shown(registry, "process_open_fds"));
  const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(descriptor, 0);
  ASSERT_TRUE(metrics->sample());
  EXPECT_EQ(std::stoull(shown(registry, "process_open_fds")), before + 1);
  ::close(descriptor);
  const double now = static_cast<double>(std::time(nullptr));
  const double started = std::stod(shown(registry, "process_start_time_seconds"));
  EXPECT_LE(started, now + 5);
  EXPECT_GE(started, now - 24 * 3600);
  EXPECT_GT(std::stoull(shown(registry, "process_resident_memory_bytes")), 100'000u);
  EXPECT_GE(std::stoull(shown(registry, "process_virtual_memory_bytes")),
            std::stoull(shown(registry, "process_resident_memory_bytes")));
  EXPECT_GE(std::stoull(shown(registry, "process_threads")), 1u);
}

TEST(ProcessMetrics, descriptors_are_counted_where_the_kernel_does_not_tell) {
  Registry registry(1);
  auto metrics = ProcessMetrics::create(registry, shard);
  ASSERT_TRUE(metrics->sample());
  const std::string told = shown(registry, "process_open_fds");
  // By another name: its size is not asked for.
  auto counting = ProcessMetrics::create(registry, shard, "/proc/");
  ASSERT_TRUE(counting->sample());
  EXPECT_EQ(shown(registry, "process_open_fds"), told);
}

TEST(BuildInfo, is_a_gauge_of_1) {
  Registry registry(1);
  const auto gauge = publish_build(registry, shard, {.version = "1.2.3", .revision = "abc"});
  ASSERT_TRUE(gauge);
  const test::ExpositionParser parsed(exposition_text(registry));
  EXPECT_EQ(parsed.value("millrace_build_info", {{"version", "1.2.3"}, {"revision", "abc"}}), "1");
}

}  // namespace
}  // namespace millrace::telemetry
