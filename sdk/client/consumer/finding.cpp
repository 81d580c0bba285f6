module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

// A partition as it was when its leader was asked where to begin.
struct ConsumerClient::Unplaced {
  TopicPartition name;
  std::uint64_t request = 0;
  Timestamp reset_to;
};

void ConsumerClient::note_needs() {
  committed_needed_.set();
  reset_needed_.set();
  proof_needed_.set();
}

std::optional<ClientError> ConsumerClient::refusal_of(const std::string& topic) const {
  const auto view = metadata_.view();
  const TopicView* known = view->find(topic);
  if (known == nullptr || known->error == ErrorCode::none || traits_of(known->error).retriable) {
    return std::nullopt;
  }
  return broker_error(known->error, no_broker, "topic " + topic);
}

void ConsumerClient::note_refused_topics() {
  topic_problem_.reset();
  if (subscription_ != Subscription::topics) return;
  for (const std::string& topic : topics_) {
    topic_problem_ = refusal_of(topic);
    if (topic_problem_) return fetcher_.arrivals().wake_all();
  }
}

Task<void> ConsumerClient::find_positions(PositionNeed need, AsyncSignal& noted, Find find) {
  Backoff backoff(settings_.common.retry_range(), Random(random_.next()));
  while (!is_closed_) {
    static_cast<void>(co_await noted.wait());
    while (!is_closed_ && positions_.any_needs(need)) {
      auto found = co_await (this->*find)();
      // What is not committed, or not there any more, is reset.
      if (need != PositionNeed::reset) reset_needed_.set();
      positions_found_.wake_all();
      fetcher_.arrivals().wake_all();
      fetcher_.pump();
      if (found) {
        backoff.reset();
        continue;
      }
      logger_.debug("positions: {}", to_string(found.error()));
      if (!found.error().retriable) position_problem_ = std::move(found.error());
      if (is_closed_) co_return;
      static_cast<void>(co_await needs_again_.wait(now() + backoff.next()));
    }
  }
}

Task<ClientResult<void>> ConsumerClient::find_committed() {
  std::vector<std::pair<TopicPartition, std::uint64_t>> asked;
  std::vector<TopicPartition> names;
  for (const auto& [name, partition] : positions_.all()) {
    if (partition.need != PositionNeed::committed) continue;
    asked.emplace_back(name, partition.request);
    names.push_back(name);
  }
  if (names.empty()) co_return ClientResult<void>();
  const auto found = co_await coordinator_->committed_of_some(
      std::move(names), now() + settings_.default_api_timeout);
  if (!found) co_return failure(found.error());
  for (const auto& [name, request] : asked) {
    PartitionProgress* partition = positions_.find(name);
    if (partition == nullptr || partition->request != request) continue;
    if (found->refused.contains(name)) continue;
    const auto committed = found->offsets.find(name);
    if (committed != found->offsets.end()) {
      positions_.seek(*partition, committed->second.offset, committed->second.leader_epoch);
    } else if (const auto reset_to = reset_timestamp(settings_, executor_.clock())) {
      positions_.seek(*partition, PositionNeed::reset, *reset_to);
    } else {
      positions_.seek(*partition, PositionNeed::policy, latest_timestamp);
    }
  }
  // The others go on meanwhile.
  if (!found->refused.empty()) co_return failure(found->refused.begin()->second);
  co_return ClientResult<void>();
}

ClientResult<void> ConsumerClient::outcome(Asking& asking, bool has_leaderless) {
  const bool has_failed = std::exchange(asking.has_failed, false) || has_leaderless;
  if (auto refused = std::exchange(asking.refused, std::nullopt)) {
    return failure(*std::move(refused));
  }
  if (!has_failed) return {};
  ClientError later = client_error(Failure::disconnected, "not all leaders could be asked yet");
  later.retriable = true;
  return failure(std::move(later));
}

