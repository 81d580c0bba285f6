#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

import millrace.base;

namespace millrace {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::MatchesRegex;
using Line = MemoryLogSink::Line;

struct Unprintable {};
std::string to_string(Unprintable) {
  throw std::logic_error("this must not be formatted");
}

// A logger whose lines can be looked at.
struct Logged {
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  const Logger log{sink, "broker"};

  std::vector<std::string> messages() const {
    std::vector<std::string> messages;
    for (const Line& line : sink->lines()) messages.push_back(line.message);
    return messages;
  }
  std::string message_of(std::string_view text) {
    log.info("{}", text);
    return sink->lines().back().message;
  }
};

TEST(Logger, writes_level_component_and_formatted_message) {
  Logged logged;
  logged.log.warning("{} is behind by {}", "orders-3", Offset{12});
  logged.log.error("gone");
  EXPECT_EQ(logged.sink->lines(),
            (std::vector<Line>{{LogLevel::warning, "broker", "orders-3 is behind by 12"},
                               {LogLevel::error, "broker", "gone"}}));
}

TEST(Logger, a_child_carries_a_longer_name) {
  Logged logged;
  logged.log.child("network").info("up");
  EXPECT_EQ(logged.sink->lines().front().component, "broker.network");
}

TEST(Logger, a_component_is_one_line_too) {
  Logged logged;
  logged.log.child("a\n").child("b").info("up");
  EXPECT_EQ(logged.sink->lines().front().component, "broker.a\\n.b");
}

TEST(Logger, leaves_out_what_is_below_the_threshold) {
  Logged logged;
  logged.log.debug("not by default");
  logged.sink->set_threshold(LogLevel::debug);
  logged.log.debug("now");
  logged.sink->set_threshold(LogLevel::error);
  logged.log.warning("not any more");
  EXPECT_EQ(logged.messages(), std::vector<std::string>{"now"});
}

TEST(Logger, does_not_format_what_it_leaves_out) {
  Logged logged;
  logged.log.debug("{}", Unprintable{});  // its to_string() would end the test
  EXPECT_TRUE(logged.messages().empty());
}

TEST(Logger, a_line_stays_one_line) {
  Logged logged;
  EXPECT_EQ(logged.message_of("a\nb\r\tc"), "a\\nb\\r\\tc");
  EXPECT_EQ(logged.message_of(std::string_view("\0\x1b[31m\x7f", 7)), "\\x00\\x1b[31m\\x7f");
}

TEST(Logger, an_escape_cannot_be_forged) {
  Logged logged;
  EXPECT_EQ(logged.message_of("\\n"), "\\\\n");
}

TEST(Logger, unicode_that_breaks_lines_or_turns_text_is_escaped) {
  Logged logged;
  EXPECT_EQ(logged.message_of("a\u2028b\u0085c\u202ed\u2066e"),
            "a\\u{2028}b\\u{0085}c\\u{202e}d\\u{2066}e");
  EXPECT_EQ(logged.message_of("zażółć 😀 \ufffd"), "zażółć 😀 \ufffd");
}

TEST(Logger, bytes_that_are_not_utf8_are_escaped) {
  Logged logged;
  EXPECT_EQ(logged.message_of("\xff|\xe2\x82|\xed\xa0\x80"), "\\xff|\\xe2\\x82|\\xed\\xa0\\x80");
}

TEST(Logger, cuts_what_is_too_long_and_says_so) {
  Logged logged;
  EXPECT_EQ(logged.message_of(std::string(log_message_bytes_max, 'x')),
            std::string(log_message_bytes_max, 'x'));
  EXPECT_EQ(logged.message_of(std::string(log_message_bytes_max + 5, 'x')),
            std::string(log_message_bytes_max, 'x') + "... (5 more bytes)");
  const std::string grown = logged.message_of(std::string(100'000, '\n'));
  EXPECT_LE(grown.size(), log_message_bytes_max + 64);
  EXPECT_THAT(grown, HasSubstr("(95904 more bytes)"));
}

RC_GTEST_PROP(Logger, whatever_is_logged_is_one_clean_line, (std::string text)) {
  Logged logged;
  const std::string line = logged.message_of(text);
  for (const char character : line) {
    RC_ASSERT(static_cast<unsigned char>(character) >= 0x20 && character != 0x7f);
  }
  for (ByteView rest = as_bytes(line); !rest.empty();) {
    const Utf8Character character = first_utf8_character(rest);
    RC_ASSERT(character.valid);
    rest = rest.subspan(character.bytes);
  }
}

TEST(LogLevel, is_read_by_name) {
  for (const LogLevel level :
       {LogLevel::debug, LogLevel::info, LogLevel::warning, LogLevel::error}) {
    EXPECT_EQ(log_level_from_string(name_of(level)).value(), level);
  }
  EXPECT_THAT(log_level_from_string("verbose").error().message, HasSubstr("debug, info, warning"));
  EXPECT_FALSE(log_level_from_string("").has_value());
}

// Three lines in ten seconds.
struct Limited : Logged {
  ManualClock clock;
  const LimitedLogger limited{log, clock, {3, std::chrono::seconds{10}}};

  void flood(int lines) {
    for (int i = 0; i < lines; ++i) limited.warning("bad frame {}", i);
  }
};

TEST(LimitedLogger, writes_up_to_the_rate_and_counts_the_rest) {
  Limited logged;
  logged.flood(1000);
  EXPECT_EQ(logged.messages(),
            (std::vector<std::string>{"bad frame 0", "bad frame 1", "bad frame 2"}));
  EXPECT_EQ(logged.limited.suppressed(), 997u);
}

TEST(LimitedLogger, tells_what_it_left_out_before_the_next_line) {
  Limited logged;
  logged.flood(5);
  logged.clock.advance(std::chrono::seconds{10});
  logged.limited.info("better now");
  EXPECT_EQ(logged.sink->lines().at(3),
            (Line{LogLevel::warning, "broker", "2 similar lines left out"}));
  EXPECT_EQ(logged.sink->lines().at(4), (Line{LogLevel::info, "broker", "better now"}));
  EXPECT_EQ(logged.limited.suppressed(), 0u);
}

TEST(LimitedLogger, a_new_period_begins_with_a_line_after_the_old_one) {
  Limited logged;
  logged.flood(3);
  logged.clock.advance(std::chrono::milliseconds{9999});
  logged.flood(1);
  EXPECT_EQ(logged.messages().size(), 3u);
  logged.clock.advance(std::chrono::milliseconds{1});
  logged.flood(9);
  EXPECT_EQ(logged.messages().size(), 3u + 1u + 3u) << "three lines and one report";
}

TEST(LimitedLogger, reports_on_request_and_only_once) {
  Limited logged;
  logged.flood(4);
  logged.limited.report_suppressed();
  logged.limited.report_suppressed();
  EXPECT_EQ(logged.messages().size(), 4u);
  EXPECT_EQ(logged.messages().back(), "1 similar lines left out");
}

TEST(LimitedLogger, reports_what_it_left_out_at_its_end) {
  Logged logged;
  {
    const ManualClock clock;
    const LimitedLogger limited(logged.log, clock, {1, std::chrono::seconds{1}});
    limited.error("one");
    limited.error("two");
  }
  EXPECT_EQ(logged.messages(), (std::vector<std::string>{"one", "1 similar lines left out"}));
}

TEST(LimitedLogger, lines_below_the_threshold_do_not_count) {
  Limited logged;
  for (int i = 0; i < 100; ++i) logged.limited.debug("chatter");
  logged.flood(1);
  EXPECT_EQ(logged.messages(), std::vector<std::string>{"bad frame 0"});
  EXPECT_EQ(logged.limited.suppressed(), 0u);
}

TEST(MemoryLogSink, keeps_the_last_lines_only) {
  const auto sink = std::make_shared<MemoryLogSink>(2);
  const Logger log(sink, "test");
  for (int i = 0; i < 5; ++i) log.info("{}", i);
  ASSERT_EQ(sink->lines().size(), 2u);
  EXPECT_EQ(sink->lines().front().message, "3");
}

TEST(MemoryLogSink, takes_lines_from_many_threads) {
  Logged logged;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([log = logged.log] {
      for (int i = 0; i < 100; ++i) log.info("line {}", i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(logged.sink->lines().size(), 400u);
}

std::string written_to_stderr(LogFormat format) {
  testing::internal::CaptureStderr();
  {
    const auto sink = make_stderr_log_sink(format);
    sink->set_threshold(LogLevel::debug);
    const Logger log(sink, "broker.storage");
    log.debug("one");
    log.info("two\nthree");
    log.warning("100 % sure: %v {{}}");
    log.error("four");
  }
  return testing::internal::GetCapturedStderr();
}

TEST(StderrLog, plain_lines_carry_time_level_and_component) {
  EXPECT_THAT(
      written_to_stderr(LogFormat::plain),
      MatchesRegex("[0-9]+-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\\.[0-9]+Z "
                   "debug   broker\\.storage: one\n"
                   "[^ ]+Z info    broker\\.storage: two\\\\nthree\n"
                   "[^ ]+Z warning broker\\.storage: 100 % sure: %v \\{\\}\n"
                   "[^ ]+Z error   broker\\.storage: four\n"));
}

TEST(StderrLog, journal_lines_carry_the_priority) {
  EXPECT_EQ(written_to_stderr(LogFormat::journal),
            "<7>broker.storage: one\n"
            "<6>broker.storage: two\\nthree\n"
            "<4>broker.storage: 100 % sure: %v {}\n"
            "<3>broker.storage: four\n");
}

TEST(StderrLog, the_journal_is_known_by_its_device_and_inode) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe(ends), 0);
  struct stat status{};
  ASSERT_EQ(::fstat(ends[1], &status), 0);
  const std::string stream = formatted("{}:{}", status.st_dev, status.st_ino);
  EXPECT_EQ(log_format_for(stream, ends[1]), LogFormat::journal);
  EXPECT_EQ(log_format_for(stream + "0", ends[1]), LogFormat::plain);
  EXPECT_EQ(log_format_for("", ends[1]), LogFormat::plain);
  EXPECT_EQ(log_format_for("nonsense", ends[1]), LogFormat::plain);
  ASSERT_EQ(::close(ends[0]), 0);
  ASSERT_EQ(::close(ends[1]), 0);
  EXPECT_EQ(log_format_for(stream, ends[1]), LogFormat::plain) << "closed";
}

TEST(StderrLog, an_inherited_journal_stream_of_another_process_is_not_ours) {
  ASSERT_EQ(::setenv("JOURNAL_STREAM", "1:1", 1), 0);
  EXPECT_EQ(stderr_log_format(), LogFormat::plain);
  ASSERT_EQ(::unsetenv("JOURNAL_STREAM"), 0);
  EXPECT_EQ(stderr_log_format(), LogFormat::plain);
}

}  // namespace
}  // namespace millrace
