#include "trial.hpp"

#include <algorithm>

namespace millrace::raft::sim {
namespace {

using std::chrono::milliseconds;

constexpr Duration stormy = std::chrono::seconds{6};
// After the last fault: some elections, each within two timeouts, and what is behind catches up.
constexpr Duration settled_within = std::chrono::seconds{12};
constexpr std::size_t machines_max = 7;
constexpr std::size_t voters_max = 5;

class Trial {
 public:
  Trial(std::uint64_t seed, Coverage& coverage, bool trace)
      : choice_(seed ^ 0x5EED),
        voters_(1 + choice_.below(voters_max)),
        machines_(voters_ + choice_.below(machines_max - voters_ + 1)),
        world_(seed, machines_, voters_, coverage, trace) {}

  std::optional<std::string> run() {
    draw_weather();
    every(milliseconds{30}, [this] { work(); });
    every(milliseconds{250}, [this] { harm(); });
    every(milliseconds{200}, [this] { administer(); });
    world_.run_until(stormy);
    storm_ends();
    settle();
    Coverage& coverage = world_.coverage();
    ++coverage.runs;
    coverage.elections += world_.reference().elections();
    coverage.committed += static_cast<std::uint64_t>(world_.reference().committed().value());
    coverage.membership_changes += world_.reference().membership_changes();
    return world_.reference().problem();
  }

 private:
  // Again and again while the storm lasts, at uneven times.
  void every(Duration period, std::function<void()> action) {
    const Duration delay{choice_.between(1, 2 * period.count())};
    if (world_.now() + delay >= stormy) return;
    world_.after(delay, [this, period, action] {
      action();
      every(period, action);
    });
  }

  Machine& any() { return world_.machines()[choice_.below(world_.machines().size())]; }
  // Mostly one that leads, or believes that it does.
  Machine& likely_leader() {
    std::vector<Machine*> leaders;
    for (Machine& machine : world_.machines()) {
      if (machine.node && machine.node->role() == Role::leader) leaders.push_back(&machine);
    }
    return leaders.empty() || choice_.chance(0.05) ? any()
                                                   : *leaders[choice_.below(leaders.size())];
  }

  void draw_weather() {
    Weather& weather = world_.weather();
    const bool bad = choice_.chance(0.5);
    weather.loss = bad ? 0.15 : 0.01;
    weather.duplicate = bad ? 0.1 : 0.01;
    weather.delay_max = milliseconds{choice_.chance(0.4) ? 120 : 10};
    weather.sync_max = milliseconds{choice_.chance(0.4) ? 60 : 5};
    weather.crash_between_effects = choice_.chance(0.5) ? 0.0015 : 0;
  }

  void work() {
    const std::uint64_t burst = choice_.chance(0.1) ? 10 : 1;
    for (std::uint64_t i = 0; i < burst; ++i) world_.propose(likely_leader());
    if (choice_.chance(0.5)) world_.read(likely_leader());
    if (choice_.chance(0.3)) world_.snapshot(any());
    if (choice_.chance(0.5)) world_.observe(any());
  }

  void harm() {
    switch (choice_.below(6)) {
      case 0:
        crash_and_restart(any());
        break;
      case 1:
        crash_and_restart(likely_leader());
        break;
      case 2:
        isolate(choice_.chance(0.6) ? likely_leader() : any(), choice_.below(3));
        break;
      case 3:
        divide();
        break;
      case 4:
        any().slow ^= true;
        break;
      case 5:
        if (choice_.chance(0.2)) crash_all();
        break;
    }
  }

  void crash_and_restart(Machine& machine) {
    world_.crash(machine);
    const Duration down{choice_.between(0, Duration(milliseconds{800}).count())};
    world_.after(down, [this, &machine] {
      if (!machine.node) world_.start(machine);
    });
  }

  void crash_all() {
    for (Machine& machine : world_.machines()) crash_and_restart(machine);
  }

  // 0: neither hears nor is heard, 1: is not heard, 2: does not hear.
  void isolate(const Machine& machine, std::uint64_t direction) {
    std::set<std::pair<NodeId, NodeId>> links;
    for (const Machine& other : world_.machines()) {
      if (direction != 2) links.emplace(machine.id, other.id);
      if (direction != 1) links.emplace(other.id, machine.id);
    }
    cut(std::move(links));
  }

