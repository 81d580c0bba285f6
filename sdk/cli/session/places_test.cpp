// Also proves times.cpp.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>

import millrace.cli.session;

namespace millrace::cli {
namespace {

using namespace std::chrono_literals;

const TimePoint now{1'763'712'902'113ms};

TEST(Times, are_written_and_read_as_people_do) {
  EXPECT_EQ(iso_text(now), "2025-11-21T08:15:02.113Z");
  EXPECT_EQ(parse_time("2025-11-21T08:15:02.113Z", now), now);
  EXPECT_EQ(parse_time("2025-11-21T08:15:02", now), now - 113ms);
  EXPECT_EQ(parse_time("2025-11-21T08:15Z", now), now - 2113ms);
  EXPECT_EQ(iso_text(*parse_time("2024-02-29", now)), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(parse_time("2025-11-21T08:15:02.1Z", now), now - 13ms);
  EXPECT_EQ(parse_time("2025-11-21T08:15:02.113999999Z", now), now);
  EXPECT_EQ(parse_time("2025-11-21T09:45:02.113+01:30", now), now);
  EXPECT_EQ(parse_time("2025-11-21T03:15:02.113-0500", now), now);
  EXPECT_EQ(iso_text(*parse_time("2025-11-21T00:30+01:00", now)), "2025-11-20T23:30:00.000Z");
  EXPECT_EQ(parse_time("1763712902113", now), now);
  EXPECT_EQ(parse_time("-90s", now), now - 90s);
  EXPECT_EQ(parse_time("-2h", now), now - 2h);
  EXPECT_EQ(parse_time("-1d", now), now - 24h);
  EXPECT_EQ(iso_text(TimePoint(-1ms)), "1969-12-31T23:59:59.999Z");
}

TEST(Times, that_are_none_are_refused) {
  for (const char* text :
       {"", "-", "-h", "-5x", "--5s", "2025", "2025-02-29", "2025-13-01", "2025-11-21T25:00",
        "2025-11-21T08:15:02.Z", "2025-11-21T08:15:02.1234567890Z", "2025-11-21T08:15Zx",
        "2025-11-21T08:15+1", "2025-11-21T08:15+24:00", "2025-11-21T08:15+01:60",
        "2025-11-21T08:15+01:00Z", "-99999999999999d", "now"})
    EXPECT_EQ(parse_time(text, now), std::nullopt) << text;
}

TEST(Places, are_named_in_five_ways) {
  using Kind = Place::Kind;
  EXPECT_EQ(parse_place("start", now), Place{.kind = Kind::start});
  EXPECT_EQ(parse_place("end", now), Place{.kind = Kind::end});
  EXPECT_EQ(parse_place("earliest", now), Place{.kind = Kind::start});
  EXPECT_EQ(parse_place("latest", now), Place{.kind = Kind::end});
  EXPECT_EQ(parse_place("42", now), (Place{.kind = Kind::offset, .number = 42}));
  EXPECT_EQ(parse_place("-10", now), (Place{.kind = Kind::before_end, .number = 10}));
  EXPECT_EQ(parse_place("@-1h", now), (Place{.kind = Kind::time, .time = now - 1h}));
  for (const char* text : {"", "begin", "1x", "@", "@now", "-9223372036854775808", "1e3"})
    EXPECT_EQ(parse_place(text, now), std::nullopt) << text;
}

TEST(Places, that_are_none_name_the_option) {
  Failures failures;
  EXPECT_EQ(place_of("--from", "begin", failures), std::nullopt);
  ASSERT_EQ(failures.size(), 1U);
  EXPECT_TRUE(failures[0].is_usage);
  EXPECT_EQ(failures[0].message, "--from 'begin' is no place");
}

}  // namespace
}  // namespace millrace::cli
