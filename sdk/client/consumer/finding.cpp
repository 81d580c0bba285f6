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

void ConsumerClient::note_needs() {
  committed_needed_.set();
  reset_needed_.set();
  proof_needed_.set();
}

Task<void> ConsumerClient::find_positions(PositionNeed need, AsyncSignal& noted, Find find) {
  Backoff backoff(settings_.common.retry_range(), Random(random_.next()));
  while (!is_closed_) {
    static_cast<void>(co_await noted.wait());
    while (!is_closed_ && positions_.any_needs(need)) {
      auto found = co_await (this->*find)();
      // What was found may have to be looked for elsewhere.
      note_needs();
      positions_found_.wake_all();
      fetcher_.arrivals().wake_all();
      fetcher_.pump();
      if (found) {
        backoff.reset();
        continue;
      }
      logger_.debug("positions: {}", to_string(found.error()));
      if (!found.error().retriable) position_problem_ = std::move(found.error());
      static_cast<void>(co_await ended_.wait(now() + backoff.next()));
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
  const auto found =
      co_await coordinator_->committed(std::move(names), now() + settings_.default_api_timeout);
  if (!found) co_return failure(found.error());
  for (const auto& [name, request] : asked) {
    PartitionProgress* partition = positions_.find(name);
    if (partition == nullptr || partition->request != request) continue;
    const auto committed = found->find(name);
    if (committed != found->end()) {
      positions_.seek(*partition, committed->second.offset, committed->second.leader_epoch);
    } else if (const auto reset_to = reset_timestamp(settings_, executor_.clock())) {
      positions_.seek(*partition, PositionNeed::reset, *reset_to);
    } else {
      positions_.seek(*partition, PositionNeed::policy, latest_timestamp);
    }
  }
  co_return ClientResult<void>();
}

Task<ClientResult<void>> ConsumerClient::find_resets() {
  std::vector<std::pair<TopicPartition, std::uint64_t>> asked;
  WantedOffsets wanted;
  for (const auto& [name, partition] : positions_.all()) {
    if (partition.need != PositionNeed::reset) continue;
    asked.emplace_back(name, partition.request);
    wanted[name] = partition.reset_to;
  }
  if (wanted.empty()) co_return ClientResult<void>();
  auto found = co_await lookup_.find(wanted, now() + settings_.default_api_timeout);
  if (!found) co_return failure(found.error());
  // A time after the last record: the end.
  WantedOffsets after_all;
  for (const auto& [name, offset] : *found) {
    if (offset.offset == no_offset) after_all[name] = latest_timestamp;
  }
  if (!after_all.empty()) {
    const auto ends = co_await lookup_.find(after_all, now() + settings_.default_api_timeout);
    if (!ends) co_return failure(ends.error());
    for (const auto& [name, offset] : *ends) (*found)[name] = offset;
  }
  for (const auto& [name, request] : asked) {
    PartitionProgress* partition = positions_.find(name);
    if (partition == nullptr || partition->request != request) continue;
    const FoundOffset& place = (*found)[name];
    if (place.offset < Offset(0)) continue;
    positions_.seek(*partition, place.offset);
  }
  co_return ClientResult<void>();
}

Task<void> ConsumerClient::watch() {
  while (!is_closed_) {
    if (co_await ended_.wait(now() + watchdog_interval)) co_return;
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
