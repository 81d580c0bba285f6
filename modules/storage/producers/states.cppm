// The producers of one partition and their transactions.
module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <utility>
#include <vector>

export module millrace.storage.producers:states;

import millrace.base;
import :state;

export namespace millrace::storage {

// How many producers one partition and all partitions of a server may remember. A client's batch of
// a producer that is not known yet is refused beyond it; what the leader has accepted never is.
inline constexpr std::size_t partition_producers_max_default = 50'000;
inline constexpr std::size_t broker_producers_max_default = 500'000;
static_assert(partition_producers_max_default < broker_producers_max_default);

// Completed transactions above the high watermark that are told apart; past it neighbours are
// taken together, and the last stable offset waits for both.
inline constexpr std::size_t unreplicated_transactions_max = 10'000;

// Counts the producers of all partitions of a shard, up to its part of the server's limit. Owned by
// the shard; outlives its partitions.
class ProducerBudget {
 public:
  explicit ProducerBudget(std::size_t shard_max = broker_producers_max_default,
                          std::size_t partition_max = partition_producers_max_default)
      : shard_max_(shard_max), partition_max_(partition_max) {}
  ProducerBudget(const ProducerBudget&) = delete;
  ProducerBudget& operator=(const ProducerBudget&) = delete;
  ~ProducerBudget();

  [[nodiscard]] std::size_t count() const { return count_; }
  // One more than the `in_partition` that a partition has, of which `staged` are not counted yet.
  [[nodiscard]] bool has_room(std::size_t in_partition, std::size_t staged) const {
    return count_ + staged < shard_max_ && in_partition < partition_max_;
  }

 private:
  friend class ProducerStates;

  std::size_t count_ = 0;
  std::size_t shard_max_;
  std::size_t partition_max_;
};

// A transaction that ended in this partition. An aborted one becomes an entry of the transaction
// index.
struct CompletedTransaction {
  ProducerId producer = no_producer_id;
  Offset first_offset{};
  Offset last_offset{};  // of the marker
  // Where the last stable offset stood when this one had ended: the first offset of the oldest
  // transaction still open, or the offset after the marker.
  Offset last_stable_offset{};
  bool aborted = false;

  friend bool operator==(const CompletedTransaction&, const CompletedTransaction&) = default;
};

// All producers of one partition: Kafka's rules for idempotence and transactions. Belongs to the
// log of the partition, on its shard. Nothing fails; without producers it holds no memory.
//
// An append is checked first, and becomes part of the state when it has been written. Who writes
// several batches at once checks them against each other with StagedProducers.
class ProducerStates {
 public:
  explicit ProducerStates(ProducerBudget& budget) : budget_(budget) {}
  ProducerStates(const ProducerStates&) = delete;
  ProducerStates& operator=(const ProducerStates&) = delete;
  ~ProducerStates();

  [[nodiscard]] ProducerCheck check(const ProducerBatch& batch, AppendOrigin origin) const;
  [[nodiscard]] ProducerCheck check(const ProducerMarker& marker, AppendOrigin origin,
                                    std::int16_t transaction_version) const;

  // For what is in the log: after a write, and when the log is read again.
  void update(const ProducerBatch& batch);
  // The transaction that ended by it, if the producer had one open here.
  std::optional<CompletedTransaction> update(const ProducerMarker& marker);

  // The first offset of the oldest transaction that is open.
  [[nodiscard]] std::optional<Offset> first_undecided_offset() const;
  // The same, or that of an older one whose marker is not below the high watermark yet. The last
  // stable offset is this, or the high watermark where there is none.
  [[nodiscard]] std::optional<Offset> first_unstable_offset() const;
  void high_watermark_moved(Offset high_watermark);
  void log_start_moved(Offset log_start);

  // Forgets producers without an open transaction from which nothing came for so long. Returns how
  // many.
  std::size_t remove_expired(Timestamp now, std::int64_t expiration_ms);
  // Forgets everything.
  void clear();
  // Changes places with others of the same budget.
  void swap(ProducerStates& other);

  // For a snapshot: ascending by producer id.
  [[nodiscard]] std::vector<ProducerSnapshotEntry> snapshot_entries() const;
  // Instead of what is known: what a snapshot says, without the producers that have expired.
  void restore(std::span<const ProducerSnapshotEntry> entries, Timestamp now,
               std::int64_t expiration_ms);

  [[nodiscard]] std::size_t size() const { return producers_.size(); }
  [[nodiscard]] bool empty() const { return producers_.empty(); }
  [[nodiscard]] const ProducerState* find(ProducerId producer) const;
  // Ascending by producer id.
  [[nodiscard]] const std::map<ProducerId, ProducerState>& all() const { return producers_; }
  // The time of the last batch of the open transaction that has been silent for longest.
  [[nodiscard]] std::optional<Timestamp> oldest_open_transaction() const;
  [[nodiscard]] const ProducerBudget& budget() const { return budget_; }

 private:
  using Unreplicated = std::map<Offset, Offset>;

  ProducerState& state_of(ProducerId producer);
  void wait_for_replication(const CompletedTransaction& transaction);

  ProducerBudget& budget_;
  std::map<ProducerId, ProducerState> producers_;
  // Those that are open, the oldest first.
  std::set<std::pair<Offset, ProducerId>> open_;
  // Those that have ended, by their first offset, with the offset of the marker. Both ascend: one
  // that lies within another waits for nothing that the other does not wait for.
  Unreplicated unreplicated_;
};

}  // namespace millrace::storage