  void divide() {
    std::vector<bool> left;
    for (std::size_t i = 0; i < world_.machines().size(); ++i) left.push_back(choice_.chance(0.5));
    const auto side = [&left](NodeId id) { return left[static_cast<std::size_t>(id.value())]; };
    std::set<std::pair<NodeId, NodeId>> links;
    for (const Machine& from : world_.machines()) {
      for (const Machine& to : world_.machines()) {
        if (side(from.id) != side(to.id)) links.emplace(from.id, to.id);
      }
    }
    cut(std::move(links));
  }

  void cut(std::set<std::pair<NodeId, NodeId>> links) {
    world_.trace("links are cut");
    ++world_.coverage().partitions;
    world_.cut_links() = std::move(links);
    world_.after(Duration{choice_.between(0, Duration(milliseconds{2000}).count())},
                 [this] { world_.cut_links().clear(); });
  }

  void administer() {
    Machine& machine = likely_leader();
    if (!machine.node) return;
    const NodeId node = any().id;
    if (choice_.chance(0.3)) {
      ++world_.coverage().transfers;
      world_.step(machine, TransferLeadership{node});
      return;
    }
    change_members(machine, node);
    // A second one at once must wait for the first.
    if (choice_.chance(0.5)) change_members(machine, any().id);
  }

  void change_members(Machine& machine, NodeId node) {
    if (!machine.node) return;
    const Membership& members = machine.node->membership();
    MembershipChange change{MemberChange::add_learner, node};
    if (members.is_learner(node) && choice_.chance(0.8)) {
      change.change = MemberChange::promote_learner;
    } else if (members.contains(node)) {
      change.change = MemberChange::remove;
      // Groups should not wither.
      if (members.voters().size() <= 2 && choice_.chance(0.8)) return;
    }
    world_.step(machine, ChangeMembership{change});
  }

  void storm_ends() {
    world_.trace("the storm ends");
    world_.weather() = Weather{};
    world_.cut_links().clear();
    for (Machine& machine : world_.machines()) {
      machine.slow = false;
      if (!machine.node) world_.start(machine);
    }
  }

  // Now there must be a leader, entries must commit, and all members must get them.
  void settle() {
    const Duration end = world_.now() + settled_within;
    std::uint64_t proposed = 0;
    LogIndex wanted;
    Term term;
    while (!world_.broken() && world_.now() < end) {
      world_.run_until(world_.now() + milliseconds{100});
      Machine* leader = world_.leader();
      if (leader == nullptr || world_.broken()) continue;
      if (leader->node->term() != term) {
        // What an earlier leader took may be lost.
        term = leader->node->term();
        proposed = 0;
        wanted = LogIndex{};
      }
      if (proposed < 5) {
        world_.propose(*leader);
        world_.read(*leader);
        ++proposed;
        wanted = std::max(wanted, leader->node->log().last().index);
      } else if (converged(*leader, wanted)) {
        return;
      }
    }
    if (world_.broken()) return;
    std::string text = world_.leader() == nullptr ? "no leader after the storm"
                                                  : "members do not have what was proposed";
    for (const Machine& machine : world_.machines()) text += described(*machine.node);
    world_.reference().fail(std::move(text));
  }

  static std::string described(const Node& node) {
    return formatted("\n  node {}: {} in term {}, log from {} to {} of term {}, commit {}, {}",
                     node.self(), node.role(), node.term(), node.log().base().index,
                     node.log().last().index, node.log().last().term, node.commit(),
                     to_string(node.membership()));
  }

  bool converged(const Machine& leader, LogIndex wanted) {
    if (leader.node->commit() < wanted) return false;
    for (const Machine& machine : world_.machines()) {
      if (!leader.node->membership().contains(machine.id)) continue;
      if (machine.state.applied < leader.node->commit()) return false;
    }
    return true;
  }

  Random choice_;
  const std::size_t voters_;  // at first
  const std::size_t machines_;
  World world_;
};

}  // namespace

std::optional<std::string> problem_of_run(std::uint64_t seed, Coverage& coverage, bool trace) {
  const auto problem = Trial(seed, coverage, trace).run();
  if (!problem) return std::nullopt;
  return formatted("seed {}: {}", seed, *problem);
}

}  // namespace millrace::raft::sim
