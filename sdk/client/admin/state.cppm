// What the calls of an administrative client have in common. Inside this module only.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.admin:state;

import millrace.base;
import millrace.client.core;
import millrace.protocol;
import millrace.runtime;
import millrace.runtime.streams;
import :admin_client;
import :rounds;
import :types;

namespace millrace::client {

using protocol::Array;

// What a Metadata answer says of a topic.
struct SeenTopic {
  ErrorCode error = ErrorCode::none;
  DescribedTopic topic;
};
using SeenTopics = std::map<std::string, SeenTopic, std::less<>>;

struct AdminClient::State {
  State(const AdminSettings& s, Executor& e, Network& n, Resolver& r, const Logger& log, Random rnd)
      : settings(s), executor(e), random(rnd), brokers(e, n, r, settings.common, log, rnd) {}

  [[nodiscard]] MonotonicTime deadline_of(const AdminOptions& options) const {
    return executor.clock().now() + options.timeout.value_or(settings.default_api_timeout);
  }
  [[nodiscard]] RoundsOptions rounds(MonotonicTime deadline) {
    return {executor, deadline, settings.retries,
            Backoff(settings.common.retry_range(), Random(random.next()))};
  }
  // Whether what nobody knows may become known yet, in a call that began then.
  [[nodiscard]] bool is_patient(MonotonicTime begun) const {
    return executor.clock().now() < begun + unknown_topic_patience;
  }
  // What a broker is given for its work: no longer than we wait for its answer.
  [[nodiscard]] std::int32_t milliseconds_until(MonotonicTime deadline) const;

  // To the broker, or to any.
  template <class Request>
  [[nodiscard]] Task<ClientResult<Reply<AnswerOf<Request>>>> send(BrokerId broker,
                                                                  const Request& request,
                                                                  CallOptions options) {
    if (broker == no_broker) co_return co_await brokers.call_any(request, options);
    co_return co_await brokers.call(broker, request, options);
  }

  // Asks any broker about the topics; none: about all. Notes brokers and controller. One try.
  [[nodiscard]] Task<ClientResult<SeenTopics>> look(std::optional<std::vector<std::string>> topics,
                                                    MonotonicTime deadline);
  // The same until it works.
  [[nodiscard]] Task<ClientResult<SeenTopics>> look_until(
      std::optional<std::vector<std::string>> topics, MonotonicTime deadline);

  // --- cluster.cpp: one question to any broker, until it is answered; `read(reply)` gives the
  // value or an error. ---
  template <class Value, class Request, class Read>
  [[nodiscard]] Task<ClientResult<Value>> ask_any(const Request& request, CallOptions call,
                                                  const Read& read);

  // --- Routes: whom to ask about items. ---
  template <class Key, class Value>
  [[nodiscard]] Task<void> to_controller(Items<Key, Value>& items, MonotonicTime deadline) {
    // In a cluster of today any broker passes on what is for the controller; an older one says
    // that it is not.
    bool was_refused = false;
    for (const auto* const item : items) {
      was_refused |= item->last && (item->last->code == ErrorCode::not_controller ||
                                    item->last->failure != Failure::broker_said);
    }
    if (was_refused || controller == no_broker) {
      const auto looked = co_await look(std::vector<std::string>(), deadline);
      if (!looked) {
        for (auto* const item : items) item->fail(looked.error());
        co_return;
      }
    }
    for (auto* const item : items) item->target = controller;
  }

  // For what is asked of single brokers: makes sure that the cluster's brokers are known.
  template <class Key, class Value>
  [[nodiscard]] Task<void> to_known_brokers(Items<Key, Value>& items, MonotonicTime deadline) {
    auto looked = co_await look(std::vector<std::string>(), deadline);
    if (looked) co_return;
    for (auto* const item : items) item->fail(looked.error());
  }

