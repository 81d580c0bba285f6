// Asks leaders for offsets: the first, the last, or those of a time.
module;
#include <coroutine>
#include <map>
#include <set>
#include <utility>
#include <vector>

export module millrace.client.consumer:offset_lookup;

import millrace.base;
import millrace.client.core;
import millrace.protocol.fetch;
import millrace.runtime;

export namespace millrace::client {

struct FoundOffset {
  Offset offset = no_offset;  // none: no record is as young
  Timestamp timestamp = no_timestamp;
  LeaderEpoch leader_epoch = no_leader_epoch;

  friend bool operator==(const FoundOffset&, const FoundOffset&) = default;
};
using FoundOffsets = std::map<TopicPartition, FoundOffset>;
// A time, or one of latest_timestamp and earliest_timestamp, for each partition.
using WantedOffsets = std::map<TopicPartition, Timestamp>;

// One per consumer, on its thread. What it is given outlives it.
class OffsetLookup {
 public:
  OffsetLookup(Executor& executor, Brokers& brokers, Metadata& metadata,
               const ConsumerSettings& settings)
      : executor_(executor),
        brokers_(brokers),
        metadata_(metadata),
        settings_(settings),
        stopping_(executor) {}

  // All of them, or an error. Asks again after failures that may pass, until the deadline.
  [[nodiscard]] Task<ClientResult<FoundOffsets>> find(WantedOffsets wanted, MonotonicTime deadline);
  // One question to one broker: what it tells goes from `wanted` to `found`. An error is one that
  // asking again does not mend, of one of the partitions; the others are found nevertheless.
  [[nodiscard]] Task<ClientResult<void>> ask(BrokerId broker, std::vector<TopicPartition> of,
                                             WantedOffsets& wanted, FoundOffsets& found,
                                             MonotonicTime deadline);
  // Nothing is tried again: who waits for that fails with Failure::closed.
  void stop() {
    is_stopped_ = true;
    stopping_.wake_all();
  }

 private:
  Executor& executor_;
  Brokers& brokers_;
  Metadata& metadata_;
  const ConsumerSettings& settings_;
  bool is_stopped_ = false;
  WaitList stopping_;  // who waits before another try
};

}  // namespace millrace::client
