// The partitions of one fetch that live on one shard: read, and waited for.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

export module millrace.broker.fetching:part;

import millrace.base;
import millrace.broker.partitions;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.storage.log;
import millrace.storage.producers;
import :session;

export namespace millrace::broker {

enum class Isolation : std::int8_t { read_uncommitted = 0, read_committed = 1 };

// One partition of a fetch: what is asked for, and what was found. Stays in place.
struct FetchedPartition {
  FetchedPartition(std::string t, Uuid id, PartitionIndex i, const WantedPartition& w)
      : topic(std::move(t)), topic_id(id), index(i), wanted(w) {}

  std::string topic;
  Uuid topic_id;
  PartitionIndex index;
  WantedPartition wanted;

  ErrorCode error = ErrorCode::none;
  Offset high_watermark = no_offset;
  Offset last_stable = no_offset;
  Offset log_start = no_offset;
  LeaderHint leader;  // where the error says that it is another broker
  std::optional<storage::LeaderEpochCache::EpochEnd> diverging;
  std::vector<storage::AbortedTransaction> aborted;
  storage::LogSlice slice;
  Buffer loaded;                // the bytes of the slice, if few or in a file without a descriptor
  protocol::RecordChunk chunk;  // of the slice, for the answer
};

// What parts stand on, by shard; each is used on its own shard.
struct FetchGround {
  Executor* executor = nullptr;
  FileSystem* files = nullptr;
  Partitions* partitions = nullptr;
};
using FetchGrounds = std::vector<FetchGround>;

struct ReadLimits {
  Isolation isolation = Isolation::read_uncommitted;
  // Of all partitions together; the first batch of the first one that has any is given whole.
  std::uint64_t bytes_max = 0;
};

// Lives on the shard of its partitions, and ends there: it holds parts of their logs.
class FetchPart {
 public:
  FetchPart(Executor& executor, FileSystem& files, const Partitions& partitions)
      : files_(files), partitions_(partitions), signal_(executor) {}
  FetchPart(const FetchPart&) = delete;
  FetchPart& operator=(const FetchPart&) = delete;
  ~FetchPart();

  // From any shard, before the first read().
  FetchedPartition& add(std::string topic, Uuid topic_id, PartitionIndex index,
                        const WantedPartition& wanted);

  // Reads the partitions that have changed since they were read: at first all.
  [[nodiscard]] Task<void> read(ReadLimits limits);
  // What was found; whether something is wrong with a partition, or must be told at once.
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] bool must_answer() const { return must_answer_; }

  // Until a partition has changed since it was read, the deadline, or stop_waiting().
  [[nodiscard]] Task<void> wait(MonotonicTime deadline);
  void stop_waiting() { signal_.set(); }
  // Nothing is read any more: changes are of no interest.
  void settle();

 private:
  struct Place {
    Place(FetchPart& p, std::string topic, Uuid id, PartitionIndex index,
          const WantedPartition& wanted)
        : fetched(std::move(topic), id, index, wanted), part(p), waiter(*this) {}

    struct Waiter : PartitionWaiter {
      explicit Waiter(Place& p)
          : PartitionWaiter(
                [](PartitionWaiter& self) { static_cast<Waiter&>(self).place.change(); }),
            place(p) {}
      Place& place;
    };
    void change() {
      changed = true;
      part.signal_.set();
    }

    FetchedPartition fetched;
    FetchPart& part;
    std::shared_ptr<Partition> partition;  // as it was last read; null if that failed
    Waiter waiter;
    bool changed = true;
  };

  [[nodiscard]] Task<void> read(Place& place, ReadLimits limits);
  // Makes the chunk of the slice, whose bytes are then in memory of this process or of the system.
  [[nodiscard]] Task<ErrorCode> bring_in(storage::Log& log, FetchedPartition& fetched);
  [[nodiscard]] static bool diverges(Partition& partition, FetchedPartition& fetched);
  // Whether what was read of it is still so.
  [[nodiscard]] static bool stands(const Place& place);
  void fail(FetchedPartition& fetched, ErrorCode error) const;

  FileSystem& files_;
  const Partitions& partitions_;
  AsyncSignal signal_;
  std::deque<Place> places_;
  std::uint64_t bytes_ = 0;
  bool must_answer_ = false;
};

}  // namespace millrace::broker
