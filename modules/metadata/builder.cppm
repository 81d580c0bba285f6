// From one image to the next.
module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

export module millrace.metadata:builder;

import millrace.base;
import :image;
import :records;
import :types;

export namespace millrace::metadata {

// What a reader must look at between two images.
struct Delta {
  bool everything = false;   // after a snapshot: compare all
  std::vector<Uuid> topics;  // made or changed, and still there
  std::vector<std::pair<std::string, Uuid>> removed_topics;
  std::vector<BrokerId> brokers;                            // made, changed or removed
  std::vector<std::pair<ConfigKind, std::string>> configs;  // changed, or all unset
};

// Applies entries of the controllers' log to an image, in order. Owned by whoever follows the log,
// on one thread. After an error it is of no further use, and its base is as it was.
class ImageBuilder {
 public:
  explicit ImageBuilder(std::shared_ptr<const Image> base);

  // The bytes of one entry. unsupported: written by a newer version, and cannot be understood.
  // corrupt: no controller wrote that.
  [[nodiscard]] Result<void> apply(ByteView entry, MetadataOffset offset);
  // An entry without records: a change of the controllers' members, or the first of a term.
  void skip(MetadataOffset offset) { image_.offset_ = offset; }
  [[nodiscard]] Result<void> apply(const Record& record);

  // Forgets all and begins anew from a snapshot: its bytes in order, in parts that are cut
  // anywhere, then end_snapshot().
  void begin_snapshot();
  [[nodiscard]] Result<void> apply_snapshot(ByteView part);
  [[nodiscard]] Result<void> end_snapshot(MetadataOffset offset);

  // The new image, and what differs from the base. The builder then goes on from that image.
  [[nodiscard]] std::pair<std::shared_ptr<const Image>, Delta> take();

 private:
  [[nodiscard]] Result<void> on(const ClusterRecord& record);
  [[nodiscard]] Result<void> on(const FeatureRecord& record);
  [[nodiscard]] Result<void> on(const RegisterBrokerRecord& record);
  [[nodiscard]] Result<void> on(const BrokerChangeRecord& record);
  [[nodiscard]] Result<void> on(const UnregisterBrokerRecord& record);
  [[nodiscard]] Result<void> on(const TopicRecord& record);
  [[nodiscard]] Result<void> on(const PartitionRecord& record);
  [[nodiscard]] Result<void> on(const PartitionChangeRecord& record);
  [[nodiscard]] Result<void> on(const RemoveTopicRecord& record);
  [[nodiscard]] Result<void> on(const ConfigRecord& record);
  [[nodiscard]] Result<void> on(const ProducerIdsRecord& record);
  // Null: there is no such topic. What is given may be changed until take().
  [[nodiscard]] Topic* changing(Uuid topic);
  void settle();

  Image image_;
  std::map<Uuid, std::shared_ptr<Topic>> changing_;  // not yet in the maps of image_
  Delta delta_;
  OwnedBytes unread_;  // of a snapshot: the beginning of an entry
  std::set<Uuid> touched_topics_;
  std::set<BrokerId> touched_brokers_;
  std::set<std::pair<ConfigKind, std::string>> touched_configs_;
};

}  // namespace millrace::metadata
