#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // mkdtemp

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

import millrace.cli;

namespace millrace::cli {
namespace {

using testing::ElementsAre;

TEST(LogLine, names_its_level) {
  const std::string time = "2026-11-21T22:59:38.001Z ";
  EXPECT_EQ(level_of(time + "debug   broker: x"), LogLevel::debug);
  EXPECT_EQ(level_of(time + "info    broker: x"), LogLevel::info);
  EXPECT_EQ(level_of(time + "warning broker: x"), LogLevel::warning);
  EXPECT_EQ(level_of(time + "error   broker: x"), LogLevel::error);
  EXPECT_EQ(message_of(time + "error   broker: the disk is on fire"),
            "broker: the disk is on fire");
}

TEST(LogLine, of_another_form_is_an_error) {
  for (const std::string_view line :
       {"", "==123==ERROR: AddressSanitizer", "error: no such file", "2026-11-21T22:59:38.001Z "}) {
    EXPECT_EQ(level_of(line), LogLevel::error) << line;
    EXPECT_EQ(message_of(line), line);
  }
}

std::vector<std::string> lines_of(const std::vector<std::string>& pieces) {
  std::vector<std::string> lines;
  const auto take = [&](std::string_view line) { lines.emplace_back(line); };
  LineSplitter splitter;
  for (const std::string& piece : pieces) splitter.feed(piece, take);
  splitter.finish(take);
  return lines;
}

TEST(LineSplitter, cuts_lines_wherever_the_pieces_end) {
  EXPECT_THAT(lines_of({"one\ntw", "o\n", "\nthree", "\n"}),
              ElementsAre("one", "two", "", "three"));
  EXPECT_THAT(lines_of({"no end"}), ElementsAre("no end"));
  EXPECT_THAT(lines_of({}), ElementsAre());
}

TEST(LineSplitter, cuts_a_line_that_never_ends) {
  const auto lines = lines_of({std::string(log_line_bytes_max + 5, 'x') + "\ny\n"});
  ASSERT_EQ(lines.size(), 3);
  EXPECT_EQ(lines[0].size(), log_line_bytes_max);
  EXPECT_EQ(lines[1], "xxxxx");
  EXPECT_EQ(lines[2], "y");
  EXPECT_THAT(lines_of({std::string(log_line_bytes_max, 'x') + "\n"}),
              ElementsAre(std::string(log_line_bytes_max, 'x')));
}

TEST(StatusLine, is_cut_to_the_width_of_the_terminal) {
  EXPECT_EQ(cut_to_columns("up 5 s | starting", 80), "up 5 s | starting");
  EXPECT_EQ(cut_to_columns("up 5 s | starting", 18), "up 5 s | starting");
  EXPECT_EQ(cut_to_columns("up 5 s | starting", 17), "up 5 s | startin");
  EXPECT_EQ(cut_to_columns("up 5 s | starting", 1), "");
  EXPECT_EQ(cut_to_columns("up 5 s | starting", 0), "");
}

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "log-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
  }
  ~LogFileTest() override { std::filesystem::remove_all(directory); }
  static std::string text_of(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::filesystem::path directory;
};

TEST_F(LogFileTest, is_put_aside_when_it_is_full_and_goes_on) {
  const auto path = directory / "x.log";
  LogFile log(path, 20);
  for (const char* line : {"1234567", "1234567", "abc", "def"}) log.write(line);
  EXPECT_EQ(text_of(path.string() + ".1"), "1234567\n1234567\nabc\n");
  EXPECT_EQ(text_of(path), "def\n");
  for (int i = 0; i < 1000; ++i) log.write("another line");
  EXPECT_LE(std::filesystem::file_size(path), 20);
  EXPECT_LE(std::filesystem::file_size(path.string() + ".1"), 20);
  EXPECT_EQ(log.lost_lines(), 0);
}

TEST_F(LogFileTest, goes_on_where_an_earlier_run_ended) {
  const auto path = directory / "x.log";
  LogFile(path, 100).write("first");
  LogFile(path, 100).write("second");
  EXPECT_EQ(text_of(path), "first\nsecond\n");
}

TEST_F(LogFileTest, counts_what_it_cannot_write) {
  LogFile log(directory / "none" / "x.log", 100);
  log.write("lost");
  EXPECT_EQ(log.lost_lines(), 1);
}

}  // namespace
}  // namespace millrace::cli
