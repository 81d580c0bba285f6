#include <gtest/gtest.h>

#include <coroutine>
#include <memory>

import millrace.base;
import millrace.broker.cluster;
import millrace.metadata;
import millrace.runtime.shard;

namespace millrace::broker {
namespace {

TEST(ShardImages, every_shard_has_an_image_from_the_beginning) {
  ShardImages images(3);
  EXPECT_NE(images.at(ShardIndex{2}).current(), nullptr);
}

TEST(ShardImages, what_is_published_is_on_every_shard) {
  SimulatedExecutor executor;
  telemetry::Registry registry{4};
  SimulatedShards shards(executor, registry, 3);
  ShardImages images(3);
  metadata::ImageBuilder builder(metadata::empty_image());
  builder.skip(metadata::MetadataOffset(9));
  const auto image = builder.take().first;
  ASSERT_TRUE(executor.run(images.publish(shards.at(ShardIndex{1}), image)));
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(images.at(ShardIndex(i)).current(), image);
}

}  // namespace
}  // namespace millrace::broker