  // `partition_of(key)` gives the partition.
  template <class Key, class Value, class PartitionOf>
  [[nodiscard]] Task<void> to_leaders(Items<Key, Value>& items, MonotonicTime begun,
                                      MonotonicTime deadline, PartitionOf partition_of) {
    std::vector<std::string> topics;
    for (const auto* const item : items) topics.push_back(partition_of(item->key).topic);
    std::ranges::sort(topics);
    topics.erase(std::ranges::unique(topics).begin(), topics.end());
    const auto looked = co_await look(std::move(topics), deadline);
    const bool patient = is_patient(begun);
    for (auto* const item : items) {
      if (!looked) {
        item->fail(looked.error());
        continue;
      }
      const TopicPartition& partition = partition_of(item->key);
      const ClientResult<BrokerId> leader = leader_of(*looked, partition);
      if (leader) {
        item->target = *leader;
      } else if (leader.error().code == ErrorCode::unknown_topic_or_partition && !patient) {
        item->fail_for_good(leader.error());
      } else {
        item->fail(leader.error());
      }
    }
  }
  [[nodiscard]] static ClientResult<BrokerId> leader_of(const SeenTopics& seen,
                                                        const TopicPartition& partition);

  // One try.
  [[nodiscard]] Task<ClientResult<BrokerId>> find_coordinator(std::string group,
                                                              MonotonicTime deadline);
  // `group_of(key)` gives the name of the group.
  template <class Key, class Value, class GroupOf>
  [[nodiscard]] Task<void> to_coordinators(Items<Key, Value>& items, MonotonicTime deadline,
                                           GroupOf group_of) {
    std::map<std::string, ClientResult<BrokerId>> found;
    for (auto* const item : items) {
      const std::string group = group_of(item->key);
      auto known = found.find(group);
      if (known == found.end()) {
        auto coordinator = co_await find_coordinator(group, deadline);
        known = found.emplace(group, std::move(coordinator)).first;
      }
      if (known->second) {
        item->target = *known->second;
      } else {
        item->fail(known->second.error());
      }
    }
  }

  AdminSettings settings;
  Executor& executor;
  Random random;
  Brokers brokers;
  BrokerId controller = no_broker;
};

// --- From messages and to them. ---

[[nodiscard]] inline std::optional<std::string> owned(protocol::String text) {
  if (text.data() == nullptr) return std::nullopt;
  return std::string(text);
}
template <class T>
[[nodiscard]] Array<T> view_of(const std::vector<T>& items) {
  return Array<T>(std::span<const T>(items));
}
[[nodiscard]] inline protocol::ErrorCode code_of(std::int16_t number) {
  return protocol::error_code_from(number);
}

// The error of an item that a broker refused, in its words where it said any.
[[nodiscard]] inline ClientError refused(std::int16_t number, BrokerId broker,
                                         std::string_view what, protocol::String said = {}) {
  std::string sentence(what);
  if (!said.empty()) sentence += formatted(": {}", said);
  return broker_error(code_of(number), broker, std::move(sentence));
}
// An answer that names too little: what it left out may have been done.
[[nodiscard]] inline ClientError left_out(BrokerId broker, std::string_view what) {
  return client_error(Failure::malformed_answer, formatted("the answer does not tell of {}", what),
                      Persistence::unknown, broker);
}

// Rows by topic: the partitions of one topic together, as requests have them.
template <class Key, class Value, class PartitionOf>
[[nodiscard]] std::map<std::string, Items<Key, Value>> by_topic(const Items<Key, Value>& items,
                                                                PartitionOf partition_of) {
  std::map<std::string, Items<Key, Value>> topics;
  for (auto* const item : items) topics[partition_of(item->key).topic].push_back(item);
  return topics;
}

// The row of a partition in an answer that has partitions below topics; null: there is none.
template <class Topic>
[[nodiscard]] auto find_row(const Array<Topic>& topics, const TopicPartition& partition)
    -> decltype(topics[0].partitions.begin()) {
  for (const Topic& topic : topics) {
    if (topic.name != partition.topic) continue;
    for (const auto& row : topic.partitions) {
      if (row.partition_index == partition.partition.value()) return &row;
    }
  }
  return nullptr;
}

}  // namespace millrace::client
