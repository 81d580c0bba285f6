// The requests that ask about partitions. Also proves answer.cppm, deletion.cpp, log_dirs.cpp,
// offsets.cpp, producers.cpp, scatter.cppm.
#include "data_machine.hpp"

import millrace.protocol.admin;
import millrace.protocol.fetch;
import millrace.protocol.transactions;

namespace millrace::broker {
namespace {

using namespace std::chrono_literals;

struct OffsetAsk {
  std::string topic = "orders";
  std::int32_t partition = 0;
  std::int64_t timestamp = -1;
  std::int32_t epoch = -1;
};
struct OffsetTold {
  ErrorCode code = ErrorCode::none;
  std::int64_t offset = -1;
  std::int64_t timestamp = -1;
  std::int32_t epoch = -1;

  friend bool operator==(const OffsetTold&, const OffsetTold&) = default;
};

class QueriesTest : public testing::Test {
 protected:
  void start(const TopicOf& topic = {}) {
    ASSERT_TRUE(machine.start().has_value());
    machine.make_topic(topic);
  }
  void append(const BatchOf& batch, std::int32_t partition = 0) {
    ASSERT_TRUE(machine.append(machine.partition("orders", partition), batch).has_value());
  }
  std::vector<OffsetTold> list(const std::vector<OffsetAsk>& asked, std::int16_t version = 11,
                               std::int8_t isolation = 0, std::int32_t replica = -1) {
    using Message = protocol::ListOffsetsRequest;
    std::vector<Message::ListOffsetsPartition> partitions(asked.size());
    std::vector<Message::ListOffsetsTopic> topics(asked.size());
    for (std::size_t i = 0; i < asked.size(); ++i) {
      partitions[i].partition_index = asked[i].partition;
      partitions[i].current_leader_epoch = asked[i].epoch;
      partitions[i].timestamp = asked[i].timestamp;
      topics[i].name = asked[i].topic;
      topics[i].partitions = std::span<const Message::ListOffsetsPartition>(&partitions[i], 1);
    }
    Message message;
    message.replica_id = replica;
    message.isolation_level = isolation;
    message.topics = std::span<const Message::ListOffsetsTopic>(topics);
    const auto told = machine.ask<protocol::ListOffsetsResponse>(&DataRequests::list_offsets,
                                                                 message, version, 1);
    EXPECT_FALSE(told.closed) << told.reason;
    std::vector<OffsetTold> answers;
    for (const auto& topic : told.message.topics) {
      for (const auto& each : topic.partitions) {
        answers.push_back({static_cast<ErrorCode>(each.error_code), each.offset, each.timestamp,
                           each.leader_epoch});
      }
    }
    EXPECT_EQ(answers.size(), asked.size());
    return answers;
  }
  OffsetTold at(std::int64_t timestamp, std::int16_t version = 11) {
    return list({{.timestamp = timestamp}}, version)[0];
  }
  ErrorCode delete_below(std::string_view topic, std::int64_t offset, std::int64_t& low) {
    using Message = protocol::DeleteRecordsRequest;
    Message::DeleteRecordsPartition partition{0, offset};
    Message::DeleteRecordsTopic of;
    of.name = topic;
    of.partitions = std::span<const Message::DeleteRecordsPartition>(&partition, 1);
    Message message;
    message.topics = std::span<const Message::DeleteRecordsTopic>(&of, 1);
    const auto told =
        machine.ask<protocol::DeleteRecordsResponse>(&DataRequests::delete_records, message, 2);
    const auto& answer = told.message.topics[0].partitions[0];
    low = answer.low_watermark;
    return static_cast<ErrorCode>(answer.error_code);
  }

