// What becomes of a leader's word that another broker is nearer.
#include <gtest/gtest.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../core/metadata_machine.hpp"

import millrace.client.consumer;
import millrace.client.core;
import millrace.protocol;
import millrace.protocol.fetch;

namespace millrace::client {
namespace {

using protocol::ApiKey;
using protocol::FetchResponse;

// An answer about each partition that the request names, without records.
Reaction say_fetched(const Heard& heard, std::int32_t preferred) {
  protocol::Arena arena(1 * mebibyte);
  protocol::FetchRequest request;
  check(decode(request, heard.body, heard.version, arena).has_value(), "a request can be read");
  std::vector<std::vector<FetchResponse::PartitionData>> partitions;
  for (const auto& topic : request.topics) {
    auto& list = partitions.emplace_back();
    for (const auto& partition : topic.partitions) {
      FetchResponse::PartitionData data;
      data.partition_index = partition.partition;
      data.high_watermark = data.last_stable_offset = 10;
      data.log_start_offset = 0;
      data.preferred_read_replica = preferred;
      data.records = protocol::Records(protocol::empty_bytes);
      list.push_back(data);
    }
  }
  std::vector<FetchResponse::FetchableTopicResponse> topics;
  std::size_t place = 0;
  for (const auto& topic : request.topics) {
    FetchResponse::FetchableTopicResponse said;
    said.topic = topic.topic;
    said.topic_id = topic.topic_id;
    said.partitions = protocol::Array<FetchResponse::PartitionData>(partitions[place++]);
    topics.push_back(said);
  }
  FetchResponse response;
  response.responses = protocol::Array<FetchResponse::FetchableTopicResponse>(topics);
  return answer(heard, response);
}

TEST(Replica, that_is_not_known_yet_is_asked_for_and_then_read_from) {
  MetadataMachine machine;
  machine.topics["orders"] = one_partition(1, 0);
  const auto tell = machine.broker->react;
  machine.broker->react = [&](const Heard& heard) {
    return heard.api == ApiKey::fetch ? say_fetched(heard, 2) : tell(heard);
  };
  machine.second.emplace(machine.executor, machine.network, test_address(1, 9093));
  machine.second->react = [&](const Heard& heard) {
    if (heard.api != ApiKey::fetch) return tell(heard);
    Reaction reaction = say_fetched(heard, -1);
    reaction.after = std::chrono::milliseconds{500};
    return reaction;
  };
  ConsumerSettings settings;
  settings.common = machine.settings;
  ConsumerClient consumer(settings, machine.executor, machine.network, machine.resolver,
                          Logger(machine.log, "consumer"), Random(1));
  ASSERT_TRUE(consumer.assign({place("orders")}).has_value());
  ASSERT_TRUE(consumer.seek(place("orders"), Offset(10)).has_value());
  machine.executor.advance(std::chrono::seconds{5});
  EXPECT_GT(machine.broker->count(ApiKey::fetch), 5u);
  EXPECT_LT(machine.broker->count(ApiKey::fetch), 200u) << "asked without a pause";
  // It has just joined.
  machine.brokers_said = 2;
  machine.executor.advance(std::chrono::seconds{20});
  EXPECT_GT(machine.second->count(ApiKey::fetch), 5u);
  const std::size_t asked = machine.broker->count(ApiKey::fetch);
  machine.executor.advance(std::chrono::seconds{20});
  EXPECT_EQ(machine.broker->count(ApiKey::fetch), asked) << "the leader has said whom to ask";
  machine.run(consumer.close(machine.now() + std::chrono::seconds{1}));
}

}  // namespace
}  // namespace millrace::client
