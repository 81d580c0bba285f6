module;
#include <algorithm>
#include <map>
#include <optional>
#include <vector>

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {

Session* Sessions::find(BrokerId broker) {
  const auto found = sessions_.find(broker);
  return found == sessions_.end() ? nullptr : &found->second;
}

bool Sessions::is_valid(BrokerId broker, MonotonicTime now) const {
  const auto found = sessions_.find(broker);
  return found != sessions_.end() && now < found->second.expires;
}

std::vector<BrokerId> Sessions::expire(MonotonicTime now) {
  std::vector<BrokerId> expired;
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    if (now < at->second.expires) {
      ++at;
      continue;
    }
    expired.push_back(at->first);
    at = sessions_.erase(at);
  }
  return expired;
}

std::optional<MonotonicTime> Sessions::deadline() const {
  std::optional<MonotonicTime> first;
  for (const auto& [broker, session] : sessions_) {
    first = first ? std::min(*first, session.expires) : session.expires;
  }
  return first;
}

}  // namespace millrace::metadata