  DataMachine machine{23};
};

TEST_F(QueriesTest, offsets_are_found_by_every_special_timestamp) {
  start();
  const OffsetTold empty{ErrorCode::none, 0, -1, 3};
  EXPECT_EQ(at(-1), empty);
  EXPECT_EQ(at(-2), empty);
  EXPECT_EQ(at(-3), (OffsetTold{}));
  append({.values = {"a", "b"}, .timestamp = Timestamp(1'000)});
  append({.values = {"c"}, .timestamp = Timestamp(5'000)});
  append({.values = {"d"}, .timestamp = Timestamp(3'000)});
  std::int64_t low = 0;
  ASSERT_EQ(delete_below("orders", 1, low), ErrorCode::none);
  EXPECT_EQ(low, 1);
  for (std::int16_t version = 1; version <= 11; ++version) {
    const std::int32_t epoch = version >= 4 ? 3 : -1;
    EXPECT_EQ(at(-1, version), (OffsetTold{ErrorCode::none, 4, -1, epoch})) << version;
    EXPECT_EQ(at(-2, version), (OffsetTold{ErrorCode::none, 1, -1, epoch})) << version;
    EXPECT_EQ(at(2'000, version), (OffsetTold{ErrorCode::none, 2, 5'000, epoch})) << version;
    EXPECT_EQ(at(6'000, version), (OffsetTold{})) << version;
  }
  EXPECT_EQ(at(-3), (OffsetTold{ErrorCode::none, 2, 5'000, 3}));
  EXPECT_EQ(at(-4), (OffsetTold{ErrorCode::none, 1, -1, 3}));
  EXPECT_EQ(at(-5), (OffsetTold{}));
  EXPECT_EQ(at(-6), (OffsetTold{}));
}

TEST_F(QueriesTest, special_timestamps_need_the_version_that_knows_them) {
  start();
  const OffsetTold unsupported{ErrorCode::unsupported_version, -1, -1, -1};
  EXPECT_EQ(at(-3, 6), unsupported);
  EXPECT_EQ(at(-4, 7), unsupported);
  EXPECT_EQ(at(-5, 8), unsupported);
  EXPECT_EQ(at(-6, 10), unsupported);
  EXPECT_EQ(at(-7, 11), unsupported);
  EXPECT_EQ(at(-3, 7).code, ErrorCode::none);
  EXPECT_EQ(at(-4, 8).code, ErrorCode::none);
  EXPECT_EQ(at(-5, 9).code, ErrorCode::none);
}

TEST_F(QueriesTest, consumers_get_to_the_high_watermark_and_replicas_to_the_end) {
  start({.replicas = {test_broker, other_broker}, .isr = {test_broker, other_broker}});
  append({.values = {"a"}});
  EXPECT_EQ(list({{}})[0].offset, 0);
  EXPECT_EQ(list({{}}, 11, 0, 2)[0].offset, 1);
  EXPECT_EQ(list({{.timestamp = 0}})[0], (OffsetTold{}));
  EXPECT_EQ(list({{.timestamp = -3}})[0], (OffsetTold{}));
}

TEST_F(QueriesTest, committed_readers_get_to_the_last_stable_offset) {
  start();
  append({.values = {"a"}});
  append({.producer = {ProducerId(4), ProducerEpoch(0), Sequence(0)}, .transactional = true});
  EXPECT_EQ(list({{}}, 11, 0)[0].offset, 2);
  EXPECT_EQ(list({{}}, 11, 1)[0].offset, 1);
}

TEST_F(QueriesTest, say_what_is_wrong_with_a_partition) {
  start({.partitions = 3});
  machine.make_topic({.name = "elsewhere",
                      .leader = other_broker,
                      .replicas = {other_broker},
                      .isr = {other_broker}});
  const auto told = list({{"orders", 0},
                          {"orders", 1, -1, 2},
                          {"orders", 2, -1, 4},
                          {"orders", 3},
                          {"nothing", 0},
                          {"secret", 0},
                          {"elsewhere", 0}});
  using enum ErrorCode;
  const std::vector<ErrorCode> expected = {none,
                                           fenced_leader_epoch,
                                           unknown_leader_epoch,
                                           unknown_topic_or_partition,
                                           unknown_topic_or_partition,
                                           topic_authorization_failed,
                                           not_leader_or_follower};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(told[i].code, expected[i]) << i;
  const auto twice = list({{"orders", 0}, {"orders", 1}, {"orders", 0}});
  EXPECT_EQ(twice[0].code, invalid_request);
  EXPECT_EQ(twice[1].code, none);
  EXPECT_EQ(twice[2].code, invalid_request);
}

TEST_F(QueriesTest, records_are_deleted_where_that_is_allowed) {
  start();
  machine.make_topic({.name = "__consumer_offsets"});
  append({.values = {"a", "b", "c"}});
  std::int64_t low = 0;
  EXPECT_EQ(delete_below("orders", 2, low), ErrorCode::none);
  EXPECT_EQ(low, 2);
  EXPECT_EQ(delete_below("orders", 9, low), ErrorCode::offset_out_of_range);
  EXPECT_EQ(low, -1);
  EXPECT_EQ(delete_below("orders", -1, low), ErrorCode::none);
  EXPECT_EQ(low, 3);
  EXPECT_EQ(delete_below("secret", 0, low), ErrorCode::topic_authorization_failed);
  EXPECT_EQ(delete_below("nothing", 0, low), ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(delete_below("__consumer_offsets", 0, low), ErrorCode::invalid_topic_exception);
  machine.stop();
  ASSERT_TRUE(machine.start().has_value());
  EXPECT_EQ(machine.partition("orders").log_start(), Offset(3));
}

TEST_F(QueriesTest, ends_of_epochs_are_told_in_every_version) {
  start();
  append({.values = {"a", "b"}});
  machine.change_partition("orders", 0, {.leader = test_broker});
  append({});
  using Message = protocol::OffsetForLeaderEpochRequest;
  for (std::int16_t version = 2; version <= 4; ++version) {
    std::vector<Message::OffsetForLeaderPartition> partitions = {
        {0, -1, 3}, {0, 4, 4}, {0, 3, 3}, {0, -1, 5}, {7, -1, 3}};
    Message::OffsetForLeaderTopic topic;
    topic.topic = "orders";
    topic.partitions = std::span<const Message::OffsetForLeaderPartition>(partitions);
    Message message;
    message.topics = std::span<const Message::OffsetForLeaderTopic>(&topic, 1);
    const auto told = machine.ask<protocol::OffsetForLeaderEpochResponse>(
        &DataRequests::offset_for_leader_epoch, message, version);
    const auto& answers = told.message.topics[0].partitions;
    ASSERT_EQ(answers.size(), 5U);
    EXPECT_EQ(answers[0].leader_epoch, 3);
    EXPECT_EQ(answers[0].end_offset, 2);
    EXPECT_EQ(answers[1].leader_epoch, 4);
    EXPECT_EQ(answers[1].end_offset, 3);
    EXPECT_EQ(static_cast<ErrorCode>(answers[2].error_code), ErrorCode::fenced_leader_epoch);
    EXPECT_EQ(answers[3].error_code, 0);
    EXPECT_EQ(answers[3].end_offset, -1);
    EXPECT_EQ(static_cast<ErrorCode>(answers[4].error_code), ErrorCode::unknown_topic_or_partition);
  }
}

TEST_F(QueriesTest, log_directories_are_described_with_the_partitions_of_all_shards) {
  start({.partitions = 5});
  append({.values = {"a"}}, 4);
  using Message = protocol::DescribeLogDirsRequest;
  Message message;
  message.topics = decltype(message.topics)::null();
  const auto describe = [&](std::int16_t version) {
    return machine.ask<protocol::DescribeLogDirsResponse>(&DataRequests::describe_log_dirs, message,
                                                          version, 2);
  };
  for (std::int16_t version = 1; version <= 5; ++version) {
    const auto told = describe(version);
    ASSERT_EQ(told.message.results.size(), 1U);
    const auto& directory = told.message.results[0];
    EXPECT_EQ(directory.log_dir, "/data");
    EXPECT_EQ(directory.error_code, 0);
    EXPECT_EQ(directory.usable_bytes > 0, version >= 4);
    ASSERT_EQ(directory.topics.size(), 1U);
    ASSERT_EQ(directory.topics[0].partitions.size(), 5U);
    for (std::int32_t i = 0; i < 5; ++i) {
      const auto& partition = directory.topics[0].partitions[static_cast<std::size_t>(i)];
      EXPECT_EQ(partition.partition_index, i);
      EXPECT_EQ(partition.partition_size > 0, i == 4);
      EXPECT_EQ(partition.offset_lag, 0);
    }
  }
  const std::vector<std::int32_t> some = {1, 3, 9};
  Message::DescribableLogDirTopic topic;
  topic.topic = "orders";
  topic.partitions = std::span<const std::int32_t>(some);
  message.topics = std::span<const Message::DescribableLogDirTopic>(&topic, 1);
  EXPECT_EQ(describe(5).message.results[0].topics[0].partitions.size(), 2U);
  machine.authorizer.cluster = false;
  const auto refused = describe(5);
  EXPECT_EQ(static_cast<ErrorCode>(refused.message.error_code),
            ErrorCode::cluster_authorization_failed);
  EXPECT_TRUE(refused.message.results.empty());
}

TEST_F(QueriesTest, producers_of_a_partition_are_described) {
  start();
  append({.values = {"a", "b"}, .producer = {ProducerId(4), ProducerEpoch(1), Sequence(0)}});
  append({.producer = {ProducerId(5), ProducerEpoch(0), Sequence(0)}, .transactional = true});
  using Message = protocol::DescribeProducersRequest;
  const std::vector<std::int32_t> indexes = {0, 1, 0};
  Message::TopicRequest topic;
  topic.name = "orders";
  topic.partition_indexes = std::span<const std::int32_t>(indexes);
  Message message;
  message.topics = std::span<const Message::TopicRequest>(&topic, 1);
  const auto told = machine.ask<protocol::DescribeProducersResponse>(
      &DataRequests::describe_producers, message, 0);
  const auto& partitions = told.message.topics[0].partitions;
  ASSERT_EQ(partitions.size(), 3U);
  EXPECT_EQ(static_cast<ErrorCode>(partitions[1].error_code),
            ErrorCode::unknown_topic_or_partition);
  EXPECT_EQ(static_cast<ErrorCode>(partitions[2].error_code), ErrorCode::invalid_request);
  EXPECT_TRUE(partitions[2].active_producers.empty()) << "all were told of where it is named first";
  ASSERT_EQ(partitions[0].active_producers.size(), 2U);
  EXPECT_EQ(partitions[0].active_producers[0].producer_id, 4);
  EXPECT_EQ(partitions[0].active_producers[0].producer_epoch, 1);
  EXPECT_EQ(partitions[0].active_producers[0].last_sequence, 1);
  EXPECT_EQ(partitions[0].active_producers[0].current_txn_start_offset, -1);
  EXPECT_EQ(partitions[0].active_producers[1].current_txn_start_offset, 2);
}

TEST_F(QueriesTest, a_body_that_cannot_be_read_closes_the_connection) {
  start();
  const auto garbage = [&](const auto& message, std::int16_t version, auto handler) {
    Request request = machine.request_of(message, version, 0);
    request.body = as_bytes("\x7f\x7f\x7f");
    return machine.wait((machine.data[0].get()->*handler)(std::move(request))).kind();
  };
  using enum Response::Kind;
  EXPECT_EQ(garbage(protocol::ListOffsetsRequest{}, 11, &DataRequests::list_offsets), close);
  EXPECT_EQ(garbage(protocol::DeleteRecordsRequest{}, 2, &DataRequests::delete_records), close);
  EXPECT_EQ(
      garbage(protocol::OffsetForLeaderEpochRequest{}, 4, &DataRequests::offset_for_leader_epoch),
      close);
  EXPECT_EQ(garbage(protocol::DescribeLogDirsRequest{}, 5, &DataRequests::describe_log_dirs),
            close);
  EXPECT_EQ(garbage(protocol::DescribeProducersRequest{}, 0, &DataRequests::describe_producers),
            close);
}

}  // namespace
}  // namespace millrace::broker
