module;
#include <coroutine>
#include <cstdint>
#include <memory>
#include <utility>

module millrace.broker.cluster;

import millrace.base;
import millrace.metadata;
import millrace.runtime.shard;

namespace millrace::broker {

ShardImages::ShardImages(std::uint32_t shard_count) {
  images_.reserve(shard_count);
  for (std::uint32_t i = 0; i < shard_count; ++i) images_.push_back(std::make_unique<ShardImage>());
}

}  // namespace millrace::broker
