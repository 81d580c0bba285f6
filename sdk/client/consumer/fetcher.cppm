// Fetches what the positions ask for, ahead of the application, within a budget of memory.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

export module millrace.client.consumer:fetcher;

import millrace.base;
import millrace.client.core;
import millrace.protocol.batch;
import millrace.protocol.fetch;
import millrace.runtime;
import :consumer_meters;
import :fetch_session;
import :positions;
import :records;

export namespace millrace::client {

// Answers for one partition that may wait to be taken: one is read while the next one comes.
inline constexpr std::size_t buffered_chunks_max = 2;
// A broker that takes nothing forgets sessions without being told.
inline constexpr Duration ending_sessions_max = std::chrono::milliseconds{100};
// How long a connection is waited for until the cluster is asked whether partitions have moved.
inline constexpr Duration connecting_max = std::chrono::seconds{1};

struct FetcherCounters {
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;  // requests without an answer that could be used
  std::uint64_t bytes = 0;     // of batches
  std::uint64_t records = 0;   // that were taken
  std::uint64_t dropped = 0;   // partitions of answers that came too late
};

// One request at a time to each broker that leads a partition with room for more; the next one goes
// out when the answer is there. What is fetched and not taken stays below prefetch_memory, but for
// one batch of each broker: the budget is divided among brokers, and a broker of which nothing can
// be taken may always be asked. An answer counts as a whole until the last of it is taken, as its
// memory does. Where paused partitions alone hold more than its part, some of it is forgotten
// first, and fetched again when they are resumed. A broker is not asked while a
// partition of it is full: its answer could then wait for data of others while the full one is
// taken. What a broker remembers of the request before is not said again (FetchSession).
//
// Owned by one consumer, on its thread. What it is given outlives it; ends after close().
class Fetcher {
 public:
  Fetcher(Executor& executor, Brokers& brokers, Metadata& metadata, Positions& positions,
          const ConsumerSettings& settings, ConsumerMeters& meters, Logger logger);
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  // Something changed: positions, leaders, room. Sends what can be sent.
  void pump();

  // Takes up to that many records, from one partition after the other in turn. An error is one of a
  // partition: told once, and what was fetched of it is fetched again. With an error there are no
  // records.
  [[nodiscard]] ClientResult<std::size_t> take(std::size_t records_max, FetchedRecords& to);
  // Whether take() would give something.
  [[nodiscard]] bool has_something() const;
  // Something to take came, or an error. For those that wait for it.
  [[nodiscard]] WaitList& arrivals() { return arrivals_; }
  // Offsets have gone or must be found again: for who finds positions.
  void on_need(std::function<void()> need) { on_need_ = std::move(need); }

  [[nodiscard]] std::size_t buffered_bytes() const;
  [[nodiscard]] const FetcherCounters& counters() const { return counters_; }

  // Fetches nothing any more, and tells brokers to forget what they remember of it. Waits for no
  // answer, and for what has to be written not longer than ending_sessions_max.
  [[nodiscard]] Task<void> end_sessions(MonotonicTime deadline);
  // Sends nothing any more; waits until nothing is under way. Call after Brokers::close began, or
  // it lasts as long as the longest fetch.
  [[nodiscard]] Task<void> close();

 private:
  struct Asked;  // a request and what it views
  struct Lane {
    bool is_under_way = false;   // a request, or an attempt to connect
    std::uint32_t failures = 0;  // to connect, one after the other
    MonotonicTime not_before{};  // when to connect again after them
    FetchSession session;
    // In the last request that named everything.
    TopicPartition named_first;
  };
  struct Wake : Timer {
    explicit Wake(Fetcher& f);
    Fetcher& fetcher;
  };

