// Trying again, item by item. Inside this module only.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.admin:rounds;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import :types;

namespace millrace::client {

// One thing that was asked for, on its way to its outcome.
template <class Key, class Value>
struct Item {
  Key key;
  std::size_t place = 0;            // in what the caller gave
  std::size_t turn = 0;             // how often the key came before
  BrokerId target = no_broker;      // whom to ask in this round; none: any
  bool failed_this_round = false;   // and may be tried again
  bool may_be_done = false;         // by a try of which nobody told the end
  std::optional<ClientError> last;  // of the failure before
  std::optional<ClientResult<Value>> outcome;

  template <class... Arguments>
  void settle(Arguments&&... value) {
    outcome.emplace(std::forward<Arguments>(value)...);
  }
  void fail(ClientError error) {
    failed_this_round = true;
    may_be_done |= error.persistence == Persistence::unknown;
    last = std::move(error);
    if (!last->retriable) outcome.emplace(failure(*last));
  }
  void fail_for_good(ClientError error) {
    error.retriable = false;
    fail(std::move(error));
  }
};

template <class Key, class Value>
using Items = std::vector<Item<Key, Value>*>;

// Who waits before another try, until the client is closed: then there is nothing to wait for.
struct Pauses {
  explicit Pauses(Executor& executor) : waiting(executor) {}
  void end() {
    are_over = true;
    waiting.wake_all();
  }

  WaitList waiting;
  bool are_over = false;
};

struct RoundsOptions {
  Executor& executor;
  Pauses& pauses;
  MonotonicTime deadline;
  std::int32_t retries;
  Backoff backoff;
};

// In each round `route(items)` says whom to ask about each, and `ask(broker, items)` asks; both are
// coroutines that settle items or let them fail. An error that `ask` gives is that of all its items
// that are not settled. What failed and may be tried again is, until the deadline. `route` and
// `ask` stay where they are until this ends.
template <class Key, class Value, class Route, class Ask>
[[nodiscard]] Task<Outcomes<Key, Value>> in_rounds(std::vector<Key> keys, RoundsOptions options,
                                                   const Route& route, const Ask& ask) {
  const MonotonicTime begun = options.executor.clock().now();
  std::vector<Item<Key, Value>> items;
  std::map<Key, std::size_t> seen;
  for (Key& key : keys) {
    Item<Key, Value>& item = items.emplace_back();
    item.key = std::move(key);
    item.place = items.size() - 1;
    item.turn = seen[item.key]++;
  }
  const auto ask_one = [&ask](BrokerId broker, Items<Key, Value> asked) -> Task<void> {
    const ClientResult<void> asking = co_await ask(broker, asked);
    if (asking) co_return;
    for (auto* const item : asked) {
      if (!item->outcome && !item->failed_this_round) item->fail(asking.error());
    }
  };
  std::int64_t tries = 0;
  for (;;) {
    ++tries;
    Items<Key, Value> open;
    for (Item<Key, Value>& item : items) {
      item.failed_this_round = false;
      item.target = no_broker;
      if (!item.outcome) open.push_back(&item);
    }
    if (open.empty()) break;
    co_await route(open);
    // Brokers refuse a request that names one thing twice.
    std::map<std::pair<BrokerId, std::size_t>, Items<Key, Value>> requests;
    for (auto* const item : open) {
      if (item->outcome || item->failed_this_round) continue;
      requests[{item->target, item->turn}].push_back(item);
    }
    TaskGroup asking;
    for (const auto& [to, asked] : requests) asking.start(ask_one(to.first, asked));
    co_await asking.wait();
    const MonotonicTime next = options.executor.clock().now() + options.backoff.next();
    if (tries <= options.retries && next < options.deadline) {
      bool again = false;
      for (auto* const item : open) again |= !item->outcome;
      if (again && !options.pauses.are_over) {
        static_cast<void>(co_await options.pauses.waiting.wait(next));
      }
      continue;
    }
    const std::chrono::duration<double> passed = options.executor.clock().now() - begun;
    for (auto* const item : open) {
      if (item->outcome) continue;
      ClientError error = item->last ? std::move(*item->last)
                                     : client_error(Failure::timed_out, "no broker was asked");
      error.message +=
          formatted(" ({} {} in {:.1f} s)", tries, tries == 1 ? "try" : "tries", passed.count());
      item->outcome.emplace(failure(std::move(error)));
    }
  }
  Outcomes<Key, Value> outcomes;
  for (Item<Key, Value>& item : items) {
    outcomes.emplace_back(std::move(item.key), std::move(*item.outcome));
  }
  co_return outcomes;
}

}  // namespace millrace::client
