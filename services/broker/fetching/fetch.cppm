// One fetch request under way.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

export module millrace.broker.fetching:fetch;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.fetch;
import millrace.runtime;
import millrace.runtime.shard;
import :answer;
import :part;
import :session;
import :session_cache;

export namespace millrace::broker {

class FetchRequests;

inline constexpr std::int16_t first_version_with_leaders = 12;
inline constexpr std::int16_t first_version_with_topic_ids = 13;
inline constexpr std::int16_t first_version_with_endpoints = 16;

struct PlacedPart {
  ShardIndex shard;
  std::unique_ptr<FetchPart> part;
};

// Lies in the frame of the coroutine that answers the request, and is known to its FetchRequests
// meanwhile. The decoded request is needed for begin() only.
class Fetch {
 public:
  Fetch(FetchRequests& owner, const RequestContext& context);
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;
  ~Fetch();

  // Finds the session and what is to be read. An error is the answer to the whole request.
  [[nodiscard]] ErrorCode begin(const protocol::FetchRequest& request);
  // Reads, and waits until there is enough to say.
  [[nodiscard]] Task<void> read();
  // After read(). Nothing suspends here.
  [[nodiscard]] Response answer();
  // The answer to a request that begin() refused.
  [[nodiscard]] Response refusal(ErrorCode error) const;

  void stop_waiting();

 private:
  friend class FetchRequests;

  [[nodiscard]] ErrorCode begin_session(const protocol::FetchRequest& request);
  void ask_for_all_of(FetchSession& session);
  void ask_for(std::string_view topic, const Uuid& topic_id, PartitionIndex partition,
               const WantedPartition& wanted);
  void refuse(std::string_view topic, const Uuid& topic_id, PartitionIndex partition,
              const WantedPartition& wanted, ErrorCode error);
  [[nodiscard]] FetchPart& part_of(ShardIndex shard);
  [[nodiscard]] bool is_enough() const;
  [[nodiscard]] Task<void> read(PlacedPart& placed);
  [[nodiscard]] Task<void> read_parts();
  [[nodiscard]] Task<void> wait(PlacedPart& placed);
  [[nodiscard]] Task<void> wait_for_change();
  [[nodiscard]] Task<void> stop_waiting(PlacedPart& placed);
  // Whether the answer has room for the records, and names the partition.
  [[nodiscard]] bool fits(const FetchedPartition& fetched, std::uint64_t& bytes) const;
  [[nodiscard]] bool tell(const FetchedPartition& fetched, bool with_records);

  [[nodiscard]] const metadata::Image& image() const;

  FetchRequests& owner_;
  const RequestContext& context_;
  std::string client_id_;
  ReadLimits limits_;
  std::uint64_t bytes_min_ = 0;
  MonotonicTime deadline_;
  SessionId session_id_ = no_session;
  std::shared_ptr<FetchSession> session_;
  bool incremental_ = false;

  std::vector<FetchedPartition*> asked_;  // in the order of the answer
  std::deque<FetchedPartition> refused_;
  std::vector<PlacedPart> parts_;
  bool waits_ = false;
  bool woken_ = false;  // while several parts wait
  bool gone_ = false;   // nobody is there to be answered, or all is to end
  TaskGroup stops_;

  // The others under way.
  Fetch* previous_ = nullptr;
  Fetch* next_ = nullptr;
};

}  // namespace millrace::broker
