#include <gtest/gtest.h>

#include <cstddef>
#include <variant>

import millrace.base;
import millrace.groups;

namespace millrace::groups {
namespace {

TEST(GroupRequests, the_reply_that_only_says_an_error_is_of_the_kind_of_its_request) {
  for (std::size_t index = 0; index < std::variant_size_v<Request>; ++index) {
    const Reply reply = error_reply(index, ErrorCode::not_coordinator);
    EXPECT_EQ(reply.index(), index);
    EXPECT_EQ(std::visit([](const auto& kind) { return kind.error; }, reply),
              ErrorCode::not_coordinator);
  }
  EXPECT_TRUE(std::holds_alternative<JoinReply>(
      error_reply(Request(JoinRequest{}).index(), ErrorCode::none)));
  EXPECT_TRUE(std::holds_alternative<DeleteReply>(
      error_reply(Request(DeleteRequest{}).index(), ErrorCode::none)));
}

}  // namespace
}  // namespace millrace::groups
