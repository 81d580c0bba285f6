// Also proves fetch_sessions.cpp.
#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

using namespace std::chrono_literals;
using protocol::FetchResponse;
using protocol::ListOffsetsRequest;
using protocol::ListOffsetsResponse;
using protocol::OffsetForLeaderEpochRequest;
using protocol::OffsetForLeaderEpochResponse;

const FetchResponse::PartitionData& part_of(const std::optional<Got<FetchResponse>>& got) {
  static const FetchResponse::PartitionData nothing;
  EXPECT_TRUE(got.has_value() && got->message.responses.size() == 1);
  if (!got || got->message.responses.size() != 1) return nothing;
  return got->message.responses[0].partitions[0];
}

std::size_t records_in(const protocol::Records& records) {
  std::size_t count = 0;
  protocol::BatchSplitter splitter(records.bytes());
  for (protocol::BatchView batch; splitter.next(batch);) {
    EXPECT_TRUE(batch.crc_matches());
    count += static_cast<std::size_t>(batch.header().record_count);
  }
  return count;
}

std::vector<StoredRecord> some_records(std::size_t count, std::int64_t first_timestamp = 100) {
  std::vector<StoredRecord> records;
  for (std::size_t i = 0; i < count; ++i) {
    records.push_back({.offset = no_offset,
                       .timestamp = Timestamp(first_timestamp + static_cast<std::int64_t>(i)),
                       .key = std::nullopt,
                       .value = "value",
                       .headers = {{"from", "a test"}}});
  }
  return records;
}

struct WithTopic : MockMachine {
  explicit WithTopic(const Options& options = {}) : MockMachine(options) {
    check(cluster->create_topic("orders").has_value(), "a topic is made");
  }
  void append(std::size_t records, std::int64_t first_timestamp = 100) {
    check(cluster->append("orders", PartitionIndex(0), some_records(records, first_timestamp))
              .has_value(),
          "records are appended");
  }
};

TEST(MockFetch, gives_records_in_every_version) {
  for (std::int16_t version = 4; version <= 17; ++version) {
    SCOPED_TRACE(version);
    WithTopic machine;
    machine.append(3);
    machine.run([&]() -> Task<void> {
      RawClient client(machine.network, machine.pool);
      EXPECT_TRUE(co_await client.connect(machine.address()));
      FetchOne request(machine.id_of("orders"), "orders", 0, 1);
      const auto got = co_await client.call<FetchResponse>(request.message, version);
      EXPECT_EQ(part_of(got).error_code, none);
      EXPECT_EQ(part_of(got).high_watermark, 3);
      EXPECT_EQ(records_in(part_of(got).records), 3u);
      client.close();
    }());
  }
}

TEST(MockFetch, waits_for_records_and_gives_up_at_its_time) {
  WithTopic machine;
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    FetchOne request(machine.id_of("orders"), "orders", 0, 0);
    const MonotonicTime begun = machine.now();
    const auto empty = co_await client.call<FetchResponse>(request.message, 17);
    EXPECT_EQ(part_of(empty).records.size(), 0u);
    EXPECT_GE(machine.now() - begun, 500ms);
    EXPECT_TRUE(co_await client.send(request.message, 17));
    co_await sleep_until(machine.executor, machine.now() + 100ms);
    machine.append(1);
    auto frame = co_await client.receive();
    EXPECT_TRUE(frame.has_value());
    const auto got = client.decoded<FetchResponse>(*std::move(frame), 17);
    EXPECT_EQ(records_in(part_of(got).records), 1u);
    EXPECT_LT(machine.now() - begun, 900ms);
    client.close();
  }());
}

