// A producer as the public layer wraps it.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

export module millrace.client.producer:producer_client;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;
import :accumulator;
import :delivery;
import :memory;
import :sender;
import :transactor;

export namespace millrace::client {

// Settings that say for ever mean this long.
inline constexpr Duration producer_wait_max = std::chrono::years{100};

struct ProducerMetrics {
  SenderCounters sender;
  BrokersCounters brokers;
  std::size_t memory_bytes = 0;
  std::size_t memory_bytes_peak = 0;
  std::size_t memory_bytes_max = 0;
};

// Made, closed and ended on its executor's thread; send() is for any thread. What it is given
// outlives it. Every record that send() accepted has its outcome when close() ends. With a
// transactional id records are taken within a transaction only.
class ProducerClient {
 public:
  // `mailbox` reaches the executor from other threads.
  ProducerClient(const ProducerSettings& settings, Executor& executor, Mailbox& mailbox,
                 Network& network, Resolver& resolver, const Logger& logger, Random random);
  // Closed before, and no other thread in send().
  ~ProducerClient();
  ProducerClient(const ProducerClient&) = delete;
  ProducerClient& operator=(const ProducerClient&) = delete;

  // Any thread. Copies the record; its outcome goes to `sink` with `token`, or to nobody. With
  // FullBuffer::wait it blocks for max.block.ms at most, so not on the client's thread; with `fail`
  // it never blocks, and a topic that is not known yet is a retriable failure (load() it first).
  // Takes nothing from the heap once the topic is known.
  [[nodiscard]] ClientResult<void> send(const RecordToSend& record, DeliverySink* sink,
                                        std::uint64_t token, FullBuffer when_full);
  // Any thread. Tells the sink on the client's thread, once, when send() would find memory for the
  // record, or that it will not; after a failure not. Nothing of the record is kept.
  [[nodiscard]] ClientResult<void> when_room(const RecordToSend& record, RoomSink& sink,
                                             std::uint64_t token) {
    return accumulator_.when_room(record, sink, token);
  }
  // Any thread. Whoever stands before send() did not take a record: the open transaction lacks it.
  void refused(const ClientError& why);
  // Before the first record; the chooser outlives the last one. Null: none.
  void set_chooser(PartitionChooser* chooser) { accumulator_.set_chooser(chooser); }
  // Any thread; 0 while it is not known.
  [[nodiscard]] std::int32_t partition_count(std::string_view topic) const;

  // --- The client's thread. ---

  // How many partitions the topic has; from then on send() knows it.
  [[nodiscard]] Task<ClientResult<std::int32_t>> load(std::string topic, MonotonicTime deadline);
  [[nodiscard]] Task<ClientResult<std::shared_ptr<const TopicView>>> partitions_for(
      std::string topic, MonotonicTime deadline);
  // Until all that was accepted before has its outcome; lingers for nothing.
  [[nodiscard]] Task<ClientResult<void>> flush(MonotonicTime deadline);
  // Once. send() is refused from now on; what has no outcome at the deadline fails with
  // Failure::closed.
  [[nodiscard]] Task<void> close(MonotonicTime deadline);
  // Null without a transactional id.
  [[nodiscard]] Transactor* transactor() const { return sender_.transactor(); }
  [[nodiscard]] ProducerMetrics metrics() const;
  // As Java's producer tells them.
  void list_metrics(MetricList& to) const;
  // By which brokers that collect metrics of clients know this one; they give it once.
  [[nodiscard]] Task<ClientResult<Uuid>> client_instance_id(MonotonicTime deadline) {
    return instance_id_.get(deadline);
  }

 private:
  class Wake;

  const ProducerSettings settings_;
  std::unique_ptr<Wake> wake_;
  Brokers brokers_;
  Metadata metadata_;
  Accumulator accumulator_;
  Sender sender_;
  InstanceId instance_id_;
};

}  // namespace millrace::client
