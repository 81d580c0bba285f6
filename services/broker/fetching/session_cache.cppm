// The fetch sessions that a shard remembers between requests.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>

export module millrace.broker.fetching:session_cache;

import millrace.base;
import millrace.runtime;
import :session;

export namespace millrace::broker {

// A session that was not used for so long makes room for a new one, and so does a smaller one that
// has existed for as long.
inline constexpr Duration session_eviction_after = std::chrono::minutes(2);
// Partitions in all sessions of a shard together. One takes some 250 bytes.
inline constexpr std::size_t session_partitions_max = 200'000;

struct SessionCacheFigures {
  std::size_t sessions = 0;
  std::size_t partitions = 0;
  std::uint64_t evictions = 0;
};

// Belongs to one shard. A client that comes back on a connection of another shard is told that its
// session is not known, and begins a new one.
class FetchSessionCache {
 public:
  // `random` gives the ids.
  FetchSessionCache(std::size_t sessions_max, Random random)
      : sessions_max_(sessions_max), random_(random) {}

  // Null when there is no room: the client then sends full requests.
  [[nodiscard]] std::shared_ptr<FetchSession> create(bool uses_topic_ids, std::size_t partitions,
                                                     MonotonicTime now, SessionId& id);
  // The session as the next request of the client may use it. It stays alive as long as an answer
  // is being made for it, even when it is removed meanwhile.
  struct Found {
    ErrorCode error = ErrorCode::none;
    std::shared_ptr<FetchSession> session;
  };
  [[nodiscard]] Found take(SessionId id, SessionEpoch epoch, bool uses_topic_ids,
                           MonotonicTime now);
  // After update(): the session may have another size.
  void resized(SessionId id);
  void remove(SessionId id);

  [[nodiscard]] SessionCacheFigures figures() const {
    return {places_.size(), partitions_, evictions_};
  }

 private:
  struct Cached {
    SessionId id;
    std::shared_ptr<FetchSession> session;
    SessionEpoch next_epoch{1};
    std::size_t partitions = 0;
    MonotonicTime made;
    MonotonicTime used;
  };
  using Order = std::list<Cached>;

  [[nodiscard]] bool make_room(std::size_t partitions, MonotonicTime now);
  // end() of order_ if none is old.
  [[nodiscard]] Order::iterator smallest_old(MonotonicTime now);
  [[nodiscard]] bool has_room(std::size_t partitions) const;
  void erase(Order::iterator cached);
  [[nodiscard]] SessionId new_id();

  std::size_t sessions_max_;
  Random random_;
  Order order_;  // the one used longest ago first
  std::unordered_map<SessionId, Order::iterator> places_;
  std::size_t partitions_ = 0;
  std::uint64_t evictions_ = 0;
};

}  // namespace millrace::broker
