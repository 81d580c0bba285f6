// An incremental fetch session: what a client wants of which partitions, and what it was last told
// of each, so that neither side repeats what has not changed.
module;
#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <tuple>

export module millrace.broker.fetching:session;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.fetch;

export namespace millrace::broker {

using protocol::ErrorCode;

using SessionId = Strong<struct SessionIdTag, std::int32_t>;
using SessionEpoch = Strong<struct SessionEpochTag, std::int32_t>;

inline constexpr SessionId no_session{0};
// The epoch of the first request of a session, and that of a request that wants none.
inline constexpr SessionEpoch first_session_epoch{0};
inline constexpr SessionEpoch final_session_epoch{-1};

// Epochs go from 1 to the largest number, then from 1 again: 0 means something else.
[[nodiscard]] SessionEpoch next_epoch(SessionEpoch epoch);

// Clients name topics before version 13, and give their ids from then on. The other is empty.
struct FetchKey {
  std::string topic;
  Uuid topic_id;
  PartitionIndex partition;

  friend bool operator==(const FetchKey&, const FetchKey&) = default;
  // Most keys differ in their partition, and that is compared at once.
  friend std::strong_ordering operator<=>(const FetchKey& left, const FetchKey& right) {
    return std::tie(left.partition, left.topic_id, left.topic) <=>
           std::tie(right.partition, right.topic_id, right.topic);
  }
};

// What a client wants of one partition.
struct WantedPartition {
  Offset offset;
  LeaderEpoch current_leader_epoch = no_leader_epoch;
  LeaderEpoch last_fetched_epoch = no_leader_epoch;
  std::int32_t bytes_max = 0;

  friend bool operator==(const WantedPartition&, const WantedPartition&) = default;
};

[[nodiscard]] WantedPartition wanted_partition(
    const protocol::FetchRequest::FetchPartition& partition);

// Of what an answer says about a partition, that which decides whether it must be said.
struct ToldPartition {
  ErrorCode error = ErrorCode::none;
  Offset high_watermark = no_offset;
  Offset log_start = no_offset;
  std::uint64_t record_bytes = 0;
  bool diverges = false;
};

// Belongs to one shard, like everything of a connection.
class FetchSession {
 public:
  struct Entry {
    FetchKey key;
    WantedPartition wanted;
    // As the client knows them; none before it was told.
    Offset high_watermark = no_offset;
    Offset log_start = no_offset;
  };
  using Entries = std::list<Entry>;

  // Whether the client names topics by their ids, which it must go on to do.
  explicit FetchSession(bool uses_topic_ids) : uses_topic_ids_(uses_topic_ids) {}

  // Adds what a request names, or changes what is wanted of it, and drops what it forgets.
  void update(const protocol::FetchRequest& request);
  // In the order in which they are served.
  [[nodiscard]] Entries& entries() { return order_; }
  // end() of entries() if it is not there.
  [[nodiscard]] Entries::iterator find(const FetchKey& key);
  [[nodiscard]] std::size_t size() const { return order_.size(); }
  [[nodiscard]] bool uses_topic_ids() const { return uses_topic_ids_; }

  // Whether an incremental answer must name the partition; if so it is taken as told.
  [[nodiscard]] static bool tell(Entry& entry, const ToldPartition& told);
  // A partition that gave records is served last next time, so that all have their turn.
  void serve_last(Entries::iterator entry) { order_.splice(order_.end(), order_, entry); }

 private:
  void add(FetchKey key, const WantedPartition& wanted);

  bool uses_topic_ids_;
  Entries order_;
  // In order: who chooses the ids could make all of them fall into one place of a hash table.
  std::map<FetchKey, Entries::iterator> places_;
};

}  // namespace millrace::broker
