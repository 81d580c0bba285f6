// What must hold in every run, whatever the controllers do.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "coverage.hpp"

import millrace.base;
import millrace.metadata;
import millrace.metadata.machine;

namespace millrace::metadata::sim {

// Replays the log by itself, looks at each step from one image to the next, and knows what was
// asked for and what was answered. The first thing that is wrong ends the run.
class Reference {
 public:
  explicit Reference(Coverage& coverage) : coverage_(coverage), images_{empty_image()} {}

  void commit(const std::optional<OwnedBytes>& entry);
  // A controller that leads is about to look at it.
  void delivered(const Request& request);
  // The answer leaves a controller that knows `image` as committed.
  void answered(const Image& image, const Request& request, const Reply& reply);
  // Whoever applied the log up to there has the same.
  void compare(const Image& image, const std::string& who);
  // What a follower is told must name all that differs.
  void look_at_delta(const Image& base, const Image& next, const Delta& delta);

  [[nodiscard]] MetadataOffset end() const {
    return MetadataOffset(static_cast<std::int64_t>(log_.size()));
  }
  // Of the entry after that offset.
  [[nodiscard]] const std::optional<OwnedBytes>& entry_after(MetadataOffset offset) const {
    return log_.at(static_cast<std::size_t>(offset.value()));
  }
  [[nodiscard]] const std::shared_ptr<const Image>& image_at(MetadataOffset offset) const {
    return images_.at(static_cast<std::size_t>(offset.value()));
  }
  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }
  void fail(std::string problem);
  // Of all entries and answers so far.
  [[nodiscard]] std::uint64_t digest() const { return digest_; }

 private:
  using SettingKey = std::pair<ConfigKind, std::string>;

  void expect(bool holds, const std::string& what) {
    if (!holds) fail(what);
  }
  void look_at_brokers(const Image& before, const Image& after);
  void look_at_topics(const Image& before, const Image& after);
  void look_at_names(const Image& image);
  void look_at_step(const Image& before, const Image& after, const Topic& old, const Topic& topic);
  void look_at_change(const Image& before, const Image& after, const Topic& topic,
                      const Partition& old, const Partition& partition);
  void look_at_partition(const Image& image, const Topic& topic, const Partition& partition);
  void look_at_settings(const Image& before, const Image& after);

  void on(const Image& image, const RegisterBroker& request, const RegisterBrokerReply& reply);
  void on(const Image& image, const Heartbeat& request, const HeartbeatReply& reply);
  void on(const Image& image, const UnregisterBroker& request, const UnregisterBrokerReply& reply);
  void on(const Image& image, const AllocateProducerIds& request,
          const AllocateProducerIdsReply& reply);
  void on(const Image& image, const CreateTopics& request, const CreateTopicsReply& reply);
  void on(const Image& image, const DeleteTopics& request, const DeleteTopicsReply& reply);
  void on(const Image& image, const CreatePartitions& request, const CreatePartitionsReply& reply);
  void on(const Image& image, const AlterConfigs& request, const AlterConfigsReply& reply);

  Coverage& coverage_;
  std::vector<std::optional<OwnedBytes>> log_;
  std::vector<std::shared_ptr<const Image>> images_;  // images_[i] is that at offset i
  std::set<Uuid> topics_ever_;
  BrokerEpoch highest_epoch_{-1};
  std::map<std::pair<BrokerId, BrokerEpoch>, MetadataOffset> registered_;
  std::map<std::int64_t, std::int64_t> blocks_;  // first ids and counts that were given out
  std::uint64_t digest_ = 0;
  std::optional<std::string> problem_;

  // What was asked for, and how much of it came.
  std::map<std::string, std::int64_t> topics_wanted_;  // less those that were made
  std::map<std::string, std::int64_t> removals_wanted_;
  std::map<Uuid, std::int64_t> removals_wanted_by_id_;
  std::set<std::pair<std::string, std::int32_t>> sizes_wanted_;
  std::map<SettingKey, std::set<std::pair<std::string, std::optional<std::string>>>>
      settings_wanted_;
  std::set<SettingKey> replaced_;
  std::set<BrokerId> unregistered_;
  std::map<std::pair<BrokerId, BrokerEpoch>, MetadataOffset> wants_to_serve_;
};

}  // namespace millrace::metadata::sim
