module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.runtime;
import millrace.runtime.streams;
import :metadata_state;
import :topic_merge;

namespace millrace::client {
namespace {

// Waiting does not help.
bool is_final(ErrorCode code) {
  return code == ErrorCode::topic_authorization_failed ||
         code == ErrorCode::invalid_topic_exception;
}

}  // namespace

Metadata::Metadata(Executor& executor, Brokers& brokers, const CommonSettings& settings,
                   MetadataOptions options, Logger logger, Random random)
    : state_(std::make_unique<State>(executor, brokers, settings, options, logger, random)) {}

Metadata::~Metadata() {
  check(state_->tasks.running() == 0 && state_->callers == 0, "metadata ends after close()");
}

std::shared_ptr<const ClusterView> Metadata::view() const {
  return state_->current();
}

void Metadata::want(std::string_view topic) {
  if (is_possible_topic(topic)) state_->want(topic);
}

void Metadata::want_all(bool all) {
  if (state_->is_all_wanted == all) return;
  state_->is_all_wanted = all;
  ++state_->want_generation;
  if (all) state_->is_refresh_asked = true;
  state_->nudge();
}

void Metadata::forget(std::string_view topic) {
  const auto found = state_->wanted.find(topic);
  if (found != state_->wanted.end()) state_->wanted.erase(found);
  if (const auto fresh = state_->fresh.find(topic); fresh != state_->fresh.end()) {
    state_->fresh.erase(fresh);
  }
  if (const auto good = state_->last_good.find(topic); good != state_->last_good.end()) {
    state_->last_good.erase(good);
  }
}

Task<ClientResult<void>> Metadata::refresh(MonotonicTime deadline) {
  State& state = *state_;
  const State::Caller caller(state);
  const bool is_shared = state.under_way && state.under_way->is_full &&
                         state.under_way->want_generation == state.want_generation;
  const std::uint64_t number = is_shared ? state.under_way->number : state.last_question + 1;
  if (!is_shared) {
    state.is_refresh_asked = true;
    state.nudge();
  }
  while (!state.is_closing) {
    if (state.full_success >= number) co_return ClientResult<void>();
    if (state.has_failed_for_good(number - 1)) co_return failure(*state.last_error);
    if (!co_await state.ended.wait(deadline)) {
      co_return failure(state.late(Failure::timed_out, "no broker told of the cluster in time"));
    }
  }
  co_return failure(state.closed());
}

void Metadata::invalidate() {
  state_->invalidate();
}

Task<ClientResult<std::shared_ptr<const TopicView>>> Metadata::topic(std::string name,
                                                                     MonotonicTime deadline) {
  State& state = *state_;
  const State::Caller caller(state);
  if (!is_possible_topic(name)) {
    co_return failure(broker_error(ErrorCode::invalid_topic_exception, no_broker,
                                   formatted("the name of a topic has 1 to {} bytes; this has {}",
                                             topic_name_bytes_max, name.size())));
  }
  const std::uint64_t asked_before = state.last_question;
  while (!state.is_closing) {
    // Time and again: what is not wanted for long is not asked for any more.
    state.want(name);
    if (state.has_failed_for_good(asked_before)) co_return failure(*state.last_error);
    const auto view = state.current();
    const auto found = view->topics().find(name);
    const bool is_known = found != view->topics().end();
    const ErrorCode code = is_known ? found->second->error : ErrorCode::unknown_topic_or_partition;
    if (code == ErrorCode::none) co_return found->second;
    if (is_final(code)) {
      // Rights are given while clients run: whoever asks the next time is told what is true then.
      if (code == ErrorCode::topic_authorization_failed) state.invalidate();
      co_return failure(broker_error(code, no_broker, "topic " + name));
    }
    if (!state.is_asked(name)) state.invalidate();
    if (!co_await state.ended.wait(deadline)) {
      co_return failure(
          is_known && code == ErrorCode::unknown_topic_or_partition
              ? state.late(Failure::unknown_topic, "no topic " + name)
              : state.late(Failure::timed_out, "topic " + name + " did not become known in time"));
    }
  }
  co_return failure(state.closed());
}

Task<ClientResult<LeaderOf>> Metadata::leader(TopicPartition partition, MonotonicTime deadline) {
  State& state = *state_;
  const State::Caller caller(state);
  while (!state.is_closing) {
    const auto topic = co_await this->topic(partition.topic, deadline);
    if (!topic) co_return failure(topic.error());
    if (const auto leader = known_leader(partition.topic, partition.partition)) co_return *leader;
    if (!state.is_asked(partition.topic)) state.invalidate();
    if (!co_await state.ended.wait(deadline)) {
      const bool is_there = (*topic)->find(partition.partition) != nullptr;
      const std::string name = to_string(partition);
      co_return failure(is_there ? state.late(Failure::timed_out, name + " has no leader")
                                 : state.late(Failure::unknown_topic, "no partition " + name));
    }
  }
  co_return failure(state.closed());
}

std::optional<LeaderOf> Metadata::known_leader(std::string_view topic,
                                               PartitionIndex partition) const {
  const auto view = state_->current();
  const TopicView* found = view->find(topic);
  const PartitionView* place = found == nullptr ? nullptr : found->find(partition);
  if (place == nullptr || place->leader == no_broker) return std::nullopt;
  if (!state_->brokers.knows(place->leader)) return std::nullopt;
  return LeaderOf{place->leader, place->leader_epoch, found->id};
}

void Metadata::apply_leader_hint(std::string_view topic, PartitionIndex partition, BrokerId leader,
                                 LeaderEpoch epoch, const std::optional<BrokerEndpoint>& endpoint) {
  State& state = *state_;
  if (leader < BrokerId(0) || state.is_closing) return;
  const auto before = state.current();
  const TopicView* known = before->find(topic);
  if (known == nullptr) return;
  auto changed = with_leader(*known, partition, leader, epoch);
  if (changed == nullptr) return;
  if (endpoint && endpoint->id == leader) state.brokers.learn(*endpoint);
  if (!state.brokers.knows(leader)) {
    state.invalidate();
    return;
  }
  auto picture = std::make_shared<ClusterView>(*before);
  state.last_good[changed->name] = changed;
  picture->set_topic(std::move(changed));
  state.publish(std::move(picture));
  state.ended.wake_all();
}

void Metadata::on_change(Changed changed) {
  state_->listeners.push_back(std::move(changed));
}

Task<void> Metadata::close() {
  State& state = *state_;
  state.is_closing = true;
  state.wake.set();
  co_await state.tasks.wait();
  while (state.callers > 0) {
    state.ended.wake_all();
    co_await yield(state.executor);
  }
}

}  // namespace millrace::client
