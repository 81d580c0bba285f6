#include "world.hpp"

#include <algorithm>
#include <cstdio>

namespace millrace::raft::sim {
namespace {

// Small limits, so that runs of a few seconds meet all of them.
Options options_for(std::uint64_t seed) {
  Options options;
  options.heartbeat_interval = std::chrono::milliseconds{100};
  options.election_timeout_min = std::chrono::milliseconds{400};
  options.resend_after = std::chrono::milliseconds{150};
  options.seed = seed;
  options.append_bytes_max = 200;
  options.inflight_messages_max = 4;
  options.inflight_bytes_max = 600;
  options.entry_bytes_max = 100;
  options.uncommitted_bytes_max = 4000;
  options.snapshot_chunk_bytes_max = 10;
  options.entries_kept = 4;
  options.learner_lag_max = 8;
  return options;
}

std::string saved(const MachineState& state) {
  return formatted("{:020} {:020}", state.applied, state.digest);
}

MachineState loaded(const std::string& data) {
  if (data.empty()) return {};
  return {LogIndex{std::stoll(data.substr(0, 20))}, std::stoull(data.substr(21))};
}

std::vector<NodeId> first_nodes(std::size_t count) {
  std::vector<NodeId> nodes;
  for (std::size_t i = 0; i < count; ++i) nodes.emplace_back(static_cast<std::int32_t>(i));
  return nodes;
}

std::string described(const Message& message) {
  static constexpr const char* names[] = {"a pre-vote request",
                                          "a pre-vote answer",
                                          "a vote request",
                                          "a vote answer",
                                          "entries",
                                          "an answer to entries",
                                          "a heartbeat",
                                          "an answer to a heartbeat",
                                          "part of a snapshot",
                                          "an answer to a part",
                                          "the request to stand"};
  static_assert(std::size(names) == std::variant_size_v<MessageBody>);
  std::string text =
      formatted("{} from {} in term {}", names[message.body.index()], message.from, message.term);
  if (const auto* request = std::get_if<AppendRequest>(&message.body)) {
    text += formatted(": {} after {}", request->entries.size(), request->previous.index);
  } else if (const auto* answer = std::get_if<AppendAnswer>(&message.body)) {
    text += answer->accepted ? formatted(": up to {}", answer->match)
                             : formatted(": not after {}", answer->rejected);
  } else if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    text += formatted(": {} from {} of {}", chunk->size, chunk->offset, chunk->meta.last.index);
  } else if (const auto* part = std::get_if<SnapshotAnswer>(&message.body)) {
    text += formatted(": {} of {}", part->received, part->index);
  }
  return text;
}

}  // namespace

std::string Coverage::text() const {
  std::string text;
  const auto add = [&text](const char* what, std::uint64_t count) {
    text += formatted("{} {}, ", count, what);
  };
  add("runs", runs);
  add("steps", steps);
  add("elections", elections);
  add("entries committed", committed);
  add("crashes", crashes);
  add("crashes between effects", crashes_between_effects);
  add("partitions", partitions);
  add("messages lost", messages_lost);
  add("messages doubled", messages_doubled);
  add("membership changes", membership_changes);
  add("transfers", transfers);
  add("snapshots saved", snapshots_saved);
  add("snapshots installed", snapshots_installed);
  add("tails cut off", tails_cut);
  add("reads", reads);
  return text + formatted("{} entries observed\n", observed);
}

World::World(std::uint64_t seed, std::size_t machines, std::size_t voters, Coverage& coverage,
             bool trace)
    : random_(seed),
      coverage_(coverage),
      trace_(trace),
      reference_(Membership(first_nodes(voters))) {
  for (const NodeId id : first_nodes(machines)) {
    const bool voter = static_cast<std::size_t>(id.value()) < voters;
    machines_.emplace_back(id, voter ? Membership(first_nodes(voters)) : Membership());
    machines_.back().clock_rate = static_cast<double>(random_.between(85, 115)) / 100;
  }
  for (Machine& machine : machines_) start(machine);
}

void World::trace(const std::string& line) const {
  if (trace_) std::puts(formatted("{} us: {}", now_.count() / 1000, line).c_str());
}

