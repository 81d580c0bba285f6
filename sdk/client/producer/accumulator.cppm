// Where the threads of a program meet the thread of the producer.
module;
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

export module millrace.client.producer:accumulator;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import :delivery;
import :memory;
import :partition;
import :topics;

export namespace millrace::client {

// So many may wait to be told of room; and so many are told before the client's thread does other
// things.
inline constexpr std::size_t room_waiting_max = 10'000;
inline constexpr std::size_t room_told_max = 64;

// Chooses partitions in place of the built-in ways. Owned by the program.
class PartitionChooser {
 public:
  // For a record that names none; on the threads that send, by several at once. None: as without a
  // chooser.
  [[nodiscard]] virtual ClientResult<std::optional<PartitionIndex>> choose(
      const RecordToSend& record, std::int32_t partition_count,
      std::span<const std::int32_t> available) = 0;

 protected:
  PartitionChooser() = default;
  PartitionChooser(const PartitionChooser&) = delete;
  PartitionChooser& operator=(const PartitionChooser&) = delete;
  ~PartitionChooser() = default;
};

// Takes records from any thread and keeps them as batches until the sender comes for them. Owned by
// the producer; what it is given outlives it. add() of a closed producer fails.
class Accumulator {
 public:
  Accumulator(const ProducerSettings& settings, const Clock& clock, Waker& waker,
              std::uint64_t seed);
  ~Accumulator();

  // Copies the record into a batch of its partition. With FullBuffer::wait it blocks the thread for
  // max.block.ms at most, and must not be called on the client's thread. Takes nothing from the
  // heap once the topic is known.
  [[nodiscard]] ClientResult<void> add(const RecordToSend& record, DeliverySink* sink,
                                       std::uint64_t token, FullBuffer when_full);
  // Tells the sink, on the client's thread, once add() would find memory for the record, or that it
  // will not, since this is closed. Nothing is kept free for it, and other threads may be faster.
  // Who asked first is told first. After a failure the sink is not told.
  [[nodiscard]] ClientResult<void> when_room(const RecordToSend& record, RoomSink& sink,
                                             std::uint64_t token);
  // 0 while it is not known.
  [[nodiscard]] std::int32_t partition_count(std::string_view topic) const;
  // Before the first record; it outlives the last one. Null: none.
  void set_chooser(PartitionChooser* chooser) { chooser_ = chooser; }

  // --- The client's thread. ---

  // Partitions with something new, and topics that somebody waits for, since the last call.
  void take_news(std::vector<Partition*>& partitions, std::vector<Topic*>& topics);
  // The topic as the cluster has it. False once this is closed: its partitions stay those that
  // were closed with it.
  [[nodiscard]] bool learn(Topic& topic, const TopicView& told);
  // What keeps batches from being delivered: who finds no room is told of it, and how old it is.
  void hindered(std::string why);
  // Tells who waits for room, as far as there is some.
  void tell_room();
  // No record is taken any more; who waits fails. `error`: with this, else with Failure::closed.
  void close(const ClientError* error = nullptr);

  ChunkPool pool;
  TopicTable topics;

  // What threads have waited for since the beginning, on any thread.
  struct Waits {
    std::atomic<std::uint64_t> refused = 0;  // records that found no memory
    std::atomic<Duration::rep> for_memory = 0;
    std::atomic<Duration::rep> for_topics = 0;
  };
  [[nodiscard]] const Waits& waits() const { return waits_; }

 private:
  [[nodiscard]] ClientResult<Topic*> known_topic(std::string_view name, FullBuffer when_full,
                                                 MonotonicTime deadline);
  // Where the chooser wants it, if it wants it anywhere.
  [[nodiscard]] ClientResult<std::optional<PartitionIndex>> choose(const Topic& topic,
                                                                   const RecordToSend& record);
  [[nodiscard]] ClientResult<Partition*> partition_for(Topic& topic, const RecordToSend& record,
                                                       bool& is_sticky);
  [[nodiscard]] ClientResult<void> wait_for_memory(std::size_t chunks, const RecordToSend& record,
                                                   FullBuffer when_full, MonotonicTime deadline,
                                                   ChunkList& to);
  [[nodiscard]] ClientError full(std::string_view topic, std::string_view why) const;
  [[nodiscard]] static ClientError too_large(std::string_view topic);
  [[nodiscard]] std::optional<ClientError> oversize(const RecordToSend& record,
                                                    const RecordParts& parts) const;
  [[nodiscard]] ClientError refusal() const;
  void ask_for(Topic& topic);
  void ask_for(Partition& partition);

  const ProducerSettings& settings_;
  const Clock& clock_;
  Waker& waker_;
  PartitionChooser* chooser_ = nullptr;
  Waits waits_;
  std::atomic<bool> is_closed_ = false;
  mutable std::mutex mutex_;
  std::vector<Partition*> news_;
  std::vector<Topic*> wanted_;
  std::optional<ClientError> refusal_;
  std::string hindrance_;
  MonotonicTime hindered_at_;

  struct RoomWaiter {
    std::size_t chunks = 0;
    RoomSink* sink = nullptr;
    std::uint64_t token = 0;
  };
  std::mutex room_mutex_;
  std::deque<RoomWaiter> room_waiters_;  // the pool is watched while there are some
};

}  // namespace millrace::client
