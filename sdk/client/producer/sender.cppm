// The producer's work on the client's thread: what is ready goes to the leaders, and what they
// answer becomes the outcome of records.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.client.producer:sender;

import millrace.base;
import millrace.client.core;
import millrace.protocol.produce;
import millrace.runtime;
import millrace.runtime.streams;
import :accumulator;
import :batch;
import :choice;
import :delivery;
import :memory;
import :partition;
import :producer_meters;
import :request;
import :sealing;
import :topics;
import :transactor;
import :verdict;

export namespace millrace::client {

// A broker remembers this many batches of an idempotent producer for each partition: with more
// under way it could not tell a repeated one.
inline constexpr std::size_t idempotent_batches_in_flight_max = 5;
// How often the loads of partitions are told to those who choose among them.
inline constexpr Duration loads_interval = std::chrono::milliseconds{10};

struct SenderCounters {
  std::uint64_t requests = 0;
  std::uint64_t batches = 0;  // sent, repeated ones included
  std::uint64_t batches_retried = 0;
  std::uint64_t batches_split = 0;
  std::uint64_t records_delivered = 0;
  std::uint64_t records_failed = 0;
  std::uint64_t epochs_begun = 0;  // new starts of numbers after a gap
};

// Lives on the client's thread; ends after close() has. What it is given outlives it.
class Sender {
 public:
  Sender(const ProducerSettings& settings, Executor& executor, Accumulator& accumulator,
         Brokers& brokers, Metadata& metadata, Waker& waker, Random random);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  void start();
  // Something may be ready.
  void wake() { signal_.set(); }

  // Until all records that were accepted before have their outcome.
  [[nodiscard]] Task<ClientResult<void>> flush(MonotonicTime deadline);
  // Once: flushes until the deadline; what is left then fails with Failure::closed. Ends Brokers
  // and Metadata too.
  [[nodiscard]] Task<void> close(MonotonicTime deadline);
  // Asks for the topic, so that records of it are taken.
  [[nodiscard]] Task<ClientResult<std::int32_t>> load(std::string name, MonotonicTime deadline);

  // Null without a transactional id.
  [[nodiscard]] Transactor* transactor() const { return transactor_.get(); }

  // --- For the transactor. ---
  [[nodiscard]] std::size_t requests_under_way() const;
  // All that there is fails so, and all that comes is refused.
  void fail_for_good(const ClientError& why);

  [[nodiscard]] const SenderCounters& counters() const { return counters_; }
  void list_metrics(MetricList& to) const;

 private:
  struct Node {
    std::size_t in_flight = 0;
    bool is_connecting = false;
    bool has_taken_unanswered = false;  // since leaders were asked for; with acks=0 only
    std::optional<MonotonicTime> unreachable_since;
    std::string last_error;
    std::vector<OutgoingProduce::Item> ready;  // of this pass, without batches yet
  };

  // --- A pass: sender.cpp. ---
  [[nodiscard]] Task<void> run();
  void take_news();
  // Gives when to look again, if nothing happens before.
  [[nodiscard]] MonotonicTime pass();
  // False: nothing is left of it. Adds it to what its leader is sent, if it may be.
  [[nodiscard]] bool look_at(Partition& partition, MonotonicTime now, MonotonicTime& again);
  // Whether a batch may be sent now.
  [[nodiscard]] bool is_ready(Partition& partition, MonotonicTime now, MonotonicTime& again);
  // That batch; null if there is none. The open one is taken as late as here.
  [[nodiscard]] Batch* next_batch(Partition& partition, MonotonicTime now, MonotonicTime& again);
  [[nodiscard]] bool has_numbers(Partition& partition);
  void send_to(BrokerId broker, Node& node, MonotonicTime now, MonotonicTime& again);
  [[nodiscard]] std::unique_ptr<OutgoingProduce> make_request(Node& node, MonotonicTime now,
                                                              MonotonicTime& again);
  [[nodiscard]] bool open_batches_are_due() const;
  void seal(Partition& partition, Batch& batch);
  void measure(const OutgoingProduce& request, MonotonicTime now);
  void tell_loads(MonotonicTime now);
  [[nodiscard]] Task<void> connect(BrokerId broker);
  [[nodiscard]] Task<void> get_producer_id();
  [[nodiscard]] Task<void> load_for_waiting(Topic& topic);

  // --- A request: sending.cpp. ---
  [[nodiscard]] Task<void> send(BrokerId broker, std::unique_ptr<OutgoingProduce> request);
  void answered(BrokerId broker, const OutgoingProduce& request,
                const protocol::ProduceResponse& answer, std::int16_t version);
  void answered(const OutgoingProduce::Item& item, BrokerId broker,
                const protocol::ProduceResponse::PartitionProduceResponse& answer);
  void follow_hint(const OutgoingProduce::Item& item, const protocol::ProduceResponse& answer,
                   const protocol::ProduceResponse::PartitionProduceResponse& partition);
  void not_answered(const OutgoingProduce& request, const ClientError& error);

  // --- Outcomes: outcomes.cpp. ---
  void retry(Partition& partition, Batch& batch, const ClientError& why);
  void fail(Partition& partition, Batch& batch, const ClientError& why);
  void split(Partition& partition, Batch& batch);
  void gap(Partition& partition, Batch& batch, const ClientError& why);
  void renumber(Partition& partition);
  // Whether nothing before it waits for an outcome.
  [[nodiscard]] static bool is_head(const Partition& partition, const Batch& batch);
  void expire(Partition& partition, MonotonicTime now);
  // Tells the outcomes of the first batches that have one.
  void report(Partition& partition);
  void report(Partition& partition, Batch& batch);
  void give_back(Batch* batch);
  void fail_all(const ClientError& why);
  // Why a batch that was never refused could not be sent.
  [[nodiscard]] std::string cause_of_delay(const Partition& partition) const;
  [[nodiscard]] ClientError describe(const Partition& partition, const Batch& batch,
                                     ClientError error) const;
  // What no request holds, of a transaction that does not go on.
  void drop_unsent();
  [[nodiscard]] bool is_idempotent() const { return settings_.enable_idempotence; }

  const ProducerSettings& settings_;
  Executor& executor_;
  Accumulator& accumulator_;
  Brokers& brokers_;
  Metadata& metadata_;
  Random random_;
  Sealer sealer_;
  AsyncSignal signal_;
  WaitList progress_;
  WaitList stopping_;  // who waits before another try: close() does not wait for them
  TaskGroup tasks_;
  std::vector<Partition*> active_;
  std::vector<Partition*> news_;
  std::vector<Topic*> wanted_;
  std::map<BrokerId, Node> nodes_;
  std::vector<std::unique_ptr<OutgoingProduce>> spare_requests_;
  std::vector<PartitionLoad> loads_;
  MonotonicTime loads_told_{};
  ProducerId producer_id_ = no_producer_id;
  ProducerEpoch producer_epoch_ = no_producer_epoch;
  bool is_getting_id_ = false;
  std::string id_error_;        // why there is none yet
  std::size_t first_turn_ = 0;  // which active partition comes first in this pass
  std::size_t flushing_ = 0;
  bool is_stopped_ = false;
  std::optional<ClientError> fatal_;
  std::unique_ptr<Transactor> transactor_;
  SenderCounters counters_;
  ProducerMeters meters_;
};

}  // namespace millrace::client