TEST(MockFetch, keeps_to_the_bytes_that_were_asked_for_but_gives_the_first_batch_whole) {
  WithTopic machine;
  for (int i = 0; i < 10; ++i) machine.append(1);
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    FetchOne request(machine.id_of("orders"), "orders", 0, 0);
    request.part.partition_max_bytes = 1;
    const auto one = co_await client.call<FetchResponse>(request.message, 17);
    EXPECT_EQ(records_in(part_of(one).records), 1u);
    request.part.partition_max_bytes = static_cast<std::int32_t>(part_of(one).records.size() * 3);
    const auto three = co_await client.call<FetchResponse>(request.message, 17);
    EXPECT_EQ(records_in(part_of(three).records), 3u);
    request.message.max_bytes = static_cast<std::int32_t>(part_of(one).records.size() * 2);
    const auto two = co_await client.call<FetchResponse>(request.message, 17);
    EXPECT_EQ(records_in(part_of(two).records), 2u);
    client.close();
  }());
}

TEST(MockFetch, refuses_offsets_leaders_and_epochs_that_are_wrong) {
  WithTopic machine({.brokers = 2});
  machine.append(3);
  ASSERT_TRUE(machine.cluster->move_leader("orders", PartitionIndex(0), BrokerId(1)));
  ASSERT_TRUE(machine.cluster->delete_before("orders", PartitionIndex(0), Offset(2)));
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    FetchOne request(machine.id_of("orders"), "orders", 0, 2);
    const auto error = [&]() -> Task<int> {
      const auto got = co_await client.call<FetchResponse>(request.message, 17);
      co_return part_of(got).error_code;
    };
    EXPECT_EQ(co_await error(), none);
    request.part.current_leader_epoch = 0;
    EXPECT_EQ(co_await error(), number(ErrorCode::fenced_leader_epoch));
    request.part.current_leader_epoch = 2;
    EXPECT_EQ(co_await error(), number(ErrorCode::unknown_leader_epoch));
    request.part.current_leader_epoch = 1;
    request.part.fetch_offset = 1;
    EXPECT_EQ(co_await error(), number(ErrorCode::offset_out_of_range));
    request.part.fetch_offset = 4;
    EXPECT_EQ(co_await error(), number(ErrorCode::offset_out_of_range));
    request.part.partition = 7;
    EXPECT_EQ(co_await error(), number(ErrorCode::unknown_topic_or_partition));
    request.topic.topic_id = Uuid{};
    EXPECT_EQ(co_await error(), number(ErrorCode::unknown_topic_id));
    request.message.session_id = 5;
    request.message.session_epoch = 1;
    const auto session = co_await client.call<FetchResponse>(request.message, 17);
    EXPECT_TRUE(session);
    EXPECT_EQ(session->message.error_code, number(ErrorCode::fetch_session_id_not_found));
    client.close();
  }());
}

TEST(MockFetch, remembers_in_a_session_what_is_wanted_and_tells_news_only) {
  WithTopic machine;
  machine.append(3);
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    FetchOne request(machine.id_of("orders"), "orders", 0, 0);
    request.message.session_epoch = 0;
    const auto all = co_await client.call<FetchResponse>(request.message, 17);
    EXPECT_EQ(records_in(part_of(all).records), 3u);
    const std::int32_t id = all->message.session_id;
    EXPECT_GT(id, 0);
    protocol::FetchRequest next;
    next.max_wait_ms = 500;
    next.min_bytes = 1;
    next.session_id = id;
    next.session_epoch = 1;
    const auto again = co_await client.call<FetchResponse>(next, 17);
    EXPECT_EQ(records_in(part_of(again).records), 3u) << "it wants the same as before";
    request.part.fetch_offset = 3;
    request.message.session_id = id;
    request.message.session_epoch = 2;
    const auto nothing = co_await client.call<FetchResponse>(request.message, 17);
    EXPECT_EQ(nothing->message.session_id, id);
    EXPECT_TRUE(nothing->message.responses.size() == 0) << "there is nothing new";
    next.session_epoch = 2;
    const auto late = co_await client.call<FetchResponse>(next, 17);
    EXPECT_EQ(late->message.error_code, number(ErrorCode::invalid_fetch_session_epoch));
    next.session_epoch = 3;
    const auto by_name = co_await client.call<FetchResponse>(next, 12);
    EXPECT_EQ(by_name->message.error_code, number(ErrorCode::fetch_session_topic_id_error));
    machine.append(1);
    const auto news = co_await client.call<FetchResponse>(next, 17);
    EXPECT_EQ(part_of(news).high_watermark, 4);
    protocol::FetchRequest::ForgottenTopic forgotten;
    const std::int32_t partition = 0;
    forgotten.topic_id = machine.id_of("orders");
    forgotten.partitions = {&partition, 1};
    next.forgotten_topics_data = {&forgotten, 1};
    next.session_epoch = 4;
    const auto over = co_await client.call<FetchResponse>(next, 17);
    EXPECT_EQ(over->message.session_id, 0) << "who wants nothing has no session";
    next.session_epoch = 5;
    const auto gone = co_await client.call<FetchResponse>(next, 17);
    EXPECT_EQ(gone->message.error_code, number(ErrorCode::fetch_session_id_not_found));
    client.close();
  }());
}

