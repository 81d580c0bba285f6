#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.metadata;

namespace millrace::metadata {
namespace {

Uuid uuid_of(std::size_t number) {
  Uuid uuid;
  store_big_endian(uuid.bytes.data(), static_cast<std::uint64_t>(number + 1));
  return uuid;
}

// A cluster with something of everything.
std::shared_ptr<const Image> cluster(std::size_t topics) {
  ImageBuilder builder(empty_image());
  const auto apply = [&](const Record& record) {
    check(builder.apply(record).has_value(), "the record can be applied");
  };
  apply(ClusterRecord{uuid_of(0), 1, BrokerEpoch(77)});
  apply(FeatureRecord{"group.version", 1});
  for (int id = 0; id < 3; ++id) {
    Broker broker;
    broker.id = BrokerId(id);
    broker.epoch = BrokerEpoch(id);
    broker.endpoints = {{"PLAINTEXT", "host", 9092, 0}};
    apply(RegisterBrokerRecord{broker});
  }
  for (std::size_t i = 0; i < topics; ++i) {
    apply(TopicRecord{formatted("topic-{}", i), uuid_of(i), false});
    Partition partition;
    partition.replicas = {BrokerId(0), BrokerId(1)};
    partition.isr = {BrokerId(1)};
    partition.leader_epoch = LeaderEpoch(5);
    partition.partition_epoch = 6;
    apply(PartitionRecord{uuid_of(i), partition});
  }
  apply(ConfigRecord{ConfigKind::broker, "", "message.max.bytes", "5"});
  apply(ProducerIdsRecord{BrokerId(0), BrokerEpoch(0), ProducerId(4000)});
  return builder.take().first;
}

OwnedBytes snapshot_of(const Image& image) {
  OwnedBytes bytes;
  write_snapshot(image, [&](const OwnedBytes& piece) {
    EXPECT_LE(piece.size(), snapshot_piece_bytes_max);
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  });
  return bytes;
}

TEST(MetadataSnapshot, makes_the_same_image_however_it_is_cut) {
  const auto image = cluster(3000);
  const OwnedBytes bytes = snapshot_of(*image);
  EXPECT_GT(bytes.size(), snapshot_piece_bytes_max);
  for (const std::size_t size : {std::size_t{1000}, std::size_t{65'537}, bytes.size()}) {
    ImageBuilder builder(cluster(2));
    builder.begin_snapshot();
    for (std::size_t at = 0; at < bytes.size(); at += size) {
      const auto part = ByteView(bytes).subspan(at, std::min(size, bytes.size() - at));
      ASSERT_TRUE(builder.apply_snapshot(part));
    }
    ASSERT_TRUE(builder.end_snapshot(MetadataOffset(42)));
    const auto [restored, delta] = builder.take();
    EXPECT_TRUE(restored->same_cluster(*image));
    EXPECT_EQ(restored->offset(), MetadataOffset(42));
    EXPECT_TRUE(delta.everything);
    EXPECT_EQ(snapshot_of(*restored), bytes);
  }
}

TEST(MetadataSnapshot, of_no_cluster_is_empty) {
  EXPECT_TRUE(snapshot_of(*empty_image()).empty());
}

TEST(MetadataSnapshot, that_ends_early_or_claims_too_much_is_an_error) {
  const OwnedBytes bytes = snapshot_of(*cluster(3));
  ImageBuilder early(empty_image());
  early.begin_snapshot();
  ASSERT_TRUE(early.apply_snapshot(ByteView(bytes).first(bytes.size() - 1)));
  EXPECT_FALSE(early.end_snapshot(MetadataOffset(1)));
  ImageBuilder huge(empty_image());
  huge.begin_snapshot();
  EXPECT_FALSE(huge.apply_snapshot(OwnedBytes(4, std::byte{0xff})));
}

}  // namespace
}  // namespace millrace::metadata
