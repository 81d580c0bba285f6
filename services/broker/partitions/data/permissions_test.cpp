// What is asked of the authoriser for each request about partitions.
#include "data_machine.hpp"

import millrace.protocol.admin;
import millrace.protocol.fetch;
import millrace.protocol.transactions;

namespace millrace::broker {
namespace {

using security::Operation;
using security::ResourceType;
using Asked = std::vector<std::pair<Operation, ResourceType>>;

class DataPermissionsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(machine.start().has_value());
    machine.make_topic({});
  }
  // While one request is answered, which names the topic "orders".
  template <class Response, class Message>
  Asked asked_of(Task<broker::Response> (DataRequests::*handler)(Request), const Message& message,
                 std::int16_t version) {
    machine.authorizer.asked.clear();
    EXPECT_FALSE(machine.ask<Response>(handler, message, version).closed);
    return machine.authorizer.asked;
  }
  // A request for one partition of one topic.
  template <class Message, class Topic, class Partition>
  static Message of_topic(Topic& topic, const Partition& partition) {
    topic.partitions = std::span<const Partition>(&partition, 1);
    Message message;
    message.topics = std::span<const Topic>(&topic, 1);
    return message;
  }

  DataMachine machine{29};
};

TEST_F(DataPermissionsTest, are_those_that_kafka_asks_for) {
  machine.authorizer.asked.clear();
  EXPECT_EQ(DataMachine::code(machine.produce_one({})), ErrorCode::none);
  EXPECT_EQ(machine.authorizer.asked, (Asked{{Operation::write, ResourceType::topic}}));

  protocol::ListOffsetsRequest::ListOffsetsTopic listed;
  listed.name = "orders";
  EXPECT_EQ((asked_of<protocol::ListOffsetsResponse>(
                &DataRequests::list_offsets,
                of_topic<protocol::ListOffsetsRequest>(
                    listed, protocol::ListOffsetsRequest::ListOffsetsPartition()),
                11)),
            (Asked{{Operation::describe, ResourceType::topic}}));

  protocol::DeleteRecordsRequest::DeleteRecordsTopic deleted;
  deleted.name = "orders";
  EXPECT_EQ((asked_of<protocol::DeleteRecordsResponse>(
                &DataRequests::delete_records,
                of_topic<protocol::DeleteRecordsRequest>(
                    deleted, protocol::DeleteRecordsRequest::DeleteRecordsPartition()),
                2)),
            (Asked{{Operation::remove, ResourceType::topic}}));

  protocol::OffsetForLeaderEpochRequest::OffsetForLeaderTopic followed;
  followed.topic = "orders";
  EXPECT_EQ((asked_of<protocol::OffsetForLeaderEpochResponse>(
                &DataRequests::offset_for_leader_epoch,
                of_topic<protocol::OffsetForLeaderEpochRequest>(
                    followed, protocol::OffsetForLeaderEpochRequest::OffsetForLeaderPartition()),
                4)),
            (Asked{{Operation::describe, ResourceType::topic}}));

  EXPECT_EQ((asked_of<protocol::DescribeLogDirsResponse>(&DataRequests::describe_log_dirs,
                                                         protocol::DescribeLogDirsRequest(), 5)),
            (Asked{{Operation::describe, ResourceType::cluster}}));

  protocol::DescribeProducersRequest::TopicRequest described;
  described.name = "orders";
  const std::int32_t index = 0;
  described.partition_indexes = std::span<const std::int32_t>(&index, 1);
  protocol::DescribeProducersRequest describe;
  describe.topics =
      std::span<const protocol::DescribeProducersRequest::TopicRequest>(&described, 1);
  EXPECT_EQ((asked_of<protocol::DescribeProducersResponse>(&DataRequests::describe_producers,
                                                           describe, 0)),
            (Asked{{Operation::read, ResourceType::topic}}));
}

}  // namespace
}  // namespace millrace::broker
