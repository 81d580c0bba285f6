// Also proves limits.cppm.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

import millrace.base;
import millrace.groups;

namespace millrace::groups {
namespace {

TEST(GroupOptions, the_defaults_are_kafkas_and_valid) {
  const Options options;
  EXPECT_TRUE(validate(options).has_value());
  EXPECT_EQ(options.initial_rebalance_delay, std::chrono::seconds{3});
  EXPECT_EQ(options.offsets_retention, std::chrono::hours{24 * 7});
}

struct Refused {
  const char* name;
  void (*spoil)(Options&);
};

TEST(GroupOptions, values_that_make_no_sense_are_refused) {
  const Refused cases[] = {
      {"session min", [](Options& o) { o.session_timeout_min = Milliseconds{0}; }},
      {"session max", [](Options& o) { o.session_timeout_max = Milliseconds{5'999}; }},
      {"delay", [](Options& o) { o.initial_rebalance_delay = Milliseconds{-1}; }},
      {"interval", [](Options& o) { o.expiry_interval = Milliseconds{0}; }},
      {"groups", [](Options& o) { o.groups_max = 0; }},
      {"fetch", [](Options& o) { o.fetch_bytes_max = 0; }},
      {"append", [](Options& o) { o.append_bytes_max = o.record_bytes_max - 1; }},
      {"state", [](Options& o) { o.state_bytes_max = o.member_bytes_max - 1; }},
  };
  for (const Refused& refused : cases) {
    Options options;
    refused.spoil(options);
    EXPECT_FALSE(validate(options).has_value()) << refused.name;
  }
}

}  // namespace
}  // namespace millrace::groups