TEST(MockFetch, tells_where_histories_part_after_records_were_lost) {
  WithTopic machine;
  machine.append(3);
  machine.append(3);
  ASSERT_TRUE(machine.cluster->lose_from("orders", PartitionIndex(0), Offset(3)));
  machine.append(4);
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    FetchOne request(machine.id_of("orders"), "orders", 0, 6);
    request.part.last_fetched_epoch = 0;
    const auto got = co_await client.call<FetchResponse>(request.message, 17);
    EXPECT_EQ(part_of(got).diverging_epoch.epoch, 0);
    EXPECT_EQ(part_of(got).diverging_epoch.end_offset, 3);
    OffsetForLeaderEpochRequest::OffsetForLeaderPartition part{.partition = 0, .leader_epoch = 0};
    OffsetForLeaderEpochRequest::OffsetForLeaderTopic topic{.topic = "orders",
                                                            .partitions = {&part, 1}};
    const OffsetForLeaderEpochRequest asked{.topics = {&topic, 1}};
    const auto end = co_await client.call<OffsetForLeaderEpochResponse>(asked, 4);
    EXPECT_TRUE(end && end->message.topics.size() == 1);
    EXPECT_EQ(end->message.topics[0].partitions[0].end_offset, 3);
    client.close();
  }());
}

TEST(MockListOffsets, finds_ends_and_times) {
  WithTopic machine;
  machine.append(3, 100);
  machine.append(3, 200);
  ASSERT_TRUE(machine.cluster->delete_before("orders", PartitionIndex(0), Offset(1)));
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    const auto offset_at = [&](std::int64_t timestamp) -> Task<std::int64_t> {
      ListOffsetsRequest::ListOffsetsPartition part{.partition_index = 0, .timestamp = timestamp};
      ListOffsetsRequest::ListOffsetsTopic topic{.name = "orders", .partitions = {&part, 1}};
      ListOffsetsRequest request;
      request.topics = {&topic, 1};
      const auto got = co_await client.call<ListOffsetsResponse>(request, 11);
      EXPECT_TRUE(got && got->message.topics.size() == 1);
      EXPECT_EQ(got->message.topics[0].partitions[0].error_code, none);
      co_return got->message.topics[0].partitions[0].offset;
    };
    EXPECT_EQ(co_await offset_at(-1), 6);
    EXPECT_EQ(co_await offset_at(-2), 1);
    EXPECT_EQ(co_await offset_at(-3), 5);
    EXPECT_EQ(co_await offset_at(-5), -1);
    EXPECT_EQ(co_await offset_at(0), 1);
    EXPECT_EQ(co_await offset_at(102), 2);
    EXPECT_EQ(co_await offset_at(103), 3);
    EXPECT_EQ(co_await offset_at(203), -1);
    client.close();
  }());
}

}  // namespace
}  // namespace millrace::mock
