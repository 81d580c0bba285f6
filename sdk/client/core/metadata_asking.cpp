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

// From here on a request says whether it may make topics.
constexpr std::int16_t metadata_version_min = 4;

}  // namespace

void Metadata::State::publish(std::shared_ptr<ClusterView> changed) {
  changed->generation = current()->generation + 1;
  {
    const std::lock_guard lock(view_mutex);
    view = changed;
  }
  const std::shared_ptr<const ClusterView> picture = std::move(changed);
  for (const Changed& listener : listeners) listener(picture);
}

MonotonicTime Metadata::State::due() const {
  if (is_refresh_asked || !fresh.empty()) return not_before;
  if (is_invalid) return std::max(not_before, not_again_before);
  const Duration age = settings.metadata_max_age;
  if (age >= no_deadline - succeeded_at) return no_deadline;
  return std::max({not_before, not_again_before, succeeded_at + age});
}

Task<void> Metadata::State::run() {
  succeeded_at = now();
  while (!is_closing) {
    const MonotonicTime when = due();
    if (when > now()) {
      static_cast<void>(co_await wake.wait(when));
      continue;
    }
    co_await ask();
  }
}

Metadata::State::Question Metadata::State::question() {
  Question asked;
  asked.number = ++last_question;
  asked.want_generation = want_generation;
  asked.is_full = is_refresh_asked || is_invalid || fresh.empty();
  asked.is_for_all = asked.is_full && is_all_wanted;
  if (asked.is_full) {
    forget_idle();
    for (const auto& [name, used] : wanted) asked.topics.push_back(name);
    is_refresh_asked = false;
    is_invalid = false;
  } else {
    asked.topics.assign(fresh.begin(), fresh.end());
  }
  fresh.clear();
  return asked;
}

void Metadata::State::forget_idle() {
  if (!options.topic_idle_max) return;
  std::erase_if(wanted, [&](const auto& entry) {
    const bool is_idle = now() - entry.second > *options.topic_idle_max;
    if (is_idle) last_good.erase(entry.first);
    return is_idle;
  });
}

Task<void> Metadata::State::ask() {
  const Question asked = question();
  under_way = asked;
  std::vector<MetadataRequest::MetadataRequestTopic> topics;
  for (const std::string& name : asked.topics) topics.push_back({.topic_id = {}, .name = name});
  MetadataRequest request;
  request.topics = asked.is_for_all
                       ? protocol::Array<MetadataRequest::MetadataRequestTopic>::null()
                       : protocol::Array<MetadataRequest::MetadataRequestTopic>(topics);
  request.allow_auto_topic_creation = options.allow_auto_topic_creation;
  const CallOptions call{.deadline = now() + settings.request_timeout,
                         .version_min = metadata_version_min};
  const auto reply = co_await brokers.call_any(request, call);
  under_way.reset();
  if (is_closing) co_return;
  const ClientResult<void> outcome = reply ? apply(asked, reply->message, reply->broker)
                                           : ClientResult<void>(failure(reply.error()));
  if (outcome) {
    note_success(asked);
  } else {
    note_failure(asked, outcome.error());
  }
  ended.wake_all();
}

void Metadata::State::note_success(const Question& asked) {
  failures = 0;
  last_error.reset();
  succeeded_at = now();
  not_before = {};
  if (asked.is_full) full_success = asked.number;
  not_again_before = now() + pace.next();
}

void Metadata::State::note_failure(const Question& asked, const ClientError& error) {
  ++failures;
  last_error = error;
  last_failed = asked.number;
  // What was not learnt is asked for again.
  if (asked.is_full) {
    is_invalid = true;
  } else {
    for (const std::string& name : asked.topics) {
      if (wanted.contains(name)) fresh.insert(name);
    }
  }
  not_before = now() + std::max(pace.next(), pause_after_failure_min);
  logger.info("the cluster's brokers are not known better now: {}", to_string(error));
  const bool is_long = now() - succeeded_at >= settings.rebootstrap_trigger;
  if (settings.recovery == RecoveryStrategy::rebootstrap && is_long) {
    brokers.rebootstrap();
  }
}

ClientResult<void> Metadata::State::apply(const Question& asked, const MetadataResponse& answer,
                                          BrokerId from) {
  const ErrorCode code = protocol::error_code_from(answer.error_code);
  if (code == ErrorCode::rebootstrap_required) {
    brokers.rebootstrap();
    ClientError error = broker_error(code, from, "the bootstrap servers are to be asked again");
    error.retriable = true;
    return failure(std::move(error));
  }
  if (code != ErrorCode::none) {
    return failure(broker_error(code, from, "the broker tells nothing of the cluster"));
  }
  std::vector<BrokerView> named = brokers_of(answer);
  if (named.empty()) {
    return failure(client_error(Failure::unknown_broker, "the answer named no broker",
                                Persistence::not_persisted, from));
  }
  const auto before = current();
  auto picture = std::make_shared<ClusterView>(*before);
  picture->cluster_id = std::string(answer.cluster_id);
  picture->controller = BrokerId(answer.controller_id);
  picture->refreshed = now();
  picture->set_brokers(std::move(named));
  const bool has_changed = take_topics(asked, answer, *before, *picture);
  tell_brokers(*picture);
  if (has_changed) pace.reset();
  publish(std::move(picture));
  return {};
}

bool Metadata::State::take_topics(const Question& asked, const MetadataResponse& answer,
                                  const ClusterView& before, ClusterView& picture) {
  bool has_changed = false;
  if (asked.is_full) {
    picture.clear_topics();
  } else {
    for (const std::string& name : asked.topics) picture.remove_topic(name);
  }
  for (const auto& topic : answer.topics) {
    if (topic.name.empty()) continue;
    const auto good = last_good.find(topic.name);
    auto merged = merged_topic(topic, good == last_good.end() ? nullptr : good->second.get());
    const auto same = before.topics().find(topic.name);
    if (same != before.topics().end() && *same->second == *merged) {
      merged = same->second;
    } else {
      has_changed = true;
    }
    if (merged->error == ErrorCode::none) last_good[merged->name] = merged;
    picture.set_topic(std::move(merged));
  }
  if (asked.is_for_all) {
    std::erase_if(last_good, [&](const auto& entry) {
      return picture.find(entry.first) == nullptr && !wanted.contains(entry.first);
    });
  }
  return has_changed;
}

void Metadata::State::tell_brokers(const ClusterView& picture) {
  std::vector<BrokerEndpoint> endpoints;
  for (const BrokerView& broker : picture.brokers()) {
    endpoints.push_back({broker.id, broker.address});
  }
  brokers.update(endpoints);
}

void Metadata::State::want(std::string_view topic) {
  const auto known = wanted.find(topic);
  if (known != wanted.end()) {
    known->second = now();
    return;
  }
  const std::string name(topic);
  wanted.emplace(name, now());
  ++want_generation;
  if (current()->find(topic) == nullptr) fresh.insert(name);
  nudge();
}

bool Metadata::State::is_asked(std::string_view topic) const {
  if (fresh.contains(topic)) return true;
  return under_way && (under_way->is_for_all ||
                       std::ranges::find(under_way->topics, topic) != under_way->topics.end());
}

ClientError Metadata::State::late(Failure kind, std::string sentence) const {
  if (last_error && !last_error->retriable) return *last_error;
  if (last_error) {
    sentence += formatted("; asking brokers failed {} times, last with {}", failures,
                          to_string(*last_error));
  }
  return client_error(kind, std::move(sentence));
}

}  // namespace millrace::client
