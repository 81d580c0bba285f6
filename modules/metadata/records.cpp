module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

module millrace.metadata;

import millrace.base;
import millrace.metadata.records;
import :limits;

namespace millrace::metadata {
namespace {

// The layout of entries: docs/formats/metadata-records.md.
constexpr std::byte entry_format{1};
// Type, version and length of a record.
constexpr std::size_t record_prefix_bytes = 6;
static_assert(record_bytes_max + record_prefix_bytes + 1 <= entry_bytes_max);

constexpr std::int32_t leader_unchanged = -2;

using protocol::Array;
using protocol::String;

// --- Writing: views of what a record holds. ---

std::vector<std::int32_t> numbers(const std::vector<BrokerId>& brokers) {
  std::vector<std::int32_t> numbers;
  numbers.reserve(brokers.size());
  for (const BrokerId broker : brokers) numbers.push_back(broker.value());
  return numbers;
}

Array<std::int32_t> view(const std::vector<std::int32_t>& values) {
  return Array<std::int32_t>(std::span<const std::int32_t>(values));
}

template <class Message>
void put(OwnedBytes& entry, const Message& message) {
  const std::int16_t version = Message::version_max;
  const auto size = protocol::measure(message, version);
  check(size.has_value() && size->inline_bytes <= record_bytes_max,
        "a record of the cluster's metadata is within its limit");
  const std::size_t at = entry.size();
  entry.resize(at + record_prefix_bytes + size->inline_bytes);
  store_big_endian(entry.data() + at, static_cast<std::uint8_t>(Message::record_type));
  store_big_endian(entry.data() + at + 1, static_cast<std::uint8_t>(version));
  store_big_endian(entry.data() + at + 2, static_cast<std::uint32_t>(size->inline_bytes));
  protocol::Writer writer(MutableBytes(entry).subspan(at + record_prefix_bytes), {});
  protocol::write(message, version, writer);
}

void put_record(OwnedBytes& entry, const ClusterRecord& record) {
  protocol::ClusterRecord message;
  message.cluster_id = record.cluster_id;
  message.metadata_version = record.metadata_version;
  message.last_broker_epoch = record.last_broker_epoch.value();
  put(entry, message);
}

void put_record(OwnedBytes& entry, const FeatureRecord& record) {
  protocol::FeatureRecord message;
  message.name = record.name;
  message.level = record.level;
  put(entry, message);
}

void put_record(OwnedBytes& entry, const RegisterBrokerRecord& record) {
  const Broker& broker = record.broker;
  std::vector<protocol::RegisterBrokerRecord::Endpoint> endpoints;
  for (const Endpoint& endpoint : broker.endpoints) {
    endpoints.push_back(
        {endpoint.listener, endpoint.host, endpoint.port, endpoint.security_protocol});
  }
  protocol::RegisterBrokerRecord message;
  message.broker_id = broker.id.value();
  message.broker_epoch = broker.epoch.value();
  message.incarnation = broker.incarnation;
  message.endpoints = Array(std::span<const protocol::RegisterBrokerRecord::Endpoint>(endpoints));
  message.rack = broker.rack ? String(*broker.rack) : protocol::null_string;
  message.fenced = broker.fenced;
  message.in_controlled_shutdown = broker.in_controlled_shutdown;
  message.directories = Array(std::span<const Uuid>(broker.directories));
  put(entry, message);
}

std::int8_t change_of(std::optional<bool> change) {
  if (!change) return 0;
  return *change ? std::int8_t{1} : std::int8_t{-1};
}

void put_record(OwnedBytes& entry, const BrokerChangeRecord& record) {
  protocol::BrokerChangeRecord message;
  message.broker_id = record.broker.value();
  message.broker_epoch = record.epoch.value();
  message.fenced = change_of(record.fenced);
  message.controlled_shutdown = change_of(record.in_controlled_shutdown);
  put(entry, message);
}

void put_record(OwnedBytes& entry, const UnregisterBrokerRecord& record) {
  protocol::UnregisterBrokerRecord message;
  message.broker_id = record.broker.value();
  message.broker_epoch = record.epoch.value();
  put(entry, message);
}

void put_record(OwnedBytes& entry, const TopicRecord& record) {
  protocol::TopicRecord message;
  message.name = record.name;
  message.topic_id = record.id;
  message.internal = record.internal;
  put(entry, message);
}

void put_record(OwnedBytes& entry, const PartitionRecord& record) {
  const Partition& partition = record.partition;
  const auto replicas = numbers(partition.replicas);
  const auto isr = numbers(partition.isr);
  const auto elr = numbers(partition.elr);
  protocol::PartitionRecord message;
  message.topic_id = record.topic;
  message.partition_index = partition.index.value();
  message.replicas = view(replicas);
  message.isr = view(isr);
  message.elr = view(elr);
  message.leader = partition.leader.value();
  message.leader_epoch = partition.leader_epoch.value();
  message.partition_epoch = partition.partition_epoch;
  put(entry, message);
}

void put_record(OwnedBytes& entry, const PartitionChangeRecord& record) {
  const std::vector<BrokerId> none;
  const auto replicas = numbers(record.replicas.value_or(none));
  const auto isr = numbers(record.isr.value_or(none));
  const auto elr = numbers(record.elr.value_or(none));
  protocol::PartitionChangeRecord message;
  message.topic_id = record.topic;
  message.partition_index = record.partition.value();
  if (record.replicas) message.replicas = view(replicas);
  if (record.isr) message.isr = view(isr);
  if (record.elr) message.elr = view(elr);
  message.leader = record.leader ? record.leader->value() : leader_unchanged;
  put(entry, message);
}

void put_record(OwnedBytes& entry, const RemoveTopicRecord& record) {
  protocol::RemoveTopicRecord message;
  message.topic_id = record.topic;
  put(entry, message);
}

void put_record(OwnedBytes& entry, const ConfigRecord& record) {
  protocol::ConfigRecord message;
  message.resource_type = static_cast<std::int8_t>(record.kind);
  message.resource_name = record.resource;
  message.name = record.name;
  message.value = record.value ? String(*record.value) : protocol::null_string;
  put(entry, message);
}

void put_record(OwnedBytes& entry, const ProducerIdsRecord& record) {
  protocol::ProducerIdsRecord message;
  message.broker_id = record.broker.value();
  message.broker_epoch = record.epoch.value();
  message.next_producer_id = record.next.value();
  put(entry, message);
}

// --- Reading: owned values from views. ---

std::vector<BrokerId> brokers_of(const Array<std::int32_t>& numbers) {
  std::vector<BrokerId> brokers;
  brokers.reserve(numbers.size());
  for (const std::int32_t number : numbers) brokers.emplace_back(number);
  return brokers;
}

std::optional<std::vector<BrokerId>> brokers_if_given(const Array<std::int32_t>& numbers) {
  if (numbers.is_null()) return std::nullopt;
  return brokers_of(numbers);
}

std::optional<bool> change_from(std::int8_t change) {
  if (change == 0) return std::nullopt;
  return change > 0;
}

Record owned(const protocol::ClusterRecord& message) {
  return ClusterRecord{message.cluster_id, message.metadata_version,
                       BrokerEpoch(message.last_broker_epoch)};
}

Record owned(const protocol::FeatureRecord& message) {
  return FeatureRecord{std::string(message.name), message.level};
}

Record owned(const protocol::RegisterBrokerRecord& message) {
  Broker broker;
  broker.id = BrokerId(message.broker_id);
  broker.epoch = BrokerEpoch(message.broker_epoch);
  broker.incarnation = message.incarnation;
  for (const auto& endpoint : message.endpoints) {
    broker.endpoints.push_back({std::string(endpoint.listener), std::string(endpoint.host),
                                endpoint.port, endpoint.security_protocol});
  }
  if (message.rack.data() != nullptr) broker.rack = std::string(message.rack);
  broker.fenced = message.fenced;
  broker.in_controlled_shutdown = message.in_controlled_shutdown;
  broker.directories.assign(message.directories.begin(), message.directories.end());
  return RegisterBrokerRecord{std::move(broker)};
}

Record owned(const protocol::BrokerChangeRecord& message) {
  return BrokerChangeRecord{BrokerId(message.broker_id), BrokerEpoch(message.broker_epoch),
                            change_from(message.fenced), change_from(message.controlled_shutdown)};
}

Record owned(const protocol::UnregisterBrokerRecord& message) {
  return UnregisterBrokerRecord{BrokerId(message.broker_id), BrokerEpoch(message.broker_epoch)};
}

Record owned(const protocol::TopicRecord& message) {
  return TopicRecord{std::string(message.name), message.topic_id, message.internal};
}

Record owned(const protocol::PartitionRecord& message) {
  Partition partition;
  partition.index = PartitionIndex(message.partition_index);
  partition.replicas = brokers_of(message.replicas);
  partition.isr = brokers_of(message.isr);
  partition.elr = brokers_of(message.elr);
  partition.leader = BrokerId(message.leader);
  partition.leader_epoch = LeaderEpoch(message.leader_epoch);
  partition.partition_epoch = message.partition_epoch;
  return PartitionRecord{message.topic_id, std::move(partition)};
}

Record owned(const protocol::PartitionChangeRecord& message) {
  PartitionChangeRecord record;
  record.topic = message.topic_id;
  record.partition = PartitionIndex(message.partition_index);
  record.replicas = brokers_if_given(message.replicas);
  record.isr = brokers_if_given(message.isr);
  record.elr = brokers_if_given(message.elr);
  if (message.leader != leader_unchanged) record.leader = BrokerId(message.leader);
  return record;
}

Record owned(const protocol::RemoveTopicRecord& message) {
  return RemoveTopicRecord{message.topic_id};
}

Record owned(const protocol::ConfigRecord& message) {
  ConfigRecord record;
  record.kind = static_cast<ConfigKind>(message.resource_type);
  record.resource = message.resource_name;
  record.name = message.name;
  if (message.value.data() != nullptr) record.value = std::string(message.value);
  return record;
}

Record owned(const protocol::ProducerIdsRecord& message) {
  return ProducerIdsRecord{BrokerId(message.broker_id), BrokerEpoch(message.broker_epoch),
                           ProducerId(message.next_producer_id)};
}

template <class Message>
Result<Record> read(ByteView body, std::int16_t version) {
  protocol::Arena arena(record_arena_bytes_max);
  Message message;
  const auto decoded = protocol::decode(message, body, version, arena);
  if (decoded) return owned(message);
  const bool newer = decoded.error().fault == protocol::DecodeFault::unsupported_version;
  return failure(newer ? ErrorKind::unsupported : ErrorKind::corrupt,
                 formatted("{} version {}: {}", Message::message_name, version,
                           protocol::to_string(decoded.error())));
}

struct Reader {
  std::int16_t type;
  Result<Record> (*read)(ByteView, std::int16_t);
};
template <class Message>
constexpr Reader reader_of() {
  return {Message::record_type, &read<Message>};
}
constexpr Reader readers[] = {
    reader_of<protocol::ClusterRecord>(),          reader_of<protocol::FeatureRecord>(),
    reader_of<protocol::RegisterBrokerRecord>(),   reader_of<protocol::BrokerChangeRecord>(),
    reader_of<protocol::UnregisterBrokerRecord>(), reader_of<protocol::TopicRecord>(),
    reader_of<protocol::PartitionRecord>(),        reader_of<protocol::PartitionChangeRecord>(),
    reader_of<protocol::RemoveTopicRecord>(),      reader_of<protocol::ConfigRecord>(),
    reader_of<protocol::ProducerIdsRecord>()};
static_assert(std::size(readers) == std::variant_size_v<Record>);

Result<Record> read_record(std::uint8_t type, std::uint8_t version, ByteView body) {
  for (const Reader& reader : readers) {
    if (reader.type == type) return reader.read(body, version);
  }
  return failure(
      ErrorKind::unsupported,
      formatted("type {} of a record of the cluster's metadata is not known here", type));
}

}  // namespace

void begin_entry(OwnedBytes& entry) {
  check(entry.empty(), "an entry begins once");
  entry.push_back(entry_format);
}

void append_record(OwnedBytes& entry, const Record& record) {
  std::visit([&](const auto& one) { put_record(entry, one); }, record);
}

OwnedBytes entry_of(const std::vector<Record>& records) {
  OwnedBytes entry;
  begin_entry(entry);
  for (const Record& record : records) append_record(entry, record);
  return entry;
}

Result<void> read_entry(ByteView entry, const std::function<Result<void>(Record)>& take) {
  ByteReader reader(entry);
  const auto format = reader.integer<std::uint8_t>();
  if (reader.failed()) return failure(ErrorKind::corrupt, "an entry of metadata has no byte");
  if (std::byte(format) != entry_format) {
    return failure(ErrorKind::unsupported,
                   formatted("format {} of an entry of metadata is not known here", format));
  }
  while (reader.remaining() > 0) {
    const auto type = reader.integer<std::uint8_t>();
    const auto version = reader.integer<std::uint8_t>();
    const auto length = reader.integer<std::uint32_t>();
    if (reader.failed() || length > reader.remaining()) {
      return failure(ErrorKind::corrupt, "a record of metadata ends before its length");
    }
    const auto body = reader.bytes(length);
    auto record = read_record(type, version, body);
    if (!record) return failure(std::move(record).error());
    if (auto taken = take(*std::move(record)); !taken) return taken;
  }
  return {};
}

}  // namespace millrace::metadata
