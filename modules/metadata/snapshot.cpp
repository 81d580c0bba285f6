module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "planted.hpp"

module millrace.metadata;

import millrace.base;

namespace millrace::metadata {
namespace {

constexpr std::size_t length_bytes = sizeof(std::uint32_t);
constexpr std::size_t format_bytes = 1;

// Collects records into pieces.
class Pieces {
 public:
  explicit Pieces(const std::function<void(const OwnedBytes&)>& take) : take_(take) {}

  void add(const Record& record) {
    const OwnedBytes one = entry_of({record});
    if (length_bytes + piece_.size() + one.size() > snapshot_piece_bytes_max) give();
    const auto from = piece_.empty() ? one.begin() : one.begin() + format_bytes;
    piece_.insert(piece_.end(), from, one.end());
  }
  void give() {
    if (piece_.empty()) return;
    OwnedBytes framed(length_bytes);
    store_big_endian(framed.data(), static_cast<std::uint32_t>(piece_.size()));
    framed.insert(framed.end(), piece_.begin(), piece_.end());
    piece_.clear();
    take_(framed);
  }

 private:
  const std::function<void(const OwnedBytes&)>& take_;
  OwnedBytes piece_;
};

}  // namespace

void write_snapshot(const Image& image, const std::function<void(const OwnedBytes& piece)>& take) {
  Pieces pieces(take);
  if (!image.cluster_id().is_zero()) {
    const bool loses = planted(Planted::snapshot_loses_broker_epoch);
    pieces.add(ClusterRecord{image.cluster_id(), image.metadata_version(),
                             loses ? BrokerEpoch(0) : image.last_broker_epoch()});
  }
  image.features().for_each(
      [&](const std::string& name, std::int16_t level) { pieces.add(FeatureRecord{name, level}); });
  image.for_each_broker([&](const Broker& broker) { pieces.add(RegisterBrokerRecord{broker}); });
  image.for_each_topic([&](const Topic& topic) {
    pieces.add(TopicRecord{topic.name, topic.id, topic.internal});
    for (const Partition& partition : topic.partitions) {
      pieces.add(PartitionRecord{topic.id, partition});
    }
  });
  image.for_each_config(
      [&](ConfigKind kind, const std::string& resource, const ConfigMap& settings) {
        for (const auto& [name, value] : settings) {
          pieces.add(ConfigRecord{kind, resource, name, value});
        }
      });
  if (image.next_producer_id() != ProducerId(0)) {
    pieces.add(ProducerIdsRecord{no_broker, BrokerEpoch(-1), image.next_producer_id()});
  }
  pieces.give();
}

}  // namespace millrace::metadata
