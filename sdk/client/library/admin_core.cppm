// millrace.client.bridge.admin: what the parts of the public admin client share.
module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "millrace/admin_options.hpp"
#include "millrace/future.hpp"
#include "millrace/metrics.hpp"
#include "millrace/options.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"
#include "millrace/uuid.hpp"

export module millrace.client.bridge.admin;

import millrace.base;
import millrace.client.bridge;
import millrace.client.core;
import millrace.runtime;
export import millrace.client.admin;

export namespace millrace::client {

// Names that the public types have, too.
using KafkaTime = decltype(QuorumReplica::last_fetch);
using KafkaUuid = decltype(QuorumReplica::directory);

// --- Between public values and those of the modules. ---

[[nodiscard]] AdminOptions inner(const v1::AdminOptions& options);
[[nodiscard]] TopicPartition inner(const v1::TopicPartition& partition);
[[nodiscard]] KafkaUuid inner(const v1::Uuid& uuid);
[[nodiscard]] std::vector<TopicPartition> inner(const std::vector<v1::TopicPartition>& partitions);
[[nodiscard]] std::vector<BrokerId> broker_ids_of(const std::vector<std::int32_t>& numbers);

[[nodiscard]] v1::TopicPartition outer(const TopicPartition& partition);
[[nodiscard]] std::vector<v1::TopicPartition> outer(const std::vector<TopicPartition>& partitions);
[[nodiscard]] v1::Uuid outer(const KafkaUuid& uuid);
[[nodiscard]] std::vector<std::int32_t> outer(const std::vector<BrokerId>& brokers);
[[nodiscard]] std::int32_t outer(BrokerId broker);
[[nodiscard]] std::string outer(std::string text);
// None where there is none.
[[nodiscard]] std::optional<v1::Timestamp> outer_time(KafkaTime timestamp);
[[nodiscard]] std::optional<std::int32_t> outer_epoch(LeaderEpoch epoch);
[[nodiscard]] std::vector<v1::Error> outer_errors(const std::vector<ClientError>& errors);

// `convert(x)` gives the public value of a key or of a value.
template <class To, class Key, class Value, class Convert>
[[nodiscard]] To outer_outcomes(const Outcomes<Key, Value>& outcomes, Convert convert) {
  To converted;
  for (const auto& [key, outcome] : outcomes) {
    if (!outcome) {
      converted.emplace_back(convert(key), public_error(outcome.error()));
    } else if constexpr (std::is_void_v<Value>) {
      converted.emplace_back(convert(key), v1::Result<void>());
    } else {
      converted.emplace_back(convert(key), convert(*outcome));
    }
  }
  return converted;
}

template <class Item, class Convert>
[[nodiscard]] auto outer_list(const std::vector<Item>& items, Convert convert) {
  std::vector<decltype(convert(items.front()))> converted;
  for (const Item& item : items) converted.push_back(convert(item));
  return converted;
}

// What each item is about.
template <class Items, class KeyOf>
[[nodiscard]] auto keys_of(const Items& items, KeyOf key_of) {
  std::vector<std::decay_t<decltype(key_of(*items.begin()))>> keys;
  for (const auto& item : items) keys.push_back(key_of(item));
  return keys;
}

// An administrative client on a thread of its own. Owned by a public Admin; asked from any thread.
class AdminCore {
 public:
  AdminCore(AdminSettings settings, const v1::ClientOptions& options)
      : host_("millrace-admin", options), settings_(std::move(settings)) {}
  ~AdminCore();
  AdminCore(const AdminCore&) = delete;
  AdminCore& operator=(const AdminCore&) = delete;

  [[nodiscard]] std::optional<v1::Error> start();
  [[nodiscard]] bool is_on_own_thread() { return host_.thread().is_own_thread(); }

  // `call(client)` gives a Task<Outcomes<...>>; `keys` is what it names.
  template <class To, class Key, class Call, class Convert>
  v1::Future<To> ask_each(std::vector<Key> keys, Call call, Convert convert) {
    return host_.begin_value<To>(
        [this, call = std::move(call), convert]() mutable -> Task<To> {
          co_return outer_outcomes<To>(co_await call(*client_), convert);
        },
        [keys = std::move(keys)](const ClientError& error) {
          To refused;
          for (const Key& key : keys) refused.emplace_back(key, public_error(error));
          return refused;
        });
  }
  // `call(client)` gives a Task<ClientResult<...>>.
  template <class To, class Call, class Convert>
  v1::Future<v1::Result<To>> ask(Call call, Convert convert) {
    return host_.begin<To>(
        [this, call = std::move(call), convert]() mutable -> Task<ClientResult<To>> {
          auto answer = co_await call(*client_);
          if (!answer) co_return failure(std::move(answer.error()));
          co_return convert(*answer);
        });
  }
  [[nodiscard]] v1::Result<v1::Metrics> metrics();
  // The same where there is nothing to tell but that it was done.
  template <class Call>
  v1::Future<v1::Result<void>> ask_done(Call call) {
    return host_.begin<void>([this, call = std::move(call)]() mutable -> Task<ClientResult<void>> {
      co_return co_await call(*client_);
    });
  }

 private:
  ClientHost host_;
  const AdminSettings settings_;
  std::unique_ptr<AdminClient> client_;
};

}  // namespace millrace::client
