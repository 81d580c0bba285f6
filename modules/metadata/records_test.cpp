#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

import millrace.base;
import millrace.metadata;

namespace millrace::metadata {
namespace {

Uuid uuid_of(std::uint8_t number) {
  Uuid uuid;
  uuid.bytes.fill(std::byte{number});
  return uuid;
}

// One of each, with all that it can hold.
std::vector<Record> one_of_each() {
  Broker broker;
  broker.id = BrokerId(7);
  broker.epoch = BrokerEpoch(8);
  broker.incarnation = uuid_of(1);
  broker.endpoints = {{"PLAINTEXT", "localhost", 9092, 0}, {"TLS", "::1", 9093, 1}};
  broker.rack = "r1";
  broker.fenced = false;
  broker.in_controlled_shutdown = true;
  broker.directories = {uuid_of(2), uuid_of(3)};
  Partition partition;
  partition.index = PartitionIndex(1);
  partition.replicas = {BrokerId(7), BrokerId(8)};
  partition.isr = {BrokerId(7)};
  partition.elr = {BrokerId(8)};
  partition.leader = BrokerId(7);
  partition.leader_epoch = LeaderEpoch(3);
  partition.partition_epoch = 4;
  PartitionChangeRecord change;
  change.topic = uuid_of(5);
  change.partition = PartitionIndex(1);
  change.isr = std::vector<BrokerId>{BrokerId(8), BrokerId(7)};
  change.leader = no_broker;
  return {ClusterRecord{uuid_of(4), 1, BrokerEpoch(9)},
          FeatureRecord{"group.version", 1},
          RegisterBrokerRecord{broker},
          BrokerChangeRecord{BrokerId(7), BrokerEpoch(8), true, std::nullopt},
          BrokerChangeRecord{BrokerId(7), BrokerEpoch(8), std::nullopt, false},
          UnregisterBrokerRecord{BrokerId(7), BrokerEpoch(8)},
          TopicRecord{"orders", uuid_of(5), true},
          PartitionRecord{uuid_of(5), partition},
          change,
          PartitionChangeRecord{uuid_of(5), PartitionIndex(0)},
          RemoveTopicRecord{uuid_of(5)},
          ConfigRecord{ConfigKind::broker, "", "message.max.bytes", "1000"},
          ConfigRecord{ConfigKind::topic, "orders", "retention.ms", std::nullopt},
          ProducerIdsRecord{BrokerId(7), BrokerEpoch(8), ProducerId(2000)}};
}

std::vector<Record> read_all(ByteView entry) {
  std::vector<Record> records;
  const auto read = read_entry(entry, [&](Record record) -> Result<void> {
    records.push_back(std::move(record));
    return {};
  });
  EXPECT_TRUE(read) << read.error().message;
  return records;
}

std::string hex(ByteView bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += formatted("{:02x}", std::to_integer<int>(byte));
  return text;
}

TEST(MetadataRecords, all_kinds_come_back_as_they_were) {
  const std::vector<Record> records = one_of_each();
  EXPECT_EQ(read_all(entry_of(records)), records);
}

// These bytes are in logs: docs/formats/metadata-records.md. They are read for ever.
TEST(MetadataRecords, have_their_golden_bytes) {
  EXPECT_EQ(hex(entry_of({ClusterRecord{uuid_of(4), 1, BrokerEpoch(9)}})),
            "01"
            "01000000001b"
            "04040404040404040404040404040404"
            "0001"
            "0000000000000009"
            "00");
  EXPECT_EQ(hex(entry_of({TopicRecord{"orders", uuid_of(5), true},
                          ConfigRecord{ConfigKind::topic, "orders", "retention.ms", "1000"}})),
            "01"
            "060000000019"
            "076f7264657273"
            "05050505050505050505050505050505"
            "01"
            "00"
            "0a000000001b"
            "02"
            "076f7264657273"
            "0d726574656e74696f6e2e6d73"
            "0531303030"
            "00");
  PartitionChangeRecord change;
  change.topic = uuid_of(5);
  change.partition = PartitionIndex(1);
  change.leader = no_broker;
  EXPECT_EQ(hex(entry_of({change})),
            "01"
            "08000000001b"
            "05050505050505050505050505050505"
            "00000001"
            "01"
            "0304ffffffff");
}

TEST(MetadataRecords, every_cut_and_every_changed_byte_is_an_error_or_other_records) {
  const OwnedBytes entry = entry_of(one_of_each());
  const auto read = [](ByteView bytes) {
    return read_entry(bytes, [](const Record&) -> Result<void> { return {}; });
  };
  std::size_t whole = 0;
  for (std::size_t size = 0; size < entry.size(); ++size) {
    if (read(ByteView(entry).first(size))) ++whole;
  }
  // Cuts between records cannot be seen here: raft keeps entries whole.
  EXPECT_EQ(whole, one_of_each().size());
  for (std::size_t at = 0; at < entry.size(); ++at) {
    OwnedBytes changed = entry;
    changed[at] ^= std::byte{0xff};
    const auto result = read(changed);
    if (!result) EXPECT_FALSE(result.error().message.empty());
  }
}

TEST(MetadataRecords, a_type_that_is_not_known_is_refused_as_newer) {
  OwnedBytes entry = entry_of({RemoveTopicRecord{uuid_of(1)}});
  entry[1] = std::byte{99};
  const auto read = read_entry(entry, [](const Record&) -> Result<void> { return {}; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::unsupported);
  entry[0] = std::byte{2};
  EXPECT_FALSE(read_entry(entry, [](const Record&) -> Result<void> { return {}; }));
}

}  // namespace
}  // namespace millrace::metadata
