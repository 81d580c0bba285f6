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
#include <type_traits>
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

// Of which things FindCoordinator is asked; the numbers are Kafka's.
enum class CoordinatorOf : std::int8_t { group = 0, transaction = 1 };

enum class Whom : std::uint8_t { any, controller };

// From here on DescribeCluster is asked for brokers or for controllers.
inline constexpr std::int16_t endpoint_types_from = 1;

// Whether a broker that the cluster does not have (any more) is an error, or has nothing to tell.
enum class GoneBroker : std::uint8_t { is_an_error, has_nothing };

struct AdminClient::State {
  State(const AdminSettings& s, Executor& e, Network& n, Resolver& r, const Logger& log, Random rnd)
      : settings(s),
        executor(e),
        random(rnd),
        brokers(e, n, r, settings.common, log, rnd),
        pauses(e) {}

  [[nodiscard]] MonotonicTime deadline_of(const AdminOptions& options) const {
    return executor.clock().now() + options.timeout.value_or(settings.default_api_timeout);
  }
  [[nodiscard]] RoundsOptions rounds(MonotonicTime deadline) {
    return {executor, pauses, deadline, settings.retries,
            Backoff(settings.common.retry_range(), Random(random.next()))};
  }
  // Whether what nobody knows may become known yet, in a call that began then.
  [[nodiscard]] bool is_patient(MonotonicTime begun) const {
    return executor.clock().now() < begun + unknown_topic_patience;
  }
  // What a broker is given for its work: no longer than we wait for its answer.
  [[nodiscard]] std::int32_t milliseconds_until(MonotonicTime deadline) const;

  // To the broker, or to any; of controllers only the active one knows everything.
  template <class Request>
  [[nodiscard]] Task<ClientResult<Reply<AnswerOf<Request>>>> send(BrokerId broker,
                                                                  const Request& request,
                                                                  CallOptions options) {
    if (broker == no_broker && settings.asks_controllers) {
      const auto looked = co_await look_at_controllers(options.deadline);
      if (!looked) co_return failure(looked.error());
      broker = controller;
    }
    if (broker == no_broker) {
      co_return explained(co_await brokers.call_any(request, options), Request::api_key, options);
    }
    co_return explained(co_await brokers.call(broker, request, options), Request::api_key, options);
  }
  // Says of what a broker does not speak that it does not support it.
  template <class T>
  [[nodiscard]] ClientResult<T> explained(ClientResult<T> reply, protocol::ApiKey api,
                                          const CallOptions& options) const {
    if (!reply && reply.error().failure == Failure::unsupported_version) {
      reply.error().message = not_supported(api, options);
    }
    return reply;
  }
  [[nodiscard]] std::string not_supported(protocol::ApiKey api, const CallOptions& options) const;

  // Asks any broker about the topics; none: about all. Notes brokers and controller. One try.
  [[nodiscard]] Task<ClientResult<SeenTopics>> look(std::optional<std::vector<std::string>> topics,
                                                    MonotonicTime deadline,
                                                    bool authorized_operations = false);
  // Asks any controller for all of them; fails where none is active. Notes them as brokers.
  [[nodiscard]] Task<ClientResult<void>> look_at_controllers(MonotonicTime deadline);
  // look() until it works.
  [[nodiscard]] Task<ClientResult<SeenTopics>> look_until(
      std::optional<std::vector<std::string>> topics, MonotonicTime deadline);