  [[nodiscard]] std::optional<BrokerId> source_of(PartitionProgress& partition,
                                                  const std::optional<LeaderOf>& leader,
                                                  MonotonicTime now);
  struct Held {
    std::size_t all = 0;
    std::size_t takeable = 0;  // not of paused partitions
  };
  [[nodiscard]] std::map<BrokerId, Held> held() const;
  [[nodiscard]] static bool is_readable(const PartitionProgress& partition);
  // Whether the leader may lack what was read under one before it.
  [[nodiscard]] static bool lacks_proof(const PartitionProgress& partition,
                                        const std::optional<LeaderOf>& leader);
  // Drops at least so much of what paused partitions hold of that broker, if there is so much.
  // Returns how much it was.
  std::size_t forget_paused(BrokerId broker, std::size_t bytes);
  // A request is made when it can be sent: it says where the partitions are then.
  [[nodiscard]] Task<void> connect(BrokerId broker);
  [[nodiscard]] Task<void> fetch(BrokerId broker, std::unique_ptr<Asked> asked);
  [[nodiscard]] std::unique_ptr<Asked> ask(BrokerId broker,
                                           const std::vector<PartitionProgress*>& partitions,
                                           std::size_t room);
  [[nodiscard]] Task<void> end_session(BrokerId broker, FetchSession::Request request,
                                       MonotonicTime deadline);
  // Whether it tells of what was asked for, and of nothing else.
  [[nodiscard]] bool take_answer(const Asked& asked,
                                 std::shared_ptr<Reply<protocol::FetchResponse>> reply);
  void refused(const Asked& asked, FetchSession& session, BrokerId broker,
               protocol::ErrorCode error);
  // The partition, if it still waits for that request of its: not if its position was moved, nor if
  // another broker was asked meanwhile.
  [[nodiscard]] PartitionProgress* waiting_for(const Asked& asked, const TopicPartition& name,
                                               std::uint64_t request);
  // Those that the request is about and that still wait for it; asked for again after a pause, or
  // at once.
  void release(const Asked& asked, bool at_once);
  // Whether brokers have told how far its log goes.
  [[nodiscard]] bool knows_ends(const PartitionProgress& partition) const;
  // The broker has it, and nothing is wrong with it.
  void heard_from(PartitionProgress& partition);
  void take_partition(PartitionProgress& partition, BrokerId broker,
                      const std::shared_ptr<Reply<protocol::FetchResponse>>& reply,
                      const std::shared_ptr<HeldFrame>& frame,
                      const protocol::FetchResponse::PartitionData& data);
  void take_records(PartitionProgress& partition, BrokerId broker,
                    const std::shared_ptr<Reply<protocol::FetchResponse>>& reply,
                    const std::shared_ptr<HeldFrame>& frame,
                    const protocol::FetchResponse::PartitionData& data);
  void take_error(PartitionProgress& partition, BrokerId broker, protocol::ErrorCode error,
                  const protocol::FetchResponse& message,
                  const protocol::FetchResponse::PartitionData& data);
  void out_of_range(PartitionProgress& partition, BrokerId broker);
  void fail(PartitionProgress& partition, ClientError error);
  void back_off(PartitionProgress& partition);
  void measure(PartitionProgress& partition, std::size_t taken);
  [[nodiscard]] ClientResult<std::size_t> take_from(PartitionProgress& partition,
                                                    std::size_t records_max, FetchedRecords& to);

  Executor& executor_;
  Brokers& brokers_;
  Metadata& metadata_;
  Positions& positions_;
  const ConsumerSettings& settings_;
  ConsumerMeters& meters_;
  Logger logger_;
  protocol::Decompressor decompressor_;
  Random random_;
  WaitList arrivals_;
  std::function<void()> on_need_;
  std::map<BrokerId, Lane> lanes_;
  mutable std::uint64_t counts_ = 0;  // of frames that were made
  TopicPartition last_taken_;
  Wake wake_{*this};
  TaskGroup tasks_;
  bool is_closed_ = false;
  FetcherCounters counters_;
};

}  // namespace millrace::client
