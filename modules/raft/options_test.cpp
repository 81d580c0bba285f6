#include <gtest/gtest.h>

#include <chrono>

import millrace.base;
import millrace.raft;

namespace millrace::raft {
namespace {

TEST(RaftOptions, the_defaults_are_valid) {
  EXPECT_TRUE(validate(Options{}));
}

TEST(RaftOptions, values_that_do_not_fit_together_are_refused_by_name) {
  Options options;
  options.election_timeout_min = options.heartbeat_interval;
  ASSERT_FALSE(validate(options));
  EXPECT_NE(validate(options).error().message.find("election timeout"), std::string::npos);
  options = {};
  options.heartbeat_interval = {};
  EXPECT_FALSE(validate(options));
  options = {};
  options.resend_after = std::chrono::milliseconds{1};
  EXPECT_FALSE(validate(options));
  options = {};
  options.reads_max = 0;
  EXPECT_FALSE(validate(options));
  options = {};
  options.inflight_bytes_max = options.append_bytes_max - 1;
  EXPECT_FALSE(validate(options));
  options = {};
  options.uncommitted_bytes_max = options.entry_bytes_max;
  EXPECT_FALSE(validate(options));
}

}  // namespace
}  // namespace millrace::raft
