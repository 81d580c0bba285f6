// When brokers were last heard of, as far as the controller that leads now knows.
module;
#include <map>
#include <optional>
#include <vector>

export module millrace.metadata.machine:sessions;

import millrace.base;
import millrace.metadata;

export namespace millrace::metadata {

struct Session {
  MonotonicTime expires;
  // A broker that has applied the entry at this offset knows that it is registered. None: that
  // entry is not committed yet.
  std::optional<MetadataOffset> registered;
};

// One for each broker that was heard of within its session timeout. Is not written anywhere: a new
// leader gives every broker a full session.
class Sessions {
 public:
  [[nodiscard]] Session* find(BrokerId broker);
  [[nodiscard]] bool is_valid(BrokerId broker, MonotonicTime now) const;
  void begin(BrokerId broker, Session session) { sessions_[broker] = session; }
  void end(BrokerId broker) { sessions_.erase(broker); }
  void clear() { sessions_.clear(); }

  // Ends those whose time has come.
  [[nodiscard]] std::vector<BrokerId> expire(MonotonicTime now);
  [[nodiscard]] std::optional<MonotonicTime> deadline() const;

 private:
  std::map<BrokerId, Session> sessions_;
};

}  // namespace millrace::metadata
