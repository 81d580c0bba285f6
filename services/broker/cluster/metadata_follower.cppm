// The cluster's metadata as the controllers tell it, piece by piece.
module;
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

export module millrace.broker.cluster:metadata_follower;

import millrace.base;
import millrace.ipc.rpc;
import millrace.metadata;

export namespace millrace::broker {

struct MetadataChange {
  std::shared_ptr<const metadata::Image> image;
  metadata::Delta delta;
};

// Says what to ask next, and makes images of the answers. Does nothing itself; owned by the link.
class MetadataFollower {
 public:
  explicit MetadataFollower(BrokerId broker);

  [[nodiscard]] rpc::FollowMetadata request(Duration wait) const;
  // None: nothing new, or a snapshot of which more is to come. After an error it goes on from the
  // last image.
  [[nodiscard]] Result<std::optional<MetadataChange>> take(const rpc::FollowMetadataReply& reply);

  // Never null.
  [[nodiscard]] const std::shared_ptr<const metadata::Image>& image() const { return image_; }

 private:
  struct Snapshot {
    rpc::MetadataOffset offset;
    std::uint64_t received = 0;
  };

  [[nodiscard]] Result<std::optional<MetadataChange>> apply(const rpc::FollowMetadataReply& reply);
  [[nodiscard]] Result<bool> apply_entries(const rpc::FollowMetadataReply& reply);
  // True if it is complete.
  [[nodiscard]] Result<bool> apply_snapshot(const rpc::MetadataSnapshot& part);

  BrokerId broker_;
  std::shared_ptr<const metadata::Image> image_;
  metadata::ImageBuilder builder_;
  std::optional<Snapshot> snapshot_;
};

}  // namespace millrace::broker
