// The transactions of a producer with a transactional id.
module;
#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

export module millrace.client.producer:transactor;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;
import :accumulator;
import :consequence;
import :coordinators;
import :partition;
import :producer_meters;
import :request;
import :transaction_state;

export namespace millrace::client {

class Sender;

// How far a group is with what a transaction was made of, and who says so: what a consumer of the
// group knows of itself. Without a generation nobody is checked.
struct GroupOffsets {
  struct Item {
    TopicPartition partition;
    Offset offset;
    LeaderEpoch leader_epoch = no_leader_epoch;
  };
  std::string group;
  std::int32_t generation = -1;
  std::string member;
  std::optional<std::string> instance = {};
  std::vector<Item> items;
};

// One per producer with a transactional id: opens the gate for records, names their partitions to
// the coordinator where that is asked for, and ends transactions when all records have their
// outcome. Lives on the client's thread, but for the gate; what it is given outlives it; ends after
// stop() and ended().
//
// What is asked of the coordinator is asked until there is an answer. Where a wish has a deadline,
// the work goes on after it.
class Transactor {
 public:
  Transactor(const ProducerSettings& settings, Executor& executor, Brokers& brokers, Sender& sender,
             Waker& waker, Random random);
  Transactor(const Transactor&) = delete;
  Transactor& operator=(const Transactor&) = delete;

  // --- Any thread: around each record that is sent. ---

  // Why it is refused; nothing: it is let in, and leave() follows.
  [[nodiscard]] std::optional<ClientError> enter();
  // A record was let in and not taken after all: the transaction lacks it.
  void refused(const ClientError& why);
  void leave();

  // --- What a program asks for. ---

  // Takes the id and shuts out who had it. Once is enough; begin() does it too.
  [[nodiscard]] Task<ClientResult<void>> init(MonotonicTime deadline);
  // Waits for the end of the one before.
  [[nodiscard]] Task<ClientResult<void>> begin(MonotonicTime deadline);
  [[nodiscard]] Task<ClientResult<void>> send_offsets(GroupOffsets offsets, MonotonicTime deadline);
  // When all records have their outcome. After the deadline its end is not known: a retriable
  // failure, and commit() waits for it again.
  [[nodiscard]] Task<ClientResult<void>> commit(MonotonicTime deadline);
  // Drops what has not gone out. After the deadline it goes on.
  [[nodiscard]] Task<ClientResult<void>> abort(MonotonicTime deadline);
  // Aborts what is open.
  [[nodiscard]] Task<void> close(MonotonicTime deadline);
  void stop();
  [[nodiscard]] auto ended() { return tasks_.wait(); }

  // --- What the sender asks. ---

  // Whether a batch of the partition may go out now; if so, it will.
  [[nodiscard]] bool admits(Partition& partition);
  // Which transaction it is.
  [[nodiscard]] std::uint64_t number() const { return state_.number(); }
  [[nodiscard]] bool drops() const { return state_.drops(); }
  // After a pass: partitions that wait for it are named to the coordinator, together.
  void join();
  // For the records that are dropped.
  [[nodiscard]] ClientError why_dropped() const;
  // A batch was lost, with numbers that the broker may wait for.
  void lost(const ClientError& why, bool has_sequence);
  // Something may have got its outcome.
  void progressed() {
    take_refused();
    changed_.wake_all();
  }
  // What a produce request says.
  [[nodiscard]] TransactionOf current() const;
  [[nodiscard]] const std::optional<ClientError>& error() const { return state_.error(); }
  [[nodiscard]] const TransactionTimes& times() const { return times_; }

 private:
  template <class Request>
  [[nodiscard]] Task<ClientResult<Reply<AnswerOf<Request>>>> ask(TransactionStep step,
                                                                 std::string key,
                                                                 const Request& request,
                                                                 CallOptions options,
                                                                 MonotonicTime deadline);
  [[nodiscard]] bool is_wanted(TransactionStep step) const;
  // What the failure does to the transaction; gives it as the program hears of it.
  [[nodiscard]] ClientError settle(TransactionStep step, ClientError error);
  [[nodiscard]] ClientError refused(TransactionStep step, ErrorCode code, BrokerId broker) const;
  void tell_gate();
  [[nodiscard]] TransactionProtocol protocol() const;

  [[nodiscard]] Task<ClientResult<void>> take_id(MonotonicTime deadline);
  [[nodiscard]] Task<bool> renew();
  [[nodiscard]] Task<void> add_partitions();
  [[nodiscard]] Task<ClientResult<void>> add_group(const GroupOffsets& offsets,
                                                   MonotonicTime deadline);
  [[nodiscard]] Task<ClientResult<void>> commit_offsets(const GroupOffsets& offsets,
                                                        MonotonicTime deadline);
  // What refused() told.
  void take_refused();
  void begin_finish();
  [[nodiscard]] Task<void> finish();
  // Until nothing of the transaction is on its way.
  [[nodiscard]] Task<void> quiet();
  [[nodiscard]] Task<void> end(bool commits);
  [[nodiscard]] Task<bool> ask_to_end(bool commits);

  const ProducerSettings& settings_;
  Executor& executor_;
  Brokers& brokers_;
  Sender& sender_;
  Waker& waker_;
  Random random_;
  Coordinators coordinators_;
  TransactionState state_;
  TransactionTimes times_;
  WaitList changed_;
  WaitList pauses_;  // woken by stop() only
  TaskGroup tasks_;
  std::vector<Partition*> joining_;
  bool is_adding_ = false;
  bool has_joined_ = false;  // the coordinator knows something of this transaction
  std::size_t offsets_asked_ = 0;
  bool is_finishing_ = false;
  bool may_have_ended_ = false;  // it was asked for, and no answer said whether it was done
  bool is_stopped_ = false;

  // The gate: any thread.
  std::atomic<std::size_t> inside_ = 0;
  std::atomic<bool> is_open_ = false;
  std::mutex mutex_;
  ClientError refusal_;
  std::optional<ClientError> refused_;  // why a record of this transaction was not taken
};

}  // namespace millrace::client
