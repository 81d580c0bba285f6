#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

import millrace.protocol.framing;
import millrace.protocol.fetch;
import millrace.protocol.metadata;
import millrace.protocol.produce;

namespace millrace::protocol {
namespace {

constexpr std::size_t pool_bytes_max = 4 * mebibyte;

// What would go over the wire, if every piece is in memory.
std::vector<std::byte> sent(const OutgoingFrame& frame) {
  std::vector<std::byte> bytes;
  frame.for_each_piece([&](const RecordChunk& piece) {
    EXPECT_NE(piece.memory, nullptr);
    bytes.insert(bytes.end(), piece.memory, piece.memory + piece.size);
  });
  EXPECT_EQ(bytes.size(), frame.total_bytes());
  return bytes;
}

TEST(OutgoingFrame, a_request_can_be_read_by_the_other_side) {
  BufferPool pool(pool_bytes_max);
  const std::vector<std::byte> batch(100, std::byte{0x5a});
  ProduceRequest::PartitionProduceData partition;
  partition.index = 3;
  partition.records = Records(batch);
  ProduceRequest::TopicProduceData topic;
  topic.name = "orders";
  topic.partition_data = {&partition, 1};
  ProduceRequest request;
  request.acks = -1;
  request.transactional_id = null_string;
  request.topic_data = {&topic, 1};

  const auto frame = encode_request(pool, CorrelationId(5), "app", request, 9);
  ASSERT_TRUE(frame.has_value());
  const auto bytes = sent(*frame);
  EXPECT_EQ(load_big_endian<std::int32_t>(bytes.data()),
            static_cast<std::int32_t>(bytes.size() - frame_length_bytes));

  const auto header = read_request_header(Bytes(bytes).subspan(frame_length_bytes));
  ASSERT_TRUE(header.has_value());
  EXPECT_EQ(header->correlation_id, CorrelationId(5));
  EXPECT_EQ(header->client_id, "app");
  Arena arena(4096);
  ProduceRequest read;
  const auto consumed = decode(read, header->body, header->version, arena);
  ASSERT_TRUE(consumed.has_value());
  EXPECT_EQ(*consumed, header->body.size());
  ASSERT_EQ(read.topic_data.size(), 1u);
  const Bytes records = read.topic_data[0].partition_data[0].records.bytes();
  EXPECT_EQ(std::vector<std::byte>(records.begin(), records.end()), batch);
}

TEST(OutgoingFrame, records_are_sent_from_where_they_lie) {
  BufferPool pool(pool_bytes_max);
  const std::vector<std::byte> tail(30, std::byte{1});
  const std::vector<RecordChunk> chunks{RecordChunk{nullptr, 7, 4096, 500},
                                        RecordChunk{tail.data(), -1, 0, tail.size()}};
  std::vector<FetchResponse::PartitionData> partitions(2);
  partitions[0].records = Records(std::span<const RecordChunk>(chunks));
  partitions[1].records = Records(empty_bytes);
  FetchResponse::FetchableTopicResponse topic;
  topic.topic = "orders";
  topic.partitions = Array<FetchResponse::PartitionData>(partitions);
  FetchResponse response;
  response.responses = {&topic, 1};

  const auto frame = encode_response(pool, CorrelationId(9), response, 12);
  ASSERT_TRUE(frame.has_value());
  std::vector<RecordChunk> pieces;
  frame->for_each_piece([&](const RecordChunk& piece) { pieces.push_back(piece); });
  ASSERT_EQ(pieces.size(), 5u);
  EXPECT_EQ(pieces[1].file, 7);
  EXPECT_EQ(pieces[1].file_position, 4096);
  EXPECT_EQ(pieces[1].size, 500u);
  EXPECT_EQ(pieces[2].memory, tail.data());
  std::size_t total = 0;
  for (const RecordChunk& piece : pieces) total += piece.size;
  EXPECT_EQ(total, frame->total_bytes());
  EXPECT_EQ(load_big_endian<std::int32_t>(pieces[0].memory),
            static_cast<std::int32_t>(total - frame_length_bytes));
}

TEST(OutgoingFrame, the_answer_to_api_versions_has_the_old_header) {
  BufferPool pool(pool_bytes_max);
  const auto frame = encode_response(pool, CorrelationId(9), ApiVersionsResponse(), 3);
  ASSERT_TRUE(frame.has_value());
  const auto bytes = sent(*frame);
  // Length, correlation id, then at once the error code and the compact array's length.
  EXPECT_EQ(bytes[4 + 4 + 2], std::byte{1});
}

TEST(OutgoingFrame, what_cannot_be_written_is_an_error_and_takes_no_buffer) {
  BufferPool pool(pool_bytes_max);
  const auto frame = encode_response(pool, CorrelationId(9), ApiVersionsResponse(), 99);
  ASSERT_FALSE(frame.has_value());
  EXPECT_EQ(frame.error().fault, EncodeFault::unsupported_version);
}

}  // namespace
}  // namespace millrace::protocol
