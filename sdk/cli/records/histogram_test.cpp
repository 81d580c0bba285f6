// Also proves line_reader.cpp.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

import millrace.cli.records;

namespace millrace::cli {
namespace {

TEST(Histogram, tells_quantiles_to_one_part_in_sixteen) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0);
  for (std::int64_t time = 1; time <= 10'000; ++time) histogram.add(time);
  EXPECT_EQ(histogram.count(), 10'000);
  EXPECT_EQ(histogram.max(), 10'000);
  EXPECT_EQ(histogram.quantile(1), 10'000);
  for (const double part : {0.01, 0.5, 0.9, 0.99}) {
    const auto exact = static_cast<double>(10'000) * part;
    const auto found = static_cast<double>(histogram.quantile(part));
    EXPECT_GE(found, exact);
    EXPECT_LE(found, exact * 17 / 16 + 1) << part;
  }
  EXPECT_DOUBLE_EQ(histogram.mean(), 5000.5);
}

TEST(Histogram, takes_any_time) {
  Histogram histogram;
  histogram.add(-1);
  histogram.add(INT64_MAX);
  EXPECT_EQ(histogram.quantile(1), INT64_MAX);
  EXPECT_EQ(histogram.quantile(0.5), 0);
}

TEST(Histogram, has_its_doublings_up_to_the_longest) {
  Histogram histogram;
  EXPECT_TRUE(histogram.doublings().empty());
  EXPECT_EQ(histogram.bars(), "");
  for (const std::int64_t time : {3, 15, 16, 100, 100, 100, 120}) histogram.add(time);
  std::string told;
  for (const auto& [upper_bound, count] : histogram.doublings())
    told += std::to_string(upper_bound) + ":" + std::to_string(count) + " ";
  EXPECT_EQ(told, "15:2 31:1 120:4 ");
  EXPECT_TRUE(histogram.bars().ends_with("  up to 120 us: 4 " + std::string(40, '#') + "\n"))
      << histogram.bars();
}

TEST(Histogram, ends_with_what_is_longer_than_all_doublings) {
  Histogram histogram;
  histogram.add(1);
  histogram.add(INT64_MAX);
  ASSERT_EQ(histogram.doublings().size(), 2u);
  EXPECT_EQ(histogram.doublings().back().upper_bound, INT64_MAX);
}

TEST(LineReader, gives_lines_and_what_is_left) {
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  LineReader reader(ends[0]);
  EXPECT_TRUE(reader.would_wait());
  const std::string_view text = "one\n\ntwo\nlast";
  ASSERT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  EXPECT_FALSE(reader.would_wait());
  EXPECT_EQ(reader.next(), "one");
  EXPECT_EQ(reader.next(), "");
  EXPECT_FALSE(reader.would_wait());
  EXPECT_EQ(reader.next(), "two");
  EXPECT_TRUE(reader.would_wait());
  ::close(ends[1]);
  EXPECT_EQ(reader.next(), "last");
  EXPECT_EQ(reader.next(), std::nullopt);
  EXPECT_FALSE(reader.failure());
  ::close(ends[0]);
}

TEST(LineReader, tells_what_cannot_be_read) {
  LineReader reader(-1);
  EXPECT_EQ(reader.next(), std::nullopt);
  ASSERT_TRUE(reader.failure());
}

}  // namespace
}  // namespace millrace::cli
