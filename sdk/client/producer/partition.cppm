// What waits for one partition: a queue that threads append to, and the sender's side of it.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

export module millrace.client.producer:partition;

import millrace.base;
import millrace.client.core;
import :batch;
import :delivery;
import :memory;
import :sequences;

export namespace millrace::client {

class Topic;

struct Put {
  enum class End : std::uint8_t { done, needs_memory, closed };
  End end = End::done;
  bool batch_is_complete = false;  // a batch got its size by it
  bool asks_sender = false;        // the sender has something new to look at
  std::size_t chunks_needed = 0;   // of needs_memory: in all, what `spare` has counted
};

struct PutLimits {
  std::size_t batch_bytes = 0;       // of this size a batch can be sent at once
  std::size_t batch_bytes_most = 0;  // what it may grow to while it cannot
  ChunkPool* pool = nullptr;
  const Clock* clock = nullptr;
};

// The queue's side is for any thread, under its lock, which is held for the time of one record. The
// sender's side belongs to the client's thread. Owned by its topic.
class Partition {
 public:
  Partition(Topic& owner, PartitionIndex number) : topic(owner), index(number) {}
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  // --- Any thread. ---

  // Encodes the record into the open batch, or a new one. Takes chunks from `spare` first, then
  // from the pool as far as that has some now; leaves what it does not need in `spare`.
  [[nodiscard]] Put put(const RecordParts& parts, DeliverySink* sink, std::uint64_t token,
                        const PutLimits& limits, ChunkList& spare);

  // --- The client's thread. ---

  // All batches that take no more records; the open one too if it is asked for.
  void take(BatchList& to, bool with_open);
  // What there is now; the next thing that is put asks the sender again.
  struct Seen {
    std::optional<MonotonicTime> open_since;  // when the open batch was begun, if there is one
    bool has_complete = false;                // some take no more
    bool open_has_size = false;               // the open one need not wait for more, but takes them
  };
  [[nodiscard]] Seen look();
  // No record is taken any more.
  void close();
  [[nodiscard]] std::uint64_t accepted();
  // Of what was not taken yet.
  [[nodiscard]] std::size_t waiting_bytes();

  Topic& topic;
  const PartitionIndex index;

  // Taken, not yet reported, in order.
  BatchList batches;
  PartitionSequences sequences;
  std::size_t in_flight = 0;  // requests that hold bytes of it
  // All that is left gets new numbers once nothing is in flight.
  bool must_renumber = false;
  bool is_active = false;  // in the sender's list
  // By their numbers: the transaction that it is part of, and that it was to join last.
  std::uint64_t joined_transaction = 0;
  std::uint64_t asked_transaction = 0;
  std::uint64_t reported = 0;

 private:
  std::mutex mutex_;
  Batch* open_ = nullptr;
  bool open_has_size_ = false;
  BatchList complete_;
  bool is_marked_ = false;  // the sender was asked and has not looked yet
  bool is_closed_ = false;
  std::uint64_t accepted_ = 0;
};

}  // namespace millrace::client