void World::after(Duration delay, std::function<void()> action) {
  queue_.push({now_ + delay, ++actions_, std::move(action)});
}

void World::run_until(Duration time) {
  while (!broken() && !queue_.empty() && queue_.top().time <= time) {
    now_ = queue_.top().time;
    const auto action = queue_.top().run;
    queue_.pop();
    action();
  }
  now_ = std::max(now_, time);
}

MonotonicTime World::clock_of(const Machine& machine) const {
  const auto local = static_cast<double>(now_.count()) * machine.clock_rate;
  return MonotonicTime{Duration{static_cast<std::int64_t>(local)}};
}

Machine* World::leader() {
  Machine* found = nullptr;
  for (Machine& machine : machines_) {
    if (!machine.node || machine.node->role() != Role::leader) continue;
    if (found == nullptr || machine.node->term() > found->node->term()) found = &machine;
  }
  return found;
}

void World::start(Machine& machine) {
  trace(formatted("{} starts", machine.id));
  ++machine.incarnation;
  machine.syncing = false;
  machine.parts.clear();
  Recovered recovered = machine.disk.recover();
  reference_.check_restart(machine.id, recovered.hard_state);
  machine.node = std::make_unique<Node>(machine.id, options_for(random_.next()),
                                        std::move(recovered), clock_of(machine));
  restore(machine);
  step(machine, TimerExpired{});
}

void World::crash(Machine& machine) {
  if (!machine.node) return;
  trace(formatted("{} crashes", machine.id));
  ++coverage_.crashes;
  machine.node.reset();
  ++machine.incarnation;
  machine.disk.crash(random_);
}

void World::restore(Machine& machine) {
  machine.state = loaded(machine.disk.snapshot().data);
  reference_.check_applied(machine.id, machine.state);
}

void World::step(Machine& machine, Event event) {
  if (!machine.node || broken()) return;
  Node& node = *machine.node;
  ++coverage_.steps;
  Before before{node.hard_state(), node.role(), node.commit()};
  const LogIndex last = node.log().last().index;
  if (const auto* received = std::get_if<Received>(&event)) {
    if (trace_) trace(formatted("{} gets {}", machine.id, described(received->message)));
    before.pre_vote_request = std::holds_alternative<PreVoteRequest>(received->message.body);
  }
  Effects effects = node.step(std::move(event), clock_of(machine));
  if (trace_ && (node.role() != before.role || node.term() != before.hard_state.term)) {
    trace(formatted("{} is {} in term {}", machine.id, node.role(), node.term()));
  }
  if (effects.write && !effects.write->entries.empty() &&
      effects.write->entries.front().index <= last) {
    ++coverage_.tails_cut;
  }
  reference_.check_step(before, node, effects, machine.first, [this](NodeId id, LogPosition at) {
    return this->machine(id).disk.holds(at);
  });
  carry_out(machine, std::move(effects));
}

