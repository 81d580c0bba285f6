#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <string>

import millrace.runtime.memory;

namespace millrace {
namespace {

TEST(MemoryPlan, gives_control_requests_a_share_and_keeps_one_frame_aside_in_each) {
  const auto plan = plan_memory(1024 * mebibyte, 100 * mebibyte);
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->control,
            (MemorySplit{.limit_bytes = 128 * mebibyte, .reserve_bytes = control_frame_bytes_max}));
  EXPECT_EQ(plan->data,
            (MemorySplit{.limit_bytes = 896 * mebibyte, .reserve_bytes = 100 * mebibyte}));
}

TEST(MemoryPlan, of_too_little_memory_is_an_error_that_says_how_much_is_enough) {
  const auto plan = plan_memory(mebibyte, 100 * mebibyte);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind, ErrorKind::limit_exceeded);
  EXPECT_THAT(plan.error().message,
              testing::StartsWith("1048576 bytes of memory for requests are too few for frames of "
                                  "104857600 bytes; "));
}

RC_GTEST_PROP(MemoryPlan, splits_all_and_no_more_or_says_what_is_enough, ()) {
  const auto total = *rc::gen::inRange<std::size_t>(0, 4096 * mebibyte);
  const auto frame = *rc::gen::inRange<std::size_t>(1, 512 * mebibyte);
  const auto plan = plan_memory(total, frame);
  if (plan) {
    RC_ASSERT(plan->data.limit_bytes + plan->control.limit_bytes == total);
    RC_ASSERT(plan->data.limit_bytes >= 2 * plan->data.reserve_bytes);
    RC_ASSERT(plan->control.limit_bytes >= 2 * plan->control.reserve_bytes);
    return;
  }
  const std::string& message = plan.error().message;
  const std::size_t at = message.find("; ") + 2;
  RC_ASSERT(plan_memory(std::stoull(message.substr(at)), frame).has_value());
}

}  // namespace
}  // namespace millrace