// Each leader by itself: one that does not answer, or a partition that has none, keeps no other
// waiting. Ends with the first answer, or when something else is needed.
Task<ClientResult<void>> ConsumerClient::find_resets() {
  std::map<BrokerId, std::vector<Unplaced>> by_leader;
  std::set<std::string> leaderless;
  for (const auto& [name, partition] : positions_.all()) {
    if (partition.need != PositionNeed::reset) continue;
    const auto leader = metadata_.known_leader(name.topic, name.partition);
    if (!leader) {
      metadata_.want(name.topic);
      metadata_.invalidate();
      leaderless.insert(name.topic);
      continue;
    }
    if (resets_.leaders.contains(leader->broker)) continue;
    by_leader[leader->broker].push_back({name, partition.request, partition.reset_to});
  }
  for (auto& [leader, unplaced] : by_leader) {
    resets_.leaders.insert(leader);
    tasks_.start(ask_for_resets(leader, std::move(unplaced)));
  }
  // Waits for none of them: only to hear of those that no waiting helps.
  for (const std::string& topic : leaderless) {
    auto known = co_await metadata_.topic(topic, now());
    if (known || known.error().retriable || known.error().failure == Failure::closed) continue;
    resets_.refused = std::move(known.error());
  }
  if (leaderless.empty() && !resets_.leaders.empty()) {
    static_cast<void>(co_await reset_needed_.wait());
  }
  co_return outcome(resets_, !leaderless.empty());
}

Task<void> ConsumerClient::ask_for_resets(BrokerId leader, std::vector<Unplaced> unplaced) {
  const auto ask = [&](WantedOffsets wanted) -> Task<FoundOffsets> {
    std::vector<TopicPartition> names;
    for (const auto& [name, time] : wanted) names.push_back(name);
    FoundOffsets found;
    auto asked = co_await lookup_.ask(leader, std::move(names), wanted, found,
                                      now() + settings_.common.request_timeout);
    if (!asked) resets_.refused = std::move(asked.error());
    co_return found;
  };
  WantedOffsets wanted;
  for (const Unplaced& one : unplaced) wanted[one.name] = one.reset_to;
  FoundOffsets found = co_await ask(std::move(wanted));
  // A time after the last record: the end.
  WantedOffsets after_all;
  for (const auto& [name, offset] : found) {
    if (offset.offset == no_offset) after_all[name] = latest_timestamp;
  }
  if (!after_all.empty()) {
    const FoundOffsets ends = co_await ask(std::move(after_all));
    for (const auto& [name, end] : ends) found[name] = end;
  }
  for (const Unplaced& one : unplaced) {
    PartitionProgress* partition = positions_.find(one.name);
    const auto place = found.find(one.name);
    if (partition == nullptr || partition->request != one.request) continue;
    if (place != found.end() && place->second.offset >= Offset(0)) {
      positions_.seek(*partition, place->second.offset);
    } else {
      resets_.has_failed = true;
    }
  }
  resets_.leaders.erase(leader);
  reset_needed_.set();
  positions_found_.wake_all();
  fetcher_.pump();
}

Task<void> ConsumerClient::watch() {
  while (!is_closed_) {
    if (co_await ended_.wait(now() + watchdog_interval)) co_return;
    want_topics();
    WantedOffsets wanted;
    for (const TopicPartition& name : watchdog_.suspects(now())) wanted[name] = latest_timestamp;
    if (!wanted.empty() && !is_closed_) {
      const auto ends = co_await lookup_.find(wanted, now() + watchdog_interval);
      if (ends) {
        for (const auto& [name, end] : *ends) {
          PartitionProgress* partition = positions_.find(name);
          if (partition == nullptr || end.offset < Offset(0)) continue;
          const bool committed_only = settings_.isolation_level == IsolationLevel::read_committed;
          (committed_only ? partition->last_stable : partition->high_watermark) = end.offset;
        }
      }
    }
    watchdog_.look(now());
  }
}

}  // namespace millrace::client
