#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

import millrace.cli.records;
import millrace.cli.session;

namespace millrace::cli {
namespace {

// A pipe that somebody has written to and closed.
class LineReaderTest : public testing::Test {
 protected:
  LineReaderTest() { EXPECT_EQ(::pipe(ends_.data()), 0); }
  ~LineReaderTest() override {
    ::close(ends_[0]);
    const Interrupt forgets_the_signal;
  }

  LineReader reader_of(std::string_view text) {
    EXPECT_EQ(::write(ends_[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(ends_[1]);
    return LineReader(ends_[0]);
  }

 private:
  std::array<int, 2> ends_ = {};
};

TEST_F(LineReaderTest, gives_a_last_line_without_an_end) {
  const Interrupt interrupt;
  LineReader reader = reader_of("paid 200\nrefunded 20");
  EXPECT_EQ(reader.next(), "paid 200");
  EXPECT_EQ(reader.next(), "refunded 20");
  EXPECT_EQ(reader.next(), std::nullopt);
}

TEST_F(LineReaderTest, drops_a_line_whose_end_was_not_read_before_a_signal) {
  const Interrupt interrupt;
  LineReader reader = reader_of("paid 200\nrefunded 2");
  EXPECT_EQ(reader.next(), "paid 200");
  ::raise(SIGINT);
  EXPECT_EQ(reader.next(), std::nullopt);
  EXPECT_FALSE(reader.failure().has_value());
}

TEST_F(LineReaderTest, gives_nothing_of_a_whole_that_a_signal_cut_off) {
  const Interrupt interrupt;
  LineReader reader = reader_of("paid 200\nrefunded 2");
  ::raise(SIGTERM);
  EXPECT_EQ(reader.rest(), std::nullopt);
  EXPECT_FALSE(reader.failure().has_value());
}

}  // namespace
}  // namespace millrace::cli
