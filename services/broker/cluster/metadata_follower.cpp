module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

module millrace.broker.cluster;

import millrace.base;
import millrace.ipc.rpc;
import millrace.metadata;

namespace millrace::broker {

MetadataFollower::MetadataFollower(BrokerId broker)
    : broker_(broker), image_(metadata::empty_image()), builder_(image_) {}

rpc::FollowMetadata MetadataFollower::request(Duration wait) const {
  rpc::FollowMetadata request;
  request.broker_id = broker_;
  request.next = rpc::MetadataOffset(image_->offset().next().value());
  request.wait = wait;
  if (snapshot_) {
    request.snapshot = snapshot_->offset;
    request.snapshot_position = snapshot_->received;
  }
  return request;
}

Result<std::optional<MetadataChange>> MetadataFollower::take(
    const rpc::FollowMetadataReply& reply) {
  auto change = apply(reply);
  if (!change) {
    builder_ = metadata::ImageBuilder(image_);
    snapshot_.reset();
  }
  return change;
}

Result<std::optional<MetadataChange>> MetadataFollower::apply(
    const rpc::FollowMetadataReply& reply) {
  const auto changed = reply.snapshot ? apply_snapshot(*reply.snapshot) : apply_entries(reply);
  if (!changed) return failure(changed.error());
  if (!*changed) return std::optional<MetadataChange>();
  auto [image, delta] = builder_.take();
  image_ = image;
  return std::optional<MetadataChange>({.image = std::move(image), .delta = std::move(delta)});
}

Result<bool> MetadataFollower::apply_entries(const rpc::FollowMetadataReply& reply) {
  if (snapshot_) {
    // The controller that had the snapshot is gone, and the one that is asked now has the entries.
    builder_ = metadata::ImageBuilder(image_);
    snapshot_.reset();
  }
  metadata::MetadataOffset last = image_->offset();
  for (const rpc::MetadataEntry& entry : reply.entries) {
    const metadata::MetadataOffset offset(entry.offset.value());
    if (offset <= last) {
      return failure(ErrorKind::corrupt,
                     formatted("the controller told entry {} of the metadata after entry {}",
                               offset.value(), last.value()));
    }
    last = offset;
    if (entry.bytes.empty()) continue;
    if (auto applied = builder_.apply(entry.bytes, offset); !applied) {
      return failure(applied.error().kind, formatted("entry {} of the metadata: {}", offset.value(),
                                                     applied.error().message));
    }
  }
  const metadata::MetadataOffset through(reply.through.value());
  if (through > last) last = through;
  if (last == image_->offset()) return false;
  builder_.skip(last);
  return true;
}

Result<bool> MetadataFollower::apply_snapshot(const rpc::MetadataSnapshot& part) {
  if (!snapshot_ || snapshot_->offset != part.offset) {
    builder_ = metadata::ImageBuilder(image_);
    builder_.begin_snapshot();
    snapshot_ = Snapshot{.offset = part.offset};
  }
  const bool is_next = part.position == snapshot_->received &&
                       part.chunk.size() <= part.total - part.position &&
                       (!part.chunk.empty() || part.position == part.total);
  if (!is_next || part.position > part.total) {
    return failure(
        ErrorKind::corrupt,
        formatted("the controller told {} bytes at {} of {} of the metadata's snapshot at {}, "
                  "where {} were to follow",
                  part.chunk.size(), part.position, part.total, part.offset.value(),
                  snapshot_->received));
  }
  auto applied = builder_.apply_snapshot(part.chunk);
  snapshot_->received += part.chunk.size();
  if (applied && snapshot_->received < part.total) return false;
  if (applied) applied = builder_.end_snapshot(metadata::MetadataOffset(part.offset.value()));
  if (!applied) {
    return failure(applied.error().kind, formatted("the metadata's snapshot at {}: {}",
                                                   part.offset.value(), applied.error().message));
  }
  snapshot_.reset();
  return true;
}

}  // namespace millrace::broker
