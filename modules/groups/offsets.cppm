// The offsets that a group has committed.
module;
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

export module millrace.groups:offsets;

import millrace.base;
import :types;

export namespace millrace::groups {

struct CommittedOffset {
  Offset offset;
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::string metadata;
  Timestamp committed;               // when
  std::optional<Timestamp> expires;  // said by clients of old versions only
  Uuid topic_id;                     // zero when it was not said

  friend bool operator==(const CommittedOffset&, const CommittedOffset&) = default;
};

// By topic and partition, with what they take. Belongs to its group; cannot fail.
class OffsetTable {
 public:
  using Partitions = std::map<PartitionIndex, CommittedOffset>;
  using Topics = std::map<std::string, Partitions, std::less<>>;

  void set(std::string_view topic, PartitionIndex partition, CommittedOffset offset);
  // Whether it was there.
  bool erase(std::string_view topic, PartitionIndex partition);
  [[nodiscard]] const CommittedOffset* find(std::string_view topic, PartitionIndex partition) const;

  [[nodiscard]] const Topics& topics() const { return topics_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // That the records take which say that all are gone: each names the group, which is so long.
  [[nodiscard]] std::size_t erasure_bytes(std::size_t group_name_bytes) const;

  friend bool operator==(const OffsetTable& a, const OffsetTable& b) {
    return a.topics_ == b.topics_;
  }

 private:
  Topics topics_;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
  std::size_t name_bytes_ = 0;  // of the topics, once for each offset
};

}  // namespace millrace::groups
