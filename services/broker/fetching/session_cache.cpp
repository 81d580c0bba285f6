module;
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <list>
#include <memory>
#include <unordered_map>
#include <utility>

module millrace.broker.fetching;

import millrace.base;
import millrace.runtime;

namespace millrace::broker {

SessionId FetchSessionCache::new_id() {
  for (;;) {
    const auto number = static_cast<std::int32_t>(random_.next() & 0x7fffffffU);
    const SessionId id(number);
    if (id != no_session && !places_.contains(id)) return id;
  }
}

bool FetchSessionCache::has_room(std::size_t partitions) const {
  return places_.size() < sessions_max_ && partitions_ + partitions <= session_partitions_max;
}

void FetchSessionCache::erase(Order::iterator cached) {
  partitions_ -= cached->partitions;
  places_.erase(cached->id);
  order_.erase(cached);
}

// Young ones stay, however small: who begins a session has had no time to use it.
FetchSessionCache::Order::iterator FetchSessionCache::smallest_old(MonotonicTime now) {
  auto smallest = order_.end();
  for (auto cached = order_.begin(); cached != order_.end(); ++cached) {
    if (now - cached->made < session_eviction_after) continue;
    if (smallest == order_.end() || cached->partitions < smallest->partitions) smallest = cached;
  }
  return smallest;
}

bool FetchSessionCache::make_room(std::size_t partitions, MonotonicTime now) {
  while (!has_room(partitions)) {
    if (order_.empty()) return false;
    auto victim = order_.begin();
    if (now - victim->used < session_eviction_after) {
      victim = smallest_old(now);
      if (victim == order_.end() || victim->partitions >= partitions) return false;
    }
    ++evictions_;
    erase(victim);
  }
  return true;
}

std::shared_ptr<FetchSession> FetchSessionCache::create(bool uses_topic_ids, std::size_t partitions,
                                                        MonotonicTime now, SessionId& id) {
  id = no_session;
  if (sessions_max_ == 0 || partitions > session_partitions_max) return nullptr;
  if (!make_room(partitions, now)) return nullptr;
  id = new_id();
  auto session = std::make_shared<FetchSession>(uses_topic_ids);
  order_.push_back({.id = id, .session = session, .made = now, .used = now});
  places_.emplace(id, std::prev(order_.end()));
  return session;
}

FetchSessionCache::Found FetchSessionCache::take(SessionId id, SessionEpoch epoch,
                                                 bool uses_topic_ids, MonotonicTime now) {
  const auto place = places_.find(id);
  if (place == places_.end()) return {ErrorCode::fetch_session_id_not_found, nullptr};
  Cached& cached = *place->second;
  if (cached.next_epoch != epoch) return {ErrorCode::invalid_fetch_session_epoch, nullptr};
  if (cached.session->uses_topic_ids() != uses_topic_ids) {
    return {ErrorCode::fetch_session_topic_id_error, nullptr};
  }
  cached.next_epoch = next_epoch(epoch);
  cached.used = now;
  order_.splice(order_.end(), order_, place->second);
  return {ErrorCode::none, cached.session};
}

void FetchSessionCache::resized(SessionId id) {
  const auto place = places_.find(id);
  if (place == places_.end()) return;
  Cached& cached = *place->second;
  partitions_ = partitions_ - cached.partitions + cached.session->size();
  cached.partitions = cached.session->size();
  // Growing by increments must not pass what creating was held to.
  if (partitions_ > session_partitions_max) erase(place->second);
}

void FetchSessionCache::remove(SessionId id) {
  const auto place = places_.find(id);
  if (place != places_.end()) erase(place->second);
}

}  // namespace millrace::broker
