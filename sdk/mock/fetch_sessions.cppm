// What a broker of the mock remembers of fetches (KIP-227). Inside this module only.
module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

module millrace.mock:fetch_sessions;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.fetch;
import :faults;

namespace millrace::mock {

// What is wanted of one topic.
struct WantedTopic {
  std::string topic;
  Uuid topic_id;
  std::vector<protocol::FetchRequest::FetchPartition> partitions;
};

class FetchSession {
 public:
  explicit FetchSession(bool uses_ids) : uses_ids_(uses_ids) {}

  // Adds what a request names, or what is new of it; then drops what it forgets.
  void update(const protocol::FetchRequest& request);
  [[nodiscard]] std::vector<WantedTopic> wanted() const;
  [[nodiscard]] bool is_empty() const { return entries_.empty(); }
  [[nodiscard]] bool uses_ids() const { return uses_ids_; }
  // Whether an incremental answer names the partition; from then on it is told.
  [[nodiscard]] bool tell(const protocol::FetchResponse::FetchableTopicResponse& topic,
                          const protocol::FetchResponse::PartitionData& part);

  std::int32_t next_epoch = 1;

 private:
  // Of a topic either its name or its id says which it is.
  using Key = std::tuple<std::string, Uuid, std::int32_t>;
  struct Entry {
    protocol::FetchRequest::FetchPartition wanted;
    // The end and the beginning of the log as the client knows them.
    std::optional<std::pair<std::int64_t, std::int64_t>> told;
  };

  bool uses_ids_;
  std::map<Key, Entry> entries_;
};

// Of one broker.
class FetchSessions {
 public:
  // What a request belongs to.
  struct Turn {
    ErrorCode error = ErrorCode::none;
    std::int32_t id = 0;
    std::shared_ptr<FetchSession> session = {};  // null: none
    bool is_incremental = false;
  };
  // At most so many sessions; then requests that would begin one have none.
  [[nodiscard]] Turn take(const protocol::FetchRequest& request, bool uses_ids,
                          std::size_t sessions_max);
  void clear() { sessions_.clear(); }

 private:
  std::map<std::int32_t, std::shared_ptr<FetchSession>> sessions_;
  std::int32_t last_id_ = 0;
};

}  // namespace millrace::mock
