// What a broker remembers of a consumer's fetches (KIP-227), so that a request names only what is
// new, and an answer tells only of partitions with news.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

export module millrace.client.consumer:fetch_session;

import millrace.base;
import millrace.client.core;

export namespace millrace::client {

// The epoch of the last request of a session.
inline constexpr std::int32_t fetch_session_ends = -1;

// What is wanted of one partition.
struct WantedFetch {
  Uuid topic_id;
  LeaderEpoch leader_epoch = no_leader_epoch;  // as the consumer knows it
  Offset offset;
  std::int32_t bytes_max = 0;

  friend bool operator==(const WantedFetch&, const WantedFetch&) = default;
};

struct FetchItem {
  std::shared_ptr<const TopicPartition> name;
  WantedFetch wanted;
  // Whether the consumer was told the ends of its log. In a session they are not told twice.
  bool knows_ends = false;
};

// The consumer's side of the session with one broker. Asks for one thing at a time: ask(), and then
// answered(), refused() or unanswered(). Whatever is doubtful begins a new session with a request
// that names everything; so no partition is wanted here and unknown there. A value; one thread.
class FetchSession {
 public:
  struct Request {
    std::int32_t id = 0;
    std::int32_t epoch = 0;  // 0: names everything; fetch_session_ends: nothing, for good
    std::vector<FetchItem> named;
    std::vector<FetchItem> forgotten;

    [[nodiscard]] bool is_incremental() const { return epoch > 0; }
  };
  // `items` is all that is wanted, in the order of names. With `uses_ids` brokers know topics by
  // their ids, else by their names.
  [[nodiscard]] Request ask(std::vector<FetchItem> items, bool uses_ids);

  // With the session that the answer names. `is_as_asked`: it tells of nothing that was not asked
  // for, and of everything if everything was named.
  void answered(std::int32_t id, bool is_as_asked);
  // As a whole.
  void refused(protocol::ErrorCode error);
  // What became of the request is not known.
  void unanswered();
  // The request that ends it; none where the broker remembers nothing. Nothing is asked after it.
  [[nodiscard]] std::optional<Request> end();

  [[nodiscard]] bool is_open() const { return epoch_ != 0; }

 private:
  void begin_anew(std::int32_t id);
  // Whether the broker would keep something to itself that the consumer does not know.
  [[nodiscard]] bool lacks_ends(const std::vector<FetchItem>& items) const;
  void compare(const std::vector<FetchItem>& items, Request& request) const;

  std::int32_t id_ = 0;     // to be ended, where a new one begins
  std::int32_t epoch_ = 0;  // of the next request
  bool uses_ids_ = false;
  std::vector<FetchItem> items_;  // as the broker has them once the request was answered
};

// Whether it says that the broker does not go on with the session.
[[nodiscard]] bool is_of_session(protocol::ErrorCode error);

}  // namespace millrace::client
