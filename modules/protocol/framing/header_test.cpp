#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

import millrace.protocol.framing;
import millrace.protocol.header;

namespace millrace::protocol {
namespace {

std::vector<std::byte> request_frame(std::int16_t key, std::int16_t version,
                                     std::int16_t header_version, String client_id = "tester") {
  RequestHeader header;
  header.request_api_key = key;
  header.request_api_version = version;
  header.correlation_id = 77;
  header.client_id = client_id;
  std::vector<std::byte> bytes(measure(header, header_version)->inline_bytes);
  Writer writer(bytes, {});
  write(header, header_version, writer);
  bytes.push_back(std::byte{0xbb});  // the body
  return bytes;
}

TEST(RequestHeader, gives_the_api_the_client_and_the_body) {
  const auto frame = request_frame(0, 9, 2);
  const auto request = read_request_header(frame);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->api->key, ApiKey::produce);
  EXPECT_EQ(request->version, 9);
  EXPECT_EQ(request->correlation_id, CorrelationId(77));
  EXPECT_EQ(request->client_id, "tester");
  ASSERT_EQ(request->body.size(), 1u);
  EXPECT_EQ(request->body[0], std::byte{0xbb});
  EXPECT_TRUE(request->version_supported);
}

TEST(RequestHeader, has_no_tagged_fields_in_versions_that_are_not_flexible) {
  const auto request = read_request_header(request_frame(0, 8, 1));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->body.size(), 1u);
}

TEST(RequestHeader, may_leave_the_client_id_out) {
  const auto request = read_request_header(request_frame(3, 12, 2, null_string));
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->client_id.data(), nullptr);
}

TEST(RequestHeader, refuses_a_key_that_no_api_has) {
  const auto request = read_request_header(request_frame(4, 0, 1));
  ASSERT_FALSE(request.has_value());
  EXPECT_EQ(request.error().fault, HeaderFault::unknown_api);
  EXPECT_EQ(to_string(request.error()), "unknown API key: API key 4, version 0");
}

TEST(RequestHeader, refuses_versions_below_and_above_those_of_the_api) {
  for (const std::int16_t version : {std::int16_t{2}, std::int16_t{99}, std::int16_t{-1}}) {
    const auto request = read_request_header(request_frame(0, version, version > 8 ? 2 : 1));
    ASSERT_FALSE(request.has_value()) << version;
    EXPECT_EQ(request.error().fault, HeaderFault::unsupported_version);
  }
}

TEST(RequestHeader, lets_api_versions_of_the_future_through_to_be_answered) {
  const auto request = read_request_header(request_frame(18, 99, 2));
  ASSERT_TRUE(request.has_value());
  EXPECT_FALSE(request->version_supported);
  EXPECT_EQ(request->correlation_id, CorrelationId(77));
}

TEST(RequestHeader, refuses_a_negative_version_of_api_versions) {
  const auto request = read_request_header(request_frame(18, -1, 1));
  ASSERT_FALSE(request.has_value());
  EXPECT_EQ(request.error().fault, HeaderFault::unsupported_version);
}

TEST(RequestHeader, refuses_every_cut) {
  const auto frame = request_frame(0, 9, 2);
  for (std::size_t length = 0; length + 1 < frame.size(); ++length) {
    const auto request = read_request_header(Bytes(frame).first(length));
    ASSERT_FALSE(request.has_value()) << length;
    const HeaderFault fault = request.error().fault;
    EXPECT_EQ(fault, length < 8 ? HeaderFault::truncated : HeaderFault::malformed) << length;
  }
}

TEST(ResponseHeader, of_api_versions_is_never_flexible) {
  const std::vector<std::byte> frame{std::byte{0}, std::byte{0}, std::byte{0},
                                     std::byte{7}, std::byte{0}, std::byte{0}};
  const auto old = read_response_header(frame, api_info(ApiKey::api_versions), 3);
  ASSERT_TRUE(old.has_value());
  EXPECT_EQ(old->correlation_id, CorrelationId(7));
  EXPECT_EQ(old->body.size(), 2u);
  const auto flexible = read_response_header(frame, api_info(ApiKey::metadata), 12);
  ASSERT_TRUE(flexible.has_value());
  EXPECT_EQ(flexible->body.size(), 1u);
}

TEST(ResponseHeader, gives_the_number_before_the_version_is_known) {
  const std::vector<std::byte> frame{std::byte{0}, std::byte{0}, std::byte{1}, std::byte{0}};
  EXPECT_EQ(*read_correlation_id(frame), CorrelationId(256));
  EXPECT_FALSE(read_correlation_id(Bytes(frame).first(3)).has_value());
}

}  // namespace
}  // namespace millrace::protocol
