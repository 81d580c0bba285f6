#include <gtest/gtest.h>

#include <cstdint>
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

TEST(ShardImages, what_a_shard_is_given_is_its_own) {
  ShardImages images(3);
  metadata::ImageBuilder builder(metadata::empty_image());
  builder.skip(metadata::MetadataOffset(9));
  const auto image = builder.take().first;
  const auto before = images.at(ShardIndex(2)).current();
  for (std::uint32_t i = 0; i < 2; ++i) images.at(ShardIndex(i)).set(image);
  for (std::uint32_t i = 0; i < 2; ++i) EXPECT_EQ(images.at(ShardIndex(i)).current(), image);
  EXPECT_EQ(images.at(ShardIndex(2)).current(), before);
}

}  // namespace
}  // namespace millrace::broker
