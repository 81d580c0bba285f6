// A few nodes whose messages, disks and time a test moves by hand.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.raft;

namespace millrace::raft {

inline NodeId node_id(int id) {
  return NodeId{id};
}
inline LogIndex at(std::int64_t index) {
  return LogIndex{index};
}

class TestGroup {
 public:
  // Nodes 0 to `voters` - 1 begin the group; `others` more can join it.
  explicit TestGroup(int voters, int others = 0, std::function<void(Options&)> change = {}) {
    std::vector<NodeId> ids;
    for (int id = 0; id < voters; ++id) ids.emplace_back(id);
    for (int id = 0; id < voters + others; ++id) {
      Options options;
      options.seed = static_cast<std::uint64_t>(id);
      if (change) change(options);
      Recovered recovered;
      if (id < voters) recovered.snapshot.membership = Membership(ids);
      nodes_.push_back(std::make_unique<Node>(NodeId{id}, options, std::move(recovered), now_));
    }
    applied.resize(nodes_.size());
    unsynced_.resize(nodes_.size());
  }

  Node& operator[](int id) { return *nodes_[static_cast<std::size_t>(id)]; }

  Effects step(int id, Event event) {
    Effects effects = (*this)[id].step(std::move(event), now_);
    for (const Message& message : effects.messages) in_flight.push_back(message);
    for (const Entry& entry : effects.committed) {
      applied[static_cast<std::size_t>(id)].emplace_back(as_text(entry.data.bytes()));
    }
    for (const ReadAnswer& read : effects.reads) reads.push_back(read);
    if (effects.restore) restored.insert(NodeId{id});
    if (effects.write) {
      unsynced_[static_cast<std::size_t>(id)].push_back(effects.write->number);
      if (!stalled.contains(id)) sync(id);
    }
    return effects;
  }

  // All writes of the node become durable.
  void sync(int id) {
    auto& writes = unsynced_[static_cast<std::size_t>(id)];
    if (writes.empty()) return;
    const WriteNumber last = writes.back();
    writes.clear();
    step(id, Persisted{last});
  }

  // Until no message is under way.
  void deliver() {
    while (!in_flight.empty()) {
      Message message = std::move(in_flight.front());
      in_flight.pop_front();
      if (lost && lost(message)) continue;
      if (auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
        chunk->data = Payload(std::string(chunk->size, 'x'));
      }
      const int to = message.to.value();
      step(to, Received{std::move(message)});
    }
  }

  void elapse(Duration time) {
    constexpr Duration tick = std::chrono::milliseconds{10};
    for (Duration passed{}; passed < time; passed += tick) {
      now_ += tick;
      for (int id = 0; id < static_cast<int>(nodes_.size()); ++id) {
        if (!down.contains(id)) step(id, TimerExpired{});
      }
      deliver();
    }
  }

  // The node's election timeout passes and nobody else's.
  void elect(int id) {
    down.clear();
    for (int other = 0; other < static_cast<int>(nodes_.size()); ++other) {
      if (other != id) down.insert(other);
    }
    elapse(std::chrono::milliseconds{1100});
    down.clear();
  }

  Effects propose(int id, const char* text) {
    Effects effects = step(id, Propose{Payload(text)});
    deliver();
    return effects;
  }

  std::deque<Message> in_flight;
  std::function<bool(const Message&)> lost;
  std::set<int> stalled;  // nodes whose disks do not sync by themselves
  std::set<int> down;     // nodes whose timers do not run
  std::vector<std::vector<std::string>> applied;
  std::vector<ReadAnswer> reads;
  std::set<NodeId> restored;

 private:
  MonotonicTime now_{};
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::vector<WriteNumber>> unsynced_;
};

template <class Body>
int count_of(const std::deque<Message>& messages) {
  int count = 0;
  for (const Message& message : messages) count += std::holds_alternative<Body>(message.body);
  return count;
}

}  // namespace millrace::raft
