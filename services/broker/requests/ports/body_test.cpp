// Bodies that were encoded elsewhere are sent as they are.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <vector>

import millrace.base;
import millrace.broker.requests.ports;
import millrace.protocol.framing;
import millrace.protocol.metadata;

namespace millrace::broker {
namespace {

using protocol::ApiKey;

std::vector<std::byte> bytes_of(const protocol::OutgoingFrame& frame) {
  std::vector<std::byte> bytes;
  frame.for_each_piece([&](const protocol::RecordChunk& piece) {
    bytes.insert(bytes.end(), piece.memory, piece.memory + piece.size);
  });
  return bytes;
}

TEST(EncodedBody, is_sent_like_the_message_that_it_was) {
  BufferPool pool;
  protocol::DescribeClusterResponse message;
  message.cluster_id = "cluster";
  const auto body = encode_body(message, 2);
  ASSERT_TRUE(body.has_value());
  const auto direct = protocol::encode_response(pool, CorrelationId(7), message, 2);
  const auto passed_on = protocol::encode_response(pool, CorrelationId(7),
                                                   EncodedBody<ApiKey::describe_cluster>{*body}, 2);
  ASSERT_TRUE(direct.has_value());
  ASSERT_TRUE(passed_on.has_value());
  EXPECT_EQ(bytes_of(*direct), bytes_of(*passed_on));
}

TEST(EncodedBody, that_cannot_be_written_in_a_version_is_an_error) {
  protocol::DescribeClusterRequest request;
  request.include_fenced_brokers = true;
  EXPECT_FALSE(encode_body(request, 1).has_value());
  EXPECT_TRUE(encode_body(request, 2).has_value());
}

}  // namespace
}  // namespace millrace::broker