bool World::crashes_here(Machine& machine) {
  if (!random_.chance(weather_.crash_between_effects)) return false;
  ++coverage_.crashes_between_effects;
  crash(machine);
  after(Duration{random_.between(0, 1'000'000'000)}, [this, &machine] {
    if (!machine.node) start(machine);
  });
  return true;
}

void World::carry_out(Machine& machine, Effects effects) {
  set_timer(machine, effects.deadline);
  if (effects.snapshot_part) {
    const SnapshotPart& part = *effects.snapshot_part;
    if (part.offset == 0) machine.parts.clear();
    if (part.offset != machine.parts.size()) reference_.fail("a part of a snapshot is missing");
    machine.parts += as_text(part.data.bytes());
  }
  if (crashes_here(machine)) return;
  if (effects.write) {
    if (effects.write->install) {
      reference_.check_snapshot(machine.id, *effects.write->install);
      ++coverage_.snapshots_installed;
    }
    machine.disk.submit(*effects.write, machine.parts);
    begin_sync(machine);
  }
  for (Message& message : effects.messages) {
    if (crashes_here(machine)) return;
    send(std::move(message));
  }
  if (effects.restore) restore(machine);
  for (const Entry& entry : effects.committed) {
    if (entry.index != machine.state.applied.next()) {
      reference_.fail(
          formatted("node {} applies {} after {}", machine.id, entry.index, machine.state.applied));
    }
    apply(machine.state, entry);
    reference_.check_applied(machine.id, machine.state);
  }
  answer_reads(machine, effects.reads);
  if (effects.compact_through) machine.disk.compact_through(*effects.compact_through);
}

void World::begin_sync(Machine& machine) {
  if (machine.syncing || !machine.disk.busy()) return;
  machine.syncing = true;
  const std::int64_t longest = weather_.sync_max.count() * (machine.slow ? 20 : 1);
  after(Duration{random_.between(0, longest)}, [this, &machine, incarnation = machine.incarnation] {
    if (machine.incarnation != incarnation) return;
    machine.syncing = false;
    Event event = machine.disk.sync_first();
    begin_sync(machine);
    step(machine, std::move(event));
  });
}

void World::set_timer(Machine& machine, MonotonicTime deadline) {
  const auto local = static_cast<double>(deadline.time_since_epoch().count());
  const Duration due{static_cast<std::int64_t>(local / machine.clock_rate) + 1};
  after(std::max(due - now_, Duration{1}),
        [this, &machine, timer = ++machine.timer, incarnation = machine.incarnation] {
          if (machine.incarnation == incarnation && machine.timer == timer) {
            step(machine, TimerExpired{});
          }
        });
}

void World::send(Message message) {
  reference_.check_sent(message);
  if (auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    const SavedSnapshot& snapshot = machine(message.from).disk.snapshot();
    if (snapshot.meta != chunk->meta) return;
    chunk->data = Payload(std::string_view(snapshot.data).substr(chunk->offset, chunk->size));
  }
  if (cut_.contains({message.from, message.to}) || random_.chance(weather_.loss)) {
    ++coverage_.messages_lost;
    return;
  }
  if (random_.chance(weather_.duplicate)) {
    ++coverage_.messages_doubled;
    carry(message);
  }
  carry(message);
}

void World::carry(const Message& message) {
  after(Duration{random_.between(100'000, weather_.delay_max.count())}, [this, message] {
    if (!cut_.contains({message.from, message.to})) {
      step(machine(message.to), Received{message});
    }
  });
}

void World::propose(Machine& machine) {
  step(machine, Propose{Payload(formatted("command {}", ++proposals_))});
}

void World::read(Machine& machine) {
  const ReadId id{++read_ids_};
  reads_.emplace(id, reference_.committed());
  step(machine, Read{id});
}

void World::answer_reads(Machine& machine, const std::vector<ReadAnswer>& answers) {
  for (const ReadAnswer& answer : answers) {
    const auto asked = reads_.extract(answer.id);
    if (asked.empty()) reference_.fail(formatted("read {} is answered twice", answer.id));
    if (asked.empty() || !answer.index) continue;
    ++coverage_.reads;
    reference_.check_read(machine.id, asked.mapped(), *answer.index);
    reference_.check_read(machine.id, *answer.index, machine.state.applied);
  }
}

void World::snapshot(Machine& machine) {
  if (!machine.node) return;
  const std::string data = saved(machine.state);
  const auto meta = machine.node->describe_snapshot(data.size());
  if (!meta) return;
  reference_.check_snapshot(machine.id, *meta);
  ++coverage_.snapshots_saved;
  machine.disk.submit(SavedSnapshot{*meta, data});
  begin_sync(machine);
}

void World::observe(Machine& machine) {
  if (!machine.node) return;
  const CommittedEntries committed = machine.node->committed_from(observer_.applied.next(), 300);
  // It may be saved by now, or not be durable yet: then the observer asks again.
  if (committed.snapshot && *committed.snapshot == machine.disk.snapshot().meta) {
    observer_ = loaded(machine.disk.snapshot().data);
  }
  for (const Entry& entry : committed.entries) {
    apply(observer_, entry);
    ++coverage_.observed;
  }
  reference_.check_applied(no_node, observer_);
}

}  // namespace millrace::raft::sim
