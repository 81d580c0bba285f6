// The partitions that a consumer reads, and how far it is in each.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

export module millrace.client.consumer:positions;

import millrace.base;
import millrace.client.core;
import :consumer_meters;
import :records;

export namespace millrace::client {

// What must be found out before a partition can be read.
enum class PositionNeed : std::uint8_t {
  nothing,
  committed,  // where its group is
  reset,      // where `reset` says
  proof,      // the leader is a new one: whether its log still has what was read
  policy,     // nowhere to begin, and auto.offset.reset=none: the application must seek
};

// Timestamps that stand for places, in ListOffsets.
inline constexpr Timestamp latest_timestamp{-1};
inline constexpr Timestamp earliest_timestamp{-2};

// Where auto.offset.reset begins, as ListOffsets asks for it; null for none.
[[nodiscard]] std::optional<Timestamp> reset_timestamp(const ConsumerSettings& settings,
                                                       const Clock& clock);

// The memory of an answer, which is held as long as anything of it is.
struct HeldFrame {
  std::size_t bytes = 0;
  std::uint64_t counted = 0;  // in which count it is, since several partitions share it
};

// One partition that is read. Members are changed by Positions and the fetcher.
struct PartitionProgress {
  std::shared_ptr<const TopicPartition> name;
  PositionNeed need = PositionNeed::nothing;
  Timestamp reset_to = latest_timestamp;  // a time, or one of the two above
  bool is_paused = false;

  Offset position;                      // what the application gets next
  LeaderEpoch epoch = no_leader_epoch;  // of the last record that it got
  // Of the leader that said last that its log has what was read.
  LeaderEpoch proven = no_leader_epoch;
  std::optional<ClientError> lost;  // why it cannot go on from there: of PositionNeed::policy
  Offset fetch_position;            // what is asked for next

  // What brokers told last; none: nothing yet.
  std::optional<Offset> high_watermark;
  std::optional<Offset> last_stable;
  std::optional<Offset> log_start;

  // Answers to older requests are dropped: whoever moves the position counts this up.
  std::uint64_t request = 0;
  BrokerId fetching_from = no_broker;  // a request is under way there
  MonotonicTime not_before{};          // after a failure
  std::uint32_t failures = 0;          // in a row
  BrokerId replica = no_broker;        // that the leader would have us read from
  MonotonicTime replica_until{};

  // Fetched, not taken; in their order.
  struct Buffered {
    ChunkReader reader;
    std::size_t bytes = 0;
    BrokerId broker = no_broker;
    std::shared_ptr<HeldFrame> frame;
    std::size_t taken = 0;  // records
  };
  std::deque<Buffered> buffered;
  std::optional<ClientError> problem;  // to be told once what is buffered was taken

  MonotonicTime heard{};      // when a broker last answered for it
  MonotonicTime advanced{};   // when the application last got something, or had got all
  bool was_reported = false;  // as standing still, since then
  PartitionMeters meters;
};

// Owned by one consumer. One thread. References to a partition hold until it is removed.
class Positions {
 public:
  using Map = std::map<TopicPartition, PartitionProgress, std::less<>>;

  explicit Positions(const Clock& clock) : clock_(&clock) {}

  // Adds one that begins where its group is, or where the policy says.
  PartitionProgress& add(const TopicPartition& partition, PositionNeed need, Timestamp reset_to);
  void remove(const TopicPartition& partition);
  void clear() { partitions_.clear(); }
  [[nodiscard]] PartitionProgress* find(const TopicPartition& partition);
  [[nodiscard]] const PartitionProgress* find(const TopicPartition& partition) const;
  [[nodiscard]] Map& all() { return partitions_; }
  [[nodiscard]] const Map& all() const { return partitions_; }

  // Goes on there; what was fetched from elsewhere is dropped.
  void seek(PartitionProgress& partition, Offset to, LeaderEpoch epoch = no_leader_epoch);
  // The same, where the place must be asked for first.
  void seek(PartitionProgress& partition, PositionNeed need, Timestamp reset_to);
  // Reads on when the leader has said that its log has what was read.
  void ask_for_proof(PartitionProgress& partition);
  // What was fetched and not taken is dropped and fetched again.
  void forget_fetched(PartitionProgress& partition);

  [[nodiscard]] bool any_needs(PositionNeed need) const;
  [[nodiscard]] static bool has_place(const PartitionProgress& partition) {
    return partition.need == PositionNeed::nothing || partition.need == PositionNeed::proof;
  }
  // Those that can be committed: all with a position.
  struct Place {
    TopicPartition partition;
    Offset offset;
    LeaderEpoch epoch = no_leader_epoch;
  };
  [[nodiscard]] std::vector<Place> consumed() const;

 private:
  const Clock* clock_;
  Map partitions_;
  std::uint64_t requests_ = 0;  // never the same for a partition that comes back
};

}  // namespace millrace::client
