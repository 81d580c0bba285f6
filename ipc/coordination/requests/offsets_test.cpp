// OffsetCommit, OffsetFetch and OffsetDelete in every version.
// Also proves answering.cpp.
#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::coordination {
namespace {

TEST(GroupCall, offset_commit_in_all_versions) {
  for_each_version<protocol::OffsetCommitRequest>([](std::int16_t v) {
    using Request = protocol::OffsetCommitRequest;
    const bool ids = v >= first_version_with_topic_ids;
    // Of the first topic a partition too many, and a topic that does not exist.
    Request::OffsetCommitRequestPartition partitions[3];
    partitions[0].partition_index = 3;
    partitions[0].committed_offset = 42;
    partitions[0].committed_metadata = "m";
    partitions[1].partition_index = 4;
    partitions[2].partition_index = 0;
    partitions[2].committed_offset = 43;
    partitions[2].committed_metadata = protocol::null_string;
    Request::OffsetCommitRequestTopic topics[2];
    topics[0].partitions = std::span<const Request::OffsetCommitRequestPartition>(partitions);
    topics[1].partitions = {&partitions[0], 1};
    if (ids) {
      topics[0].topic_id = id_of(1);
      topics[1].topic_id = id_of(9);
    } else {
      topics[0].name = "orders";
      topics[1].name = "nothing";
    }
    Request in;
    in.group_id = "g";
    in.generation_id_or_member_epoch = 3;
    in.member_id = "m";
    if (v >= 2 && v <= 4) in.retention_time_ms = 5'000;
    in.topics = std::span<const Request::OffsetCommitRequestTopic>(topics);
    const GroupCall call = call_of(in, v);
    ASSERT_EQ(call.questions().size(), 1u);
    const auto& asked = std::get<groups::CommitRequest>(call.questions()[0].request);
    EXPECT_EQ(asked.generation, groups::Generation(3));
    EXPECT_EQ(asked.retention.has_value(), v <= 4);
    EXPECT_EQ(asked.may_lack_group, v >= 9);
    ASSERT_EQ(asked.topics.size(), 1u);
    EXPECT_EQ(asked.topics[0].name, "orders");
    EXPECT_EQ(asked.topics[0].topic_id, ids ? id_of(1) : Uuid{});
    ASSERT_EQ(asked.topics[0].partitions.size(), 2u);
    EXPECT_EQ(asked.topics[0].partitions[1].offset, Offset(43));
    EXPECT_EQ(asked.topics[0].partitions[1].metadata, "");

    groups::CommitReply reply;
    reply.topics = {{"orders",
                     {},
                     {{PartitionIndex(3), ErrorCode::none},
                      {PartitionIndex(0), ErrorCode::offset_metadata_too_large}}}};
    const auto out = answered<protocol::OffsetCommitResponse>(call, {reply}, v);
    ASSERT_EQ(out.message.topics.size(), 2u);
    const auto& first = out.message.topics[0];
    EXPECT_EQ(first.topic_id, ids ? id_of(1) : Uuid{});
    if (!ids) EXPECT_EQ(first.name, "orders");
    ASSERT_EQ(first.partitions.size(), 3u);
    EXPECT_EQ(first.partitions[0].error_code, 0);
    EXPECT_EQ(first.partitions[1].error_code, number_of(ErrorCode::unknown_topic_or_partition));
    EXPECT_EQ(first.partitions[2].error_code, number_of(ErrorCode::offset_metadata_too_large));
    EXPECT_EQ(out.message.topics[1].partitions[0].error_code,
              number_of(ids ? ErrorCode::unknown_topic_id : ErrorCode::unknown_topic_or_partition));

    const auto error = refused<protocol::OffsetCommitResponse>(call, v);
    EXPECT_EQ(error.message.topics[0].partitions[0].error_code, unavailable);
    EXPECT_EQ(error.message.topics[0].partitions[2].error_code, unavailable);
  });
}

TEST(GroupCall, a_commit_of_nothing_that_exists_asks_nothing) {
  protocol::OffsetCommitRequest in;
  in.group_id = "g";
  EXPECT_TRUE(call_of(in, 8).questions().empty());
  EXPECT_TRUE(
      answered<protocol::OffsetCommitResponse>(call_of(in, 8), {}, 8).message.topics.empty());
}

groups::FetchReply fetched_orders() {
  groups::FetchReply reply;
  reply.topics = {{"orders",
                   id_of(1),
                   {{PartitionIndex(0), Offset(42), LeaderEpoch(7), "m", ErrorCode::none},
                    {PartitionIndex(1), no_offset, no_leader_epoch, "", ErrorCode::none}}}};
  return reply;
}

TEST(GroupCall, offset_fetch_of_one_group_in_versions_1_to_7) {
  for (std::int16_t v = 1; v <= 7; ++v) {
    SCOPED_TRACE(v);
    const std::int32_t partitions[] = {0, 1};
    protocol::OffsetFetchRequest::OffsetFetchRequestTopic topic;
    topic.name = "orders";
    topic.partition_indexes = std::span<const std::int32_t>(partitions);
    protocol::OffsetFetchRequest in;
    in.group_id = "g";
    in.topics = {&topic, 1};
    in.require_stable = v >= 7;
    const GroupCall call = call_of(in, v);
    const auto& asked = std::get<groups::FetchRequest>(call.questions().at(0).request);
    EXPECT_EQ(asked.group, "g");
    EXPECT_EQ(asked.require_stable, v >= 7);
    ASSERT_TRUE(asked.topics.has_value());
    const auto out = answered<protocol::OffsetFetchResponse>(call, {fetched_orders()}, v);
    ASSERT_EQ(out.message.topics.size(), 1u);
    ASSERT_EQ(out.message.topics[0].partitions.size(), 2u);
    EXPECT_EQ(out.message.topics[0].partitions[0].committed_offset, 42);
    EXPECT_EQ(out.message.topics[0].partitions[0].committed_leader_epoch, v >= 5 ? 7 : -1);
    EXPECT_EQ(out.message.topics[0].partitions[1].committed_offset, -1);
    const auto error = refused<protocol::OffsetFetchResponse>(call, v);
    if (v == 1) {
      ASSERT_EQ(error.message.topics.size(), 1u);
      EXPECT_EQ(error.message.topics[0].partitions[1].error_code, unavailable);
      EXPECT_EQ(error.message.topics[0].partitions[1].committed_offset, -1);
    } else {
      EXPECT_EQ(error.message.error_code, unavailable);
      EXPECT_TRUE(error.message.topics.empty());
    }
  }
}

TEST(GroupCall, offset_fetch_of_several_groups_from_version_8_on) {
  for (std::int16_t v = 8; v <= 10; ++v) {
    SCOPED_TRACE(v);
    const bool ids = v >= first_version_with_topic_ids;
    using Request = protocol::OffsetFetchRequest;
    const std::int32_t partitions[] = {0, 1};
    Request::OffsetFetchRequestTopics topics[2];
    for (auto& topic : topics) topic.partition_indexes = std::span<const std::int32_t>(partitions);
    if (ids) {
      topics[0].topic_id = id_of(9);  // not known
      topics[1].topic_id = id_of(1);
    } else {
      topics[0].name = "nothing";
      topics[1].name = "orders";
    }
    Request::OffsetFetchRequestGroup wanted[2];
    wanted[0].group_id = "g";
    wanted[0].topics = std::span<const Request::OffsetFetchRequestTopics>(topics);
    wanted[1].group_id = "h";
    wanted[1].topics = decltype(wanted[1].topics)::null();
    Request in;
    in.groups = std::span<const Request::OffsetFetchRequestGroup>(wanted);
    const GroupCall call = call_of(in, v);
    EXPECT_EQ(call.wants_all_topics(), ids);
    ASSERT_EQ(call.questions().size(), 2u);
    const auto& asked = std::get<groups::FetchRequest>(call.questions()[0].request);
    EXPECT_EQ(asked.topics->size(), ids ? 1u : 2u);
    EXPECT_FALSE(std::get<groups::FetchRequest>(call.questions()[1].request).topics.has_value());

    groups::FetchReply first = fetched_orders();
    if (!ids) {
      groups::FetchedTopic nothing{"nothing", {}, first.topics[0].partitions};
      nothing.partitions[0].offset = no_offset;
      first.topics.insert(first.topics.begin(), nothing);
    }
    groups::FetchReply all = fetched_orders();
    all.topics.push_back({"gone", {}, {}});
    const auto out = answered<protocol::OffsetFetchResponse>(call, {first, all}, v);
    ASSERT_EQ(out.message.groups.size(), 2u);
    const auto& g = out.message.groups[0];
    EXPECT_EQ(g.group_id, "g");
    ASSERT_EQ(g.topics.size(), 2u);
    EXPECT_EQ(g.topics[0].partitions[0].error_code,
              ids ? number_of(ErrorCode::unknown_topic_id) : 0);
    EXPECT_EQ(g.topics[0].partitions[0].committed_offset, -1);
    EXPECT_EQ(g.topics[1].partitions[0].committed_offset, 42);
    const auto& h = out.message.groups[1];
    ASSERT_EQ(h.topics.size(), ids ? 1u : 2u) << "a topic without an id cannot be named by one";
    EXPECT_EQ(h.topics[0].topic_id, ids ? id_of(1) : Uuid{});
    EXPECT_EQ(h.topics[0].partitions[0].metadata, "m");

    const auto error = refused<protocol::OffsetFetchResponse>(call, v);
    ASSERT_EQ(error.message.groups.size(), 2u);
    EXPECT_EQ(error.message.groups[1].error_code, unavailable);
    EXPECT_TRUE(error.message.groups[1].topics.empty());
  }
}

// An answer with all its offsets for each time would take all memory there is.
TEST(GroupCall, a_group_is_asked_once_for_all_offsets_and_once_for_some_in_a_request) {
  using Request = protocol::OffsetFetchRequest;
  for (std::int16_t v = 8; v <= 10; ++v) {
    SCOPED_TRACE(v);
    std::vector<Request::OffsetFetchRequestGroup> groups(1'000);
    for (auto& group : groups) group.group_id = "g";
    groups[0].topics = protocol::Array<Request::OffsetFetchRequestTopics>::null();
    groups[2].topics = groups[0].topics;
    groups[3].group_id = "h";
    Request in;
    in.groups = std::span<const Request::OffsetFetchRequestGroup>(groups);
    const GroupCall call = call_of(in, v);
    ASSERT_EQ(call.questions().size(), 3u);
    EXPECT_EQ(call.questions()[0].group, "g");
    EXPECT_EQ(call.questions()[1].group, "g");
    EXPECT_EQ(call.questions()[2].group, "h");
    const auto out = answered<protocol::OffsetFetchResponse>(
        call, {fetched_orders(), groups::FetchReply(), groups::FetchReply()}, v);
    ASSERT_EQ(out.message.groups.size(), 1'000u) << "each in its place";
    EXPECT_EQ(out.message.groups[0].error_code, 0);
    EXPECT_EQ(out.message.groups[0].topics.size(), 1u);
    EXPECT_EQ(out.message.groups[1].error_code, 0);
    EXPECT_EQ(out.message.groups[3].group_id, "h");
    EXPECT_EQ(out.message.groups[3].error_code, 0);
    for (const std::size_t again : {2u, 4u, 999u}) {
      EXPECT_EQ(out.message.groups[again].group_id, "g");
      EXPECT_EQ(out.message.groups[again].error_code, number_of(ErrorCode::invalid_request));
      EXPECT_TRUE(out.message.groups[again].topics.empty());
    }
    EXPECT_EQ(refused<protocol::OffsetFetchResponse>(call, v).message.groups[0].error_code,
              unavailable);
  }
}

// The same for a partition: its metadata is a thousand times as long as what names it.
TEST(GroupCall, a_partition_is_asked_for_its_offset_once_in_a_request) {
  const std::vector<std::int32_t> many(100'000, 1);
  const std::int32_t others[] = {3, 1, 0};
  const std::int32_t one[] = {2};
  const auto expect_once = [](const GroupCall& call) {
    const auto& asked = std::get<groups::FetchRequest>(call.questions().at(0).request);
    ASSERT_TRUE(asked.topics.has_value());
    ASSERT_EQ(asked.topics->size(), 2u);
    EXPECT_EQ(asked.topics->at(0).name, "orders");
    EXPECT_EQ(asked.topics->at(0).partitions,
              (std::vector{PartitionIndex(0), PartitionIndex(1), PartitionIndex(3)}));
    EXPECT_EQ(asked.topics->at(1).name, "bills");
    EXPECT_EQ(asked.topics->at(1).partitions, std::vector{PartitionIndex(2)});
  };
  using Request = protocol::OffsetFetchRequest;
  for (std::int16_t v = 1; v <= 10; ++v) {
    SCOPED_TRACE(v);
    Request::OffsetFetchRequestTopic topics[3];
    Request::OffsetFetchRequestTopics topics_of_group[3];
    const std::span<const std::int32_t> partitions[] = {many, one, others};
    for (std::size_t i = 0; i < 3; ++i) {
      if (v < first_version_with_topic_ids) {
        topics[i].name = topics_of_group[i].name = i == 1 ? "bills" : "orders";
      } else {
        topics_of_group[i].topic_id = id_of(i == 1 ? 2 : 1);
      }
      topics[i].partition_indexes = topics_of_group[i].partition_indexes = partitions[i];
    }
    Request::OffsetFetchRequestGroup group;
    group.group_id = "g";
    group.topics = std::span<const Request::OffsetFetchRequestTopics>(topics_of_group);
    Request in;
    if (v < 8) {
      in.group_id = "g";
      in.topics = std::span<const Request::OffsetFetchRequestTopic>(topics);
    } else {
      in.groups = {&group, 1};
    }
    expect_once(call_of(in, v));
  }
}

// Of "orders", in a version that asks about one group.
GroupCall fetch_of(std::span<const std::int32_t> partitions, std::int16_t version) {
  protocol::OffsetFetchRequest::OffsetFetchRequestTopic topic;
  topic.name = "orders";
  topic.partition_indexes = partitions;
  protocol::OffsetFetchRequest in;
  in.group_id = "g";
  in.topics = {&topic, 1};
  return call_of(in, version);
}

TEST(GroupCall, partitions_that_are_named_once_are_answered_in_their_order) {
  const std::int32_t partitions[] = {3, 1, 2};
  const auto call = fetch_of(partitions, 7);
  const auto& asked = std::get<groups::FetchRequest>(call.questions().at(0).request);
  EXPECT_EQ(asked.topics->at(0).partitions,
            (std::vector{PartitionIndex(3), PartitionIndex(1), PartitionIndex(2)}));
}

TEST(GroupCall, offset_delete) {
  using Request = protocol::OffsetDeleteRequest;
  Request::OffsetDeleteRequestPartition partitions[2];
  partitions[1].partition_index = 1;
  Request::OffsetDeleteRequestTopic topics[2];
  topics[0].name = "bills";  // which has one partition
  topics[1].name = "nothing";
  for (auto& topic : topics) {
    topic.partitions = std::span<const Request::OffsetDeleteRequestPartition>(partitions);
  }
  Request in;
  in.group_id = "g";
  in.topics = std::span<const Request::OffsetDeleteRequestTopic>(topics);
  const GroupCall call = call_of(in, 0);
  const auto& asked = std::get<groups::OffsetDeleteRequest>(call.questions().at(0).request);
  ASSERT_EQ(asked.topics.size(), 1u);
  EXPECT_EQ(asked.topics[0].partitions.size(), 1u);
  groups::OffsetDeleteReply reply;
  reply.topics = {{"bills", {}, {{PartitionIndex(0), ErrorCode::group_subscribed_to_topic}}}};
  const auto out = answered<protocol::OffsetDeleteResponse>(call, {reply}, 0);
  EXPECT_EQ(out.message.error_code, 0);
  ASSERT_EQ(out.message.topics.size(), 2u);
  EXPECT_EQ(out.message.topics[0].partitions[0].error_code,
            number_of(ErrorCode::group_subscribed_to_topic));
  EXPECT_EQ(out.message.topics[0].partitions[1].error_code,
            number_of(ErrorCode::unknown_topic_or_partition));
  EXPECT_EQ(out.message.topics[1].partitions[0].error_code,
            number_of(ErrorCode::unknown_topic_or_partition));
  const auto error = refused<protocol::OffsetDeleteResponse>(call, 0);
  EXPECT_EQ(error.message.error_code, unavailable);
  EXPECT_TRUE(error.message.topics.empty());
}

TEST(OffsetFetch, of_more_partitions_than_can_be_answered_is_refused_without_asking) {
  const std::vector<std::int32_t> indexes(partitions_fetched_max + 1, 0);
  protocol::OffsetFetchRequest::OffsetFetchRequestTopics topic;
  topic.name = "orders";
  topic.partition_indexes = std::span<const std::int32_t>(indexes);
  protocol::OffsetFetchRequest::OffsetFetchRequestGroup group;
  group.group_id = "g";
  group.topics = {&topic, 1};
  protocol::OffsetFetchRequest in;
  in.groups = {&group, 1};
  const GroupCall call = call_of(in, 8);
  EXPECT_TRUE(call.questions().empty());
  const auto out = answered<protocol::OffsetFetchResponse>(call, {}, 8);
  ASSERT_EQ(out.message.groups.size(), 1u);
  EXPECT_EQ(out.message.groups[0].error_code, number_of(ErrorCode::invalid_request));
  const GroupCall old_call = fetch_of(indexes, 5);
  EXPECT_TRUE(old_call.questions().empty());
  const auto old_out = answered<protocol::OffsetFetchResponse>(old_call, {}, 5);
  EXPECT_EQ(old_out.message.error_code, number_of(ErrorCode::invalid_request));
  EXPECT_TRUE(old_out.message.topics.empty());
}

}  // namespace
}  // namespace millrace::coordination
