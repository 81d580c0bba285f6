module;
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

module millrace.groups;

import millrace.base;

namespace millrace::groups {

void Timers::set(const TimerKey& key, MonotonicTime at) {
  const auto [place, inserted] = by_key_.try_emplace(key);
  // A heartbeat moves its timer: the node moves, nothing is allocated.
  if (!inserted) {
    auto node = by_time_.extract(place->second);
    place->second = {at, ++order_};
    node.key() = place->second;
    by_time_.insert(std::move(node));
    return;
  }
  place->second = {at, ++order_};
  by_time_.emplace(place->second, place);
}

void Timers::cancel(const TimerKey& key) {
  const auto place = by_key_.find(key);
  if (place == by_key_.end()) return;
  by_time_.erase(place->second);
  by_key_.erase(place);
}

// The search for expired offsets has the smallest kind and no group, like a group without a name.
void Timers::cancel_all_of(std::string_view group) {
  auto place = by_key_.lower_bound(
      TimerKey{.group = std::string(group), .kind = TimerKind::join, .member = {}});
  while (place != by_key_.end() && place->first.group == group) {
    by_time_.erase(place->second);
    place = by_key_.erase(place);
  }
}

std::optional<MonotonicTime> Timers::next() const {
  if (by_time_.empty()) return std::nullopt;
  return by_time_.begin()->first.at;
}

std::optional<TimerKey> Timers::take_due(MonotonicTime now) {
  if (by_time_.empty() || by_time_.begin()->first.at > now) return std::nullopt;
  const auto place = by_time_.begin()->second;
  by_time_.erase(by_time_.begin());
  return std::move(by_key_.extract(place).key());
}

}  // namespace millrace::groups
