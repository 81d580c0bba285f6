// What is read, from where, and what the test plans.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "mock_consumer_core.hpp"

namespace millrace::inline v1 {

namespace {

using Partitions = std::vector<TopicPartition>;

Error misuse(std::string sentence) {
  return Error({.code = ErrorCode::invalid_request, .origin = Origin::configuration},
               std::move(sentence));
}

}  // namespace

Result<void> MockConsumer::Implementation::subscribe(std::vector<std::string> topics,
                                                     bool is_pattern) {
  if (topics.empty()) return misuse("subscribe to at least one topic");
  if (!is_pattern && std::ranges::any_of(topics, &std::string::empty))
    return misuse("a topic has no name");
  if (is_pattern) {
    try {
      static_cast<void>(std::regex(topics.front(), std::regex::ECMAScript));
    } catch (const std::regex_error& error) {
      return misuse("the pattern " + topics.front() + " is none: " + error.what());
    }
  }
  {
    const Lock lock(mutex_);
    if (auto refused = refusal()) return *std::move(refused);
    const Kind kind = is_pattern ? Kind::pattern : Kind::topics;
    if (kind_ != Kind::nothing && kind_ != kind)
      return misuse("topics, a pattern or partitions: unsubscribe before the other");
    kind_ = kind;
    names_ = std::move(topics);
  }
  changed();
  return {};
}

Result<void> MockConsumer::Implementation::assign(const Partitions& partitions) {
  {
    const Lock lock(mutex_);
    if (auto refused = refusal()) return *std::move(refused);
    if (is_in_group())
      return misuse("topics, a pattern or partitions: unsubscribe before the other");
    kind_ = Kind::partitions;
    const auto is_left_out = [&](const TopicPartition& partition) {
      return std::ranges::find(partitions, partition) == partitions.end();
    };
    std::erase_if(positions_, [&](const auto& entry) { return is_left_out(entry.first); });
    std::erase_if(paused_, is_left_out);
    for (const TopicPartition& partition : partitions) positions_.try_emplace(partition);
  }
  changed();
  return {};
}

Result<Partitions> MockConsumer::Implementation::assignment() const {
  const Lock lock(mutex_);
  if (auto refused = refusal()) return *std::move(refused);
  Partitions assigned;
  for (const auto& [partition, position] : positions_) assigned.push_back(partition);
  return assigned;
}

void MockConsumer::Implementation::set_handler(RebalanceHandler Implementation::* which,
                                               RebalanceHandler handler) {
  const Lock lock(mutex_);
  this->*which = std::move(handler);
}

// --- Places. ---

Result<void> MockConsumer::Implementation::set_paused(const Partitions& partitions,
                                                      bool are_paused) {
  {
    const Lock lock(mutex_);
    for (const TopicPartition& partition : partitions)
      if (auto refused = not_assigned(partition)) return *std::move(refused);
    for (const TopicPartition& partition : partitions) {
      if (are_paused)
        paused_.insert(partition);
      else
        paused_.erase(partition);
    }
  }
  changed();
  return {};
}

Result<Partitions> MockConsumer::Implementation::paused() const {
  const Lock lock(mutex_);
  if (auto refused = refusal()) return *std::move(refused);
  return Partitions(paused_.begin(), paused_.end());
}

Result<void> MockConsumer::Implementation::seek(const TopicPartition& partition,
                                                std::int64_t offset) {
  if (offset < 0) return misuse("an offset is not negative");
  return seek_to(partition, [offset](const Log&) { return offset; });
}

Result<void> MockConsumer::Implementation::rewind(const Offsets& to) {
  {
    const Lock lock(mutex_);
    if (auto refused = refusal()) return *std::move(refused);
    for (const auto& [partition, offset] : to) {
      const auto place = positions_.find(partition);
      if (place != positions_.end()) place->second = offset;
    }
  }
  changed();
  return {};
}

Result<void> MockConsumer::Implementation::seek_to(
    const TopicPartition& partition, const std::function<std::int64_t(const Log&)>& place) {
  {
    const Lock lock(mutex_);
    if (auto refused = not_assigned(partition)) return *std::move(refused);
    positions_[partition] = place(log_of(partition));
  }
  changed();
  return {};
}

Result<std::int64_t> MockConsumer::Implementation::position(const TopicPartition& partition) {
  const Lock lock(mutex_);
  if (auto refused = not_assigned(partition)) return *std::move(refused);
  return find_position(partition);
}

Result<std::map<TopicPartition, Lag>> MockConsumer::Implementation::lag() const {
  const Lock lock(mutex_);
  if (auto refused = refusal()) return *std::move(refused);
  std::map<TopicPartition, Lag> lags;
  for (const auto& [partition, position] : positions_)
    if (position) lags[partition] = {.position = *position, .end = log_of(partition).end};
  return lags;
}

Result<std::vector<StalledPartition>> MockConsumer::Implementation::stalled() const {
  const Lock lock(mutex_);
  if (auto refused = refusal()) return *std::move(refused);
  std::vector<StalledPartition> stalled;
  for (const StalledPartition& one : stalled_)
    if (positions_.contains(one.partition) && !paused_.contains(one.partition))
      stalled.push_back(one);
  return stalled;
}

void MockConsumer::Implementation::set_stalled(std::vector<StalledPartition> stalled) {
  const Lock lock(mutex_);
  stalled_ = std::move(stalled);
}

// --- Offsets. ---

Result<GroupMembership> MockConsumer::Implementation::membership() const {
  const Lock lock(mutex_);
  if (auto refused = refusal()) return *std::move(refused);
  if (!is_in_group()) return GroupMembership{.group_id = options_.group_id};
  if (is_out_ || generation_ == 0) {
    return Error({.code = ErrorCode::unknown_member_id},
                 "group " + options_.group_id + ": this consumer is no member now");
  }
  return GroupMembership{
      .group_id = options_.group_id, .generation = generation_, .member_id = "mock"};
}

Result<void> MockConsumer::Implementation::commit(const Offsets* offsets) {
  const Lock lock(mutex_);
  return commit_now(offsets);
}

Result<Offsets> MockConsumer::Implementation::committed(const Partitions& partitions) const {
  const Lock lock(mutex_);
  if (auto refused = refusal()) return *std::move(refused);
  Offsets found;
  for (const TopicPartition& partition : partitions)
    if (const auto at = committed_.find(partition); at != committed_.end()) found.insert(*at);
  return found;
}

Result<Offsets> MockConsumer::Implementation::offsets(
    const Partitions& partitions, const std::function<std::int64_t(const Log&)>& place) const {
  const Lock lock(mutex_);
  if (auto refused = refusal()) return *std::move(refused);
  Offsets found;
  for (const TopicPartition& partition : partitions) found[partition] = place(log_of(partition));
  return found;
}

Result<std::map<TopicPartition, FoundOffset>> MockConsumer::Implementation::offsets_for_times(
    const std::map<TopicPartition, Timestamp>& times) const {
  const Lock lock(mutex_);
  if (auto refused = refusal()) return *std::move(refused);
  std::map<TopicPartition, FoundOffset> found;
  for (const auto& [partition, time] : times) found[partition] = log_of(partition).find(time);
  return found;
}

// --- Of the test. ---

std::int64_t MockConsumer::Implementation::add(OwnedRecord record, bool is_at_end) {
  std::int64_t offset = 0;
  {
    const Lock lock(mutex_);
    Log& log = logs_[{record.topic, record.partition}];
    if (is_at_end) record.offset = log.end;
    if (record.offset < log.end)
      throw Failed(misuse("partition " + std::to_string(record.partition) + " of " + record.topic +
                          " goes on at " + std::to_string(log.end) +
                          ": no record can be added at " + std::to_string(record.offset)));
    offset = record.offset;
    log.end = offset + 1;
    log.records.push_back(std::move(record));
  }
  changed();
  return offset;
}

void MockConsumer::Implementation::set_beginning(const TopicPartition& partition,
                                                 std::int64_t offset) {
  const Lock lock(mutex_);
  Log& log = logs_[partition];
  log.begin = std::max(log.begin, offset);
  log.end = std::max(log.end, log.begin);
  const auto gone = static_cast<std::ptrdiff_t>(log.index_of(log.begin));
  log.records.erase(log.records.begin(), log.records.begin() + gone);
}

void MockConsumer::Implementation::plan(std::optional<Partitions> assignment) {
  {
    const Lock lock(mutex_);
    planned_.push_back(std::move(assignment));
  }
  changed();
}

void MockConsumer::Implementation::fail_next_poll(Error error) {
  {
    const Lock lock(mutex_);
    poll_errors_.push_back(std::move(error));
  }
  changed();
}

void MockConsumer::Implementation::fail_next_commit(Error error) {
  const Lock lock(mutex_);
  commit_errors_.push_back(std::move(error));
}

void MockConsumer::Implementation::at_next_poll(std::function<void()> function) {
  const Lock lock(mutex_);
  at_polls_.push_back(std::move(function));
}

std::vector<std::string> MockConsumer::Implementation::subscription() const {
  const Lock lock(mutex_);
  return names_;
}

Offsets MockConsumer::Implementation::committed_offsets() const {
  const Lock lock(mutex_);
  return committed_;
}

std::vector<Offsets> MockConsumer::Implementation::commits() const {
  const Lock lock(mutex_);
  return commits_;
}

bool MockConsumer::Implementation::is_closed() const {
  const Lock lock(mutex_);
  return is_closed_;
}

}  // namespace millrace::inline v1
