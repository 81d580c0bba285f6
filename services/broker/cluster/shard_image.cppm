// The newest image of the cluster, as one shard sees it.
module;
#include <coroutine>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

export module millrace.broker.cluster:shard_image;

import millrace.base;
import millrace.metadata;
import millrace.runtime.shard;

export namespace millrace::broker {

// One a shard, on its thread: reading the image costs no message and no lock. Never null.
class ShardImage {
 public:
  ShardImage() : current_(metadata::empty_image()) {}
  ShardImage(const ShardImage&) = delete;
  ShardImage& operator=(const ShardImage&) = delete;

  [[nodiscard]] inline const std::shared_ptr<const metadata::Image>& current() const {
    return current_;
  }
  void set(std::shared_ptr<const metadata::Image> image) { current_ = std::move(image); }

 private:
  std::shared_ptr<const metadata::Image> current_;
};

// Those of all shards. Owned by whoever starts the broker; outlives what runs on the shards.
class ShardImages {
 public:
  explicit ShardImages(std::uint32_t shard_count);

  [[nodiscard]] ShardImage& at(ShardIndex index) { return *images_[index.value()]; }

 private:
  std::vector<std::unique_ptr<ShardImage>> images_;
};

}  // namespace millrace::broker
