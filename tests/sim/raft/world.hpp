// Machines, a network between them, and time: all of a group in one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "disk.hpp"
#include "random.hpp"
#include "reference.hpp"

import millrace.base;
import millrace.raft;

namespace millrace::raft::sim {

// What happened in runs, so that a test can say that its faults took place.
struct Coverage {
  std::uint64_t runs = 0;
  std::uint64_t steps = 0;
  std::uint64_t elections = 0;
  std::uint64_t committed = 0;
  std::uint64_t crashes = 0;
  std::uint64_t crashes_between_effects = 0;
  std::uint64_t partitions = 0;
  std::uint64_t messages_lost = 0;
  std::uint64_t messages_doubled = 0;
  std::uint64_t membership_changes = 0;
  std::uint64_t transfers = 0;
  std::uint64_t snapshots_saved = 0;
  std::uint64_t snapshots_installed = 0;
  std::uint64_t tails_cut = 0;
  std::uint64_t reads = 0;
  std::uint64_t observed = 0;  // entries that an observer fetched

  [[nodiscard]] std::string text() const;
};

// How bad things are, drawn for each run.
struct Weather {
  double loss = 0;
  double duplicate = 0;
  Duration delay_max = std::chrono::milliseconds{5};
  Duration sync_max = std::chrono::milliseconds{5};
  double crash_between_effects = 0;
};

struct Machine {
  Machine(NodeId self, Membership group) : id(self), first(group), disk(std::move(group)) {}

  NodeId id;
  Membership first;  // as the machine was set up
  Disk disk;
  std::unique_ptr<Node> node;  // none while it is down
  MachineState state;
  std::string parts;  // of a snapshot that is being received
  std::uint64_t incarnation = 0;
  std::uint64_t timer = 0;  // the one that counts
  double clock_rate = 1;
  bool slow = false;
  bool syncing = false;
};

class World {
 public:
  World(std::uint64_t seed, std::size_t machines, std::size_t voters, Coverage& coverage,
        bool trace);

  // Runs what is due until then, or until something is wrong.
  void run_until(Duration time);
  [[nodiscard]] Duration now() const { return now_; }
  void after(Duration delay, std::function<void()> action);

  // --- What is done to machines ---
  void start(Machine& machine);
  void crash(Machine& machine);
  void step(Machine& machine, Event event);
  void propose(Machine& machine);
  void read(Machine& machine);
  void snapshot(Machine& machine);
  // A broker that follows what is committed, from whichever node.
  void observe(Machine& machine);

  [[nodiscard]] std::vector<Machine>& machines() { return machines_; }
  [[nodiscard]] Machine& machine(NodeId id) {
    return machines_[static_cast<std::size_t>(id.value())];
  }
  // One that leads, in the highest term; nothing if none does.
  [[nodiscard]] Machine* leader();
  [[nodiscard]] Reference& reference() { return reference_; }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] Weather& weather() { return weather_; }
  [[nodiscard]] Coverage& coverage() { return coverage_; }
  // Links that carry nothing, each in one direction.
  [[nodiscard]] std::set<std::pair<NodeId, NodeId>>& cut_links() { return cut_; }
  [[nodiscard]] bool broken() const { return reference_.problem().has_value(); }
  void trace(const std::string& line) const;

 private:
  struct Action {
    Duration time;
    std::uint64_t number;  // of two at the same time, the earlier one first
    std::function<void()> run;

    friend bool operator<(const Action& left, const Action& right) {
      return std::pair(left.time, left.number) > std::pair(right.time, right.number);
    }
  };

  [[nodiscard]] MonotonicTime clock_of(const Machine& machine) const;
  void carry_out(Machine& machine, Effects effects);
  void send(Message message);
  void carry(const Message& message);
  void begin_sync(Machine& machine);
  void set_timer(Machine& machine, MonotonicTime deadline);
  void restore(Machine& machine);
  void answer_reads(Machine& machine, const std::vector<ReadAnswer>& answers);
  [[nodiscard]] bool crashes_here(Machine& machine);

  Random random_;
  Coverage& coverage_;
  bool trace_;
  Duration now_{};
  std::uint64_t actions_ = 0;
  std::priority_queue<Action> queue_;
  std::vector<Machine> machines_;
  std::set<std::pair<NodeId, NodeId>> cut_;
  Weather weather_;
  Reference reference_;
  std::uint64_t proposals_ = 0;
  std::uint64_t read_ids_ = 0;
  std::map<ReadId, LogIndex> reads_;  // what each must see at least
  MachineState observer_;
};

}  // namespace millrace::raft::sim
