module;
#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.consumer.groups;

import millrace.base;
import millrace.client.core;
import millrace.protocol.groups;

namespace millrace::client {
namespace {

using protocol::Array;
using protocol::ConsumerProtocolAssignment;
using protocol::ConsumerProtocolSubscription;

using ByTopic = std::map<std::string_view, std::vector<std::int32_t>>;

ByTopic by_topic(const Partitions& partitions) {
  ByTopic topics;
  for (const TopicPartition& partition : partitions) {
    topics[partition.topic].push_back(partition.partition.value());
  }
  return topics;
}

template <class TopicPartition>
std::vector<TopicPartition> as_message(const ByTopic& topics) {
  std::vector<TopicPartition> message;
  for (const auto& [topic, partitions] : topics) {
    TopicPartition& item = message.emplace_back();
    item.topic = topic;
    item.partitions = Array<std::int32_t>(std::span(partitions));
  }
  return message;
}

// Of topics that can be.
template <class TopicPartition>
void add_partitions(const Array<TopicPartition>& message, Partitions& partitions) {
  for (const TopicPartition& topic : message) {
    if (topic.topic.size() > topic_name_bytes_max) continue;
    for (const std::int32_t partition : topic.partitions) {
      partitions.push_back({std::string(topic.topic), PartitionIndex(partition)});
    }
  }
}

void sort_and_merge(Partitions& partitions) {
  std::ranges::sort(partitions);
  const auto repeated = std::ranges::unique(partitions);
  partitions.erase(repeated.begin(), repeated.end());
}

// The message after its version.
template <class Message>
Result<OwnedBytes> encode(const Message& message) {
  constexpr std::int16_t version = Message::version_max;
  const auto size = protocol::measure(message, version);
  if (!size) return failure(ErrorKind::invalid_argument, to_string(size.error()));
  OwnedBytes bytes(sizeof version + size->inline_bytes);
  store_big_endian(bytes.data(), version);
  protocol::Writer writer(MutableBytes(bytes).subspan(sizeof version), {});
  protocol::write(message, version, writer);
  return bytes;
}

template <class Message>
Result<std::int16_t> decode(Message& message, ByteView bytes, protocol::Arena& arena) {
  ByteReader reader(bytes);
  const auto version = reader.integer<std::int16_t>();
  if (reader.failed() || version < Message::version_min) {
    return failure(ErrorKind::corrupt, "the words of a group member have no known version");
  }
  const auto known = std::min(version, Message::version_max);
  const auto decoded = protocol::decode(message, reader.rest(), known, arena);
  if (!decoded) return failure(ErrorKind::corrupt, to_string(decoded.error()));
  return known;
}

// --- The user data of Kafka's sticky assignors. ---

void append(OwnedBytes& bytes, std::integral auto value) {
  bytes.resize(bytes.size() + sizeof value);
  store_big_endian(bytes.data() + bytes.size() - sizeof value, value);
}

// Eager members give everything up before they join: what they held is told here.
OwnedBytes sticky_user_data(const Subscriber& subscriber) {
  const ByTopic topics = by_topic(subscriber.owned);
  OwnedBytes bytes;
  append(bytes, static_cast<std::int32_t>(topics.size()));
  for (const auto& [topic, partitions] : topics) {
    append(bytes, static_cast<std::int16_t>(topic.size()));
    const ByteView name = as_bytes(topic);
    bytes.insert(bytes.end(), name.begin(), name.end());
    append(bytes, static_cast<std::int32_t>(partitions.size()));
    for (const std::int32_t partition : partitions) append(bytes, partition);
  }
  append(bytes, subscriber.generation.value());
  return bytes;
}

// What cannot be read counts for nothing: it only tells what would be nice to keep.
void read_sticky_user_data(ByteView bytes, Subscriber& subscriber) {
  ByteReader reader(bytes);
  Partitions owned;
  const auto topics = reader.integer<std::int32_t>();
  for (std::int32_t i = 0; i < topics && !reader.failed(); ++i) {
    const auto length = reader.integer<std::int16_t>();
    if (length < 0 || static_cast<std::size_t>(length) > topic_name_bytes_max) return;
    const std::string topic(as_text(reader.bytes(static_cast<std::size_t>(length))));
    const auto count = reader.integer<std::int32_t>();
    for (std::int32_t j = 0; j < count && !reader.failed(); ++j) {
      owned.push_back({topic, PartitionIndex(reader.integer<std::int32_t>())});
    }
  }
  if (reader.failed()) return;
  // The first version of it has no generation.
  const auto generation = reader.remaining() == 0 ? -1 : reader.integer<std::int32_t>();
  if (reader.failed()) return;
  subscriber.owned = std::move(owned);
  subscriber.generation = Generation(generation);
}

}  // namespace

Result<OwnedBytes> encode_subscription(const Subscriber& subscriber, AssignorKind strategy) {
  ConsumerProtocolSubscription message;
  const std::vector<protocol::String> topics(subscriber.topics.begin(), subscriber.topics.end());
  message.topics = Array<protocol::String>(std::span(topics));
  OwnedBytes user_data;
  if (strategy == AssignorKind::sticky) user_data = sticky_user_data(subscriber);
  if (strategy == AssignorKind::cooperative_sticky)
    append(user_data, subscriber.generation.value());
  if (!user_data.empty()) message.user_data = user_data;
  const ByTopic owned = by_topic(subscriber.owned);
  const auto partitions = as_message<ConsumerProtocolSubscription::TopicPartition>(owned);
  if (is_cooperative(strategy)) message.owned_partitions = std::span(partitions);
  message.generation_id = subscriber.generation.value();
  if (subscriber.rack) message.rack_id = *subscriber.rack;
  return encode(message);
}

Result<Subscriber> decode_subscription(ByteView bytes, AssignorKind strategy) {
  protocol::Arena arena(consumer_protocol_arena_bytes_max);
  ConsumerProtocolSubscription message;
  const auto version = decode(message, bytes, arena);
  if (!version) return failure(version.error());
  Subscriber subscriber;
  subscriber.topics.assign(message.topics.begin(), message.topics.end());
  std::ranges::sort(subscriber.topics);
  const auto repeated = std::ranges::unique(subscriber.topics);
  subscriber.topics.erase(repeated.begin(), repeated.end());
  add_partitions(message.owned_partitions, subscriber.owned);
  subscriber.generation = Generation(message.generation_id);
  if (message.rack_id.data() != nullptr) subscriber.rack = std::string(message.rack_id);
  if (strategy == AssignorKind::sticky) {
    read_sticky_user_data(message.user_data, subscriber);
  } else if (strategy == AssignorKind::cooperative_sticky && *version < 2 &&
             message.user_data.size() == sizeof(std::int32_t)) {
    subscriber.generation = Generation(load_big_endian<std::int32_t>(message.user_data.data()));
  }
  sort_and_merge(subscriber.owned);
  return subscriber;
}

Result<OwnedBytes> encode_assignment(const Partitions& partitions) {
  const ByTopic topics = by_topic(partitions);
  const auto items = as_message<ConsumerProtocolAssignment::TopicPartition>(topics);
  ConsumerProtocolAssignment message;
  message.assigned_partitions = std::span(items);
  return encode(message);
}

Result<Partitions> decode_assignment(ByteView bytes) {
  Partitions partitions;
  if (bytes.empty()) return partitions;
  protocol::Arena arena(consumer_protocol_arena_bytes_max);
  ConsumerProtocolAssignment message;
  if (const auto version = decode(message, bytes, arena); !version) {
    return failure(version.error());
  }
  for (const auto& topic : message.assigned_partitions) {
    if (topic.topic.size() > topic_name_bytes_max) {
      return failure(ErrorKind::corrupt, "an assignment names a topic that cannot be");
    }
  }
  add_partitions(message.assigned_partitions, partitions);
  for (const TopicPartition& partition : partitions) {
    if (partition.partition < PartitionIndex(0)) {
      return failure(ErrorKind::corrupt, "an assignment names a partition below 0");
    }
  }
  sort_and_merge(partitions);
  return partitions;
}

}  // namespace millrace::client