  // One question, until it is answered; `read(reply)` gives the value or an error.
  template <class Value, class Request, class Read>
  [[nodiscard]] Task<ClientResult<Value>> ask_one(Whom whom, const Request& request,
                                                  CallOptions call, const Read& read) {
    using Open = Items<int, Value>;
    const auto route = [&](Open& items) -> Task<void> {
      if (whom == Whom::controller) co_await to_controller(items, call.deadline);
    };
    const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
      auto reply = co_await send(broker, request, call);
      if (!reply) co_return failure(std::move(reply.error()));
      ClientResult<Value> value = read(*reply);
      if (!value) co_return failure(std::move(value.error()));
      if constexpr (std::is_void_v<Value>) {
        items.front()->settle();
      } else {
        items.front()->settle(*std::move(value));
      }
      co_return ClientResult<void>();
    };
    auto outcomes =
        co_await in_rounds<int, Value>(std::vector<int>{0}, rounds(call.deadline), route, ask);
    co_return std::move(outcomes.front().second);
  }

  // Asks each of the brokers by itself; `ask(broker)` gives a Task<ClientResult<Value>>.
  template <class Value, class Ask>
  [[nodiscard]] Task<Outcomes<BrokerId, Value>> ask_brokers(std::vector<BrokerId> asked,
                                                            GoneBroker gone, MonotonicTime deadline,
                                                            const Ask& ask) {
    using Open = Items<BrokerId, Value>;
    const auto route = [&](Open& items) { return to_named_brokers(items, gone, deadline); };
    const auto ask_one_broker = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
      ClientResult<Value> value = co_await ask(broker);
      if (!value) co_return failure(std::move(value.error()));
      for (auto* const item : items) item->settle(*value);
      co_return ClientResult<void>();
    };
    co_return co_await in_rounds<BrokerId, Value>(std::move(asked), rounds(deadline), route,
                                                  ask_one_broker);
  }
  // The brokers that are there. Asks until it knows.
  [[nodiscard]] Task<ClientResult<std::vector<BrokerId>>> all_brokers(MonotonicTime deadline);

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

  // Each item to the broker that is its key.
  template <class Value>
  [[nodiscard]] Task<void> to_named_brokers(Items<BrokerId, Value>& items, GoneBroker gone,
                                            MonotonicTime deadline) {
    co_await to_known_brokers(items, deadline);
    for (auto* const item : items) {
      item->target = item->key;
      if (item->failed_this_round || brokers.knows(item->key)) continue;
      if constexpr (!std::is_void_v<Value>) {
        if (gone == GoneBroker::has_nothing) {
          item->settle();
          continue;
        }
      }
      item->fail_for_good(no_such_broker(item->key));
    }
  }
  [[nodiscard]] static ClientError no_such_broker(BrokerId broker);

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
  [[nodiscard]] Task<ClientResult<BrokerId>> find_coordinator(CoordinatorOf of, std::string name,
                                                              MonotonicTime deadline);
  // `group_of(key)` gives the name of the group, or the transactional id.
  template <class Key, class Value, class GroupOf>
  [[nodiscard]] Task<void> to_coordinators(Items<Key, Value>& items, MonotonicTime deadline,
                                           GroupOf group_of,
                                           CoordinatorOf of = CoordinatorOf::group) {
    std::map<std::string, ClientResult<BrokerId>> found;
    for (auto* const item : items) {
      const std::string group = group_of(item->key);
      auto known = found.find(group);
      if (known == found.end()) {
        auto coordinator = co_await find_coordinator(of, group, deadline);
        known = found.emplace(group, std::move(coordinator)).first;
      }
      if (known->second) {
        item->target = *known->second;
      } else {
        item->fail(known->second.error());
      }
    }
  }

  // Whom DescribeCluster shall tell of.
  [[nodiscard]] std::int8_t endpoint_type() const { return settings.asks_controllers ? 2 : 1; }
  // Of an answer about the cluster.
  void note(const std::vector<BrokerEndpoint>& endpoints, BrokerId active);

  AdminSettings settings;
  Executor& executor;
  Random random;
  Brokers brokers;
  Pauses pauses;
  std::optional<Uuid> client_instance_id;  // that a broker gave
  BrokerId controller = no_broker;
  std::vector<BrokerId> present;  // as the last look told
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

// Settles an item by its row in an answer: `use(row)` where it has no error. Null: there is none.
template <class Item, class Row, class Use>
void settle_by(Item& item, const Row* row, BrokerId broker, std::string_view what, Use use) {
  if (row == nullptr) {
    item.fail(left_out(broker, what));
  } else if (code_of(row->error_code) == ErrorCode::none) {
    use(*row);
  } else if constexpr (requires { row->error_message; }) {
    item.fail(refused(row->error_code, broker, what, row->error_message));
  } else {
    item.fail(refused(row->error_code, broker, what));
  }
}
// The row of a place, or of a name; null: there is none.
template <class Row>
[[nodiscard]] const Row* row_at(const Array<Row>& rows, std::size_t place) {
  return place < rows.size() ? &rows[place] : nullptr;
}
template <class Row>
[[nodiscard]] const Row* row_named(const Array<Row>& rows, protocol::String name,
                                   protocol::String Row::* field) {
  const auto row = std::ranges::find(rows, name, field);
  return row == rows.end() ? nullptr : &*row;
}

// The operations whose bits are set; none where the broker did not tell.
[[nodiscard]] AuthorizedOperations operations_of(std::int32_t bits);

// What a broker says of one topic.
[[nodiscard]] SeenTopic seen_topic(const protocol::MetadataResponse::MetadataResponseTopic& in);

[[nodiscard]] std::vector<BrokerId> broker_ids(const Array<std::int32_t>& numbers);
[[nodiscard]] std::vector<protocol::String> views_of(const std::vector<std::string>& texts);
[[nodiscard]] std::vector<std::string> texts_of(const Array<protocol::String>& views);
[[nodiscard]] std::string named_group(const std::string& group);

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
