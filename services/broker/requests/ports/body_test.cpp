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
  RequestContext context;
  context.api = &protocol::api_info(ApiKey::describe_cluster);
  context.version = 2;
  context.correlation_id = CorrelationId(7);
  BufferPool pool;
  protocol::DescribeClusterResponse message;
  message.cluster_id = "cluster";
  const auto body = encode_body(message, 2);
  ASSERT_TRUE(body.has_value());
  const Response direct = respond(context, pool, message);
  const Response passed_on = respond_encoded(context, pool, *body);
  ASSERT_EQ(direct.kind(), Response::Kind::frame);
  ASSERT_EQ(passed_on.kind(), Response::Kind::frame);
  EXPECT_EQ(bytes_of(direct.frame()), bytes_of(passed_on.frame()));
}

TEST(EncodedBody, that_cannot_be_written_in_a_version_is_an_error) {
  protocol::DescribeClusterRequest request;
  request.include_fenced_brokers = true;
  EXPECT_FALSE(encode_body(request, 1).has_value());
  EXPECT_TRUE(encode_body(request, 2).has_value());
}

}  // namespace
}  // namespace millrace::broker
