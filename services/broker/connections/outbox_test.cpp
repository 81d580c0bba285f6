// The steps that answers are sent in. Also proves answer_line.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.broker.connections;
import millrace.protocol.api;
import millrace.protocol.fetch;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::broker {
namespace {

using protocol::RecordChunk;

// The frame points to the chunks.
protocol::OutgoingFrame fetch_frame(BufferPool& pool, const std::vector<RecordChunk>& chunks) {
  protocol::FetchResponse::PartitionData partition;
  partition.records = protocol::Records(std::span<const RecordChunk>(chunks));
  protocol::FetchResponse::FetchableTopicResponse topic;
  topic.topic = "orders";
  topic.partitions = protocol::Array<protocol::FetchResponse::PartitionData>(&partition, 1);
  protocol::FetchResponse response;
  response.responses = protocol::Array<protocol::FetchResponse::FetchableTopicResponse>(&topic, 1);
  return protocol::encode_response(pool, CorrelationId(1), response, 11).value();
}

class OutboxTest : public ::testing::Test {
 protected:
  // Every step, "12" for memory and "file 3+40" for a range, with '+' where more follows.
  std::vector<std::string> steps() {
    std::vector<std::string> all;
    Outbox::Step step;
    while (outbox_.next(step)) {
      std::string text;
      if (step.is_file()) {
        text = formatted("file {}: {}+{}", step.range.file.value(), step.range.position,
                         step.range.length);
        EXPECT_EQ(step.bytes, step.range.length);
      } else {
        std::size_t bytes = 0;
        for (const ByteView view : step.views) bytes += view.size();
        EXPECT_EQ(bytes, step.bytes);
        text = formatted("{} views", step.views.size());
      }
      EXPECT_LE(step.bytes, send_step_bytes_max);
      total_ += step.bytes;
      all.push_back(text + (step.more == More::yes ? " +" : ""));
    }
    return all;
  }

  BufferPool pool_;
  DescriptorFiles files_;
  Outbox outbox_{files_};
  std::size_t total_ = 0;
};

TEST_F(OutboxTest, small_answers_go_out_together) {
  const auto first = fetch_frame(pool_, {});
  const auto second = fetch_frame(pool_, {});
  outbox_.add(first);
  outbox_.add(second);
  EXPECT_EQ(steps(), std::vector<std::string>{"2 views"});
  EXPECT_EQ(total_, first.total_bytes() + second.total_bytes());
  EXPECT_TRUE(steps().empty());
}

TEST_F(OutboxTest, parts_of_files_stand_between_memory) {
  const std::vector<std::byte> memory(100);
  const std::vector<RecordChunk> chunks = {{nullptr, 7, 1000, 500}, {memory.data(), -1, 0, 100}};
  const auto frame = fetch_frame(pool_, chunks);
  outbox_.add(frame);
  EXPECT_EQ(steps(), (std::vector<std::string>{"1 views +", "file 7: 1000+500 +", "1 views"}));
  EXPECT_EQ(total_, frame.total_bytes());
}

TEST_F(OutboxTest, an_answer_that_ends_in_a_file_says_that_nothing_follows) {
  // Version 4 has nothing behind the records.
  protocol::FetchResponse::PartitionData partition;
  const std::array<RecordChunk, 1> chunks = {{{nullptr, 7, 0, 3 * send_step_bytes_max - 5}}};
  partition.records = protocol::Records(std::span<const RecordChunk>(chunks));
  protocol::FetchResponse::FetchableTopicResponse topic;
  topic.topic = "orders";
  topic.partitions = protocol::Array<protocol::FetchResponse::PartitionData>(&partition, 1);
  protocol::FetchResponse response;
  response.responses = protocol::Array<protocol::FetchResponse::FetchableTopicResponse>(&topic, 1);
  const auto frame = protocol::encode_response(pool_, CorrelationId(1), response, 4).value();
  outbox_.add(frame);
  const std::string step = formatted("{}", send_step_bytes_max);
  EXPECT_EQ(steps(),
            (std::vector<std::string>{
                "1 views +", "file 7: 0+" + step + " +", "file 7: " + step + "+" + step + " +",
                formatted("file 7: {}+{}", 2 * send_step_bytes_max, send_step_bytes_max - 5)}));
}

TEST_F(OutboxTest, large_memory_is_cut_into_steps) {
  const std::vector<std::byte> memory(2 * send_step_bytes_max + 10);
  const std::vector<RecordChunk> chunks = {{memory.data(), -1, 0, memory.size()}};
  const auto frame = fetch_frame(pool_, chunks);
  outbox_.add(frame);
  EXPECT_FALSE(outbox_.has_room());
  EXPECT_EQ(steps().size(), 3u);
  EXPECT_EQ(total_, frame.total_bytes());
  EXPECT_TRUE(outbox_.has_room());
}

TEST_F(OutboxTest, many_pieces_are_several_steps) {
  const std::vector<std::byte> memory(10);
  const std::vector<RecordChunk> chunks(2 * send_pieces_max, {memory.data(), -1, 0, 10});
  const auto frame = fetch_frame(pool_, chunks);
  outbox_.add(frame);
  EXPECT_GE(steps().size(), 3u);
  EXPECT_EQ(total_, frame.total_bytes());
}

TEST_F(OutboxTest, what_was_not_sent_can_be_dropped) {
  const auto frame = fetch_frame(pool_, {});
  outbox_.add(frame);
  outbox_.clear();
  EXPECT_TRUE(steps().empty());
}

TEST(AnswerLine, keeps_order_and_counts) {
  AnswerLine line;
  EXPECT_EQ(line.first(), nullptr);
  for (int round = 0; round < 3; ++round) {
    std::vector<Place*> places;
    for (std::size_t i = 0; i < 10; ++i) places.push_back(&line.add(i));
    EXPECT_EQ(line.size(), 10u);
    EXPECT_EQ(line.frame_bytes(), 45u);
    for (Place* place : places) {
      EXPECT_EQ(line.first(), place);
      EXPECT_FALSE(place->response.has_value());
      place->response.emplace(Response::none());
      line.remove_first();
    }
    EXPECT_EQ(line.size(), 0u);
    EXPECT_EQ(line.frame_bytes(), 0u);
  }
}

}  // namespace
}  // namespace millrace::broker
