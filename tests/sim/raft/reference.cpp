#include "reference.hpp"

#include <algorithm>
#include <cstddef>
#include <variant>

namespace millrace::raft::sim {

void apply(MachineState& state, const Entry& entry) {
  state.applied = entry.index;
  if (entry.kind != EntryKind::command) return;
  for (const std::byte byte : entry.data.bytes()) {
    state.digest = (state.digest ^ static_cast<std::uint64_t>(byte)) * 0x100000001B3;
  }
  state.digest += static_cast<std::uint64_t>(entry.index.value());
}

Reference::Reference(Membership first) {
  committed_.emplace_back();
  members_.emplace(LogIndex{}, std::move(first));
}

void Reference::fail(std::string problem) {
  if (!problem_) problem_ = std::move(problem);
}

void Reference::check_step(const Before& before, const Node& node, const Effects& effects,
                           const Membership& own_first, const Durable& durable) {
  check_terms(before, node);
  check_entries(before, node, effects);
  check_leader(before, node);
  check_commit(before, node, durable);
  check_followers(node, durable);
  if (effects.write) check_members(node, own_first);
}

void Reference::check_terms(const Before& before, const Node& node) {
  const HardState& now = node.hard_state();
  const HardState& then = before.hard_state;
  if (now.term < then.term) fail(formatted("term of node {} goes back", node.self()));
  if (now.term == then.term && then.vote != no_node && now.vote != then.vote) {
    fail(formatted("node {} votes twice in term {}", node.self(), now.term));
  }
  if (before.pre_vote_request && now != then) {
    fail(formatted("a pre-vote request changes the term or vote of node {}", node.self()));
  }
  if (node.log().last().term > now.term) {
    fail(formatted("node {} in term {} holds an entry of term {}", node.self(), now.term,
                   node.log().last().term));
  }
}

// One leader in a term, and it holds all that is committed.
void Reference::check_leader(const Before& before, const Node& node) {
  if (node.role() != Role::leader || before.role == Role::leader) return;
  const auto [known, first] = leaders_.emplace(node.term(), node.self());
  if (!first) {
    fail(formatted("nodes {} and {} lead in term {}", known->second, node.self(), node.term()));
  }
  const Entry& last = committed_.back().entry;
  if (node.log().base().index < last.index && !node.log().holds(last.position())) {
    fail(formatted("node {} leads in term {} without the committed entry {}", node.self(),
                   node.term(), last.index));
  }
}

// Log matching: an entry is known by index and term, and so is all before it. If each entry is the
// same wherever it appears, and the one before it has the same term, that holds for whole logs.
void Reference::check_entries(const Before& before, const Node& node, const Effects& effects) {
  if (!effects.write) return;
  for (const Entry& entry : effects.write->entries) {
    const auto term_before = node.log().term_at(LogIndex{entry.index.value() - 1});
    if (!term_before || node.log().term_at(entry.index) != entry.term) {
      fail(formatted("node {} writes entry {} that its log does not hold", node.self(),
                     entry.index));
      return;
    }
    const auto [known, first] =
        known_.emplace(std::pair(entry.index, entry.term), Known{entry, *term_before});
    if (known->second.before != *term_before || known->second.entry != entry) {
      fail(formatted("logs differ at entry {} of term {}, in node {}", entry.index, entry.term,
                     node.self()));
    }
    const bool own = node.role() == Role::leader && first && entry.term == node.term();
    if (!own || entry.kind != EntryKind::membership) continue;
    if (node.log().term_at(before.commit) != node.term()) {
      fail(formatted("node {} changes members before an entry of its term is committed",
                     node.self()));
    }
    for (LogIndex i = node.commit().next(); i < entry.index; i = i.next()) {
      if (node.log().at(i).kind != EntryKind::membership) continue;
      fail(formatted("node {} has two uncommitted membership changes", node.self()));
    }
  }
}

const Membership& Reference::members_at(LogIndex index) const {
  return std::prev(members_.upper_bound(index))->second;
}

// The members of a node are those of the last change in its log.
void Reference::check_members(const Node& node, const Membership& own_first) {
  const Log& log = node.log();
  Membership expected = log.base().index == LogIndex{} ? own_first : members_at(log.base().index);
  for (LogIndex index = log.last().index; index > log.base().index;
       index = LogIndex{index.value() - 1}) {
    if (log.at(index).kind != EntryKind::membership) continue;
    if (auto members = Membership::decode(log.at(index).data.bytes())) expected = *members;
    break;
  }
  if (node.membership() != expected) {
    fail(formatted("node {} takes {} for its members, but they are {}", node.self(),
                   to_string(node.membership()), to_string(expected)));
  }
}

// Committed entries never change, and a majority has them on disk.
void Reference::check_commit(const Before& before, const Node& node, const Durable& durable) {
  if (node.commit() < before.commit) fail(formatted("commit of node {} goes back", node.self()));
  const Log& log = node.log();
  if (node.commit() > log.last().index) {
    fail(formatted("node {} commits what it does not have", node.self()));
    return;
  }
  if (node.role() == Role::leader && node.commit() > before.commit &&
      log.term_at(node.commit()) != node.term()) {
    fail(formatted("node {} commits entry {} of an earlier term by counting", node.self(),
                   node.commit()));
  }
  for (LogIndex i = before.commit.next(); i <= node.commit(); i = i.next()) {
    const auto term = log.term_at(i);
    if (!term) continue;  // below a snapshot
    if (i > committed()) {
      if (i == log.base().index) {
        fail(formatted("node {} has a snapshot of what nobody committed", node.self()));
        return;
      }
      committed_.push_back({log.at(i), committed_.back().state});
      apply(committed_.back().state, log.at(i));
      if (log.at(i).kind == EntryKind::membership) {
        if (auto members = Membership::decode(log.at(i).data.bytes())) members_[i] = *members;
      }
      const bool safe =
          node.membership().majority_of([&](NodeId voter) { return durable(voter, {i, *term}); });
      // Entries below the last one are safe by it.
      if (!safe && i == node.commit()) {
        fail(formatted("node {} commits entry {} that no majority has on disk", node.self(), i));
      }
    }
    const Entry& reference = committed_[static_cast<std::size_t>(i.value())].entry;
    if (reference.term != *term || (i > log.base().index && log.at(i) != reference)) {
      fail(formatted("node {} commits another entry {} than was committed", node.self(), i));
    }
  }
}

// What a leader takes for durable at a follower is on its disk; as long as no later leader may have
// replaced it there.
void Reference::check_followers(const Node& node, const Durable& durable) {
  if (node.role() != Role::leader || leaders_.rbegin()->first != node.term()) return;
  for (const auto& [id, progress] : node.followers()) {
    const auto term = node.log().term_at(progress.match());
    if (term && !durable(id, {progress.match(), *term})) {
      fail(formatted("node {} takes entry {} for durable at node {}", node.self(), progress.match(),
                     id));
    }
  }
}

void Reference::check_sent(const Message& message) {
  HardState& promised = promised_[message.from];
  if (message.term > promised.term) promised = {message.term, no_node};
  if (message.term < promised.term) return;
  const auto* answer = std::get_if<VoteAnswer>(&message.body);
  if (answer != nullptr && answer->granted) promised.vote = message.to;
  if (std::holds_alternative<VoteRequest>(message.body)) promised.vote = message.from;
}

void Reference::check_restart(NodeId id, const HardState& recovered) {
  const HardState& promised = promised_[id];
  if (recovered.term < promised.term) {
    fail(formatted("node {} forgets term {} in a crash", id, promised.term));
  } else if (recovered.term == promised.term && promised.vote != no_node &&
             recovered.vote != promised.vote) {
    fail(formatted("node {} forgets its vote in term {} in a crash", id, promised.term));
  }
}

void Reference::check_applied(NodeId id, const MachineState& state) {
  const auto place = static_cast<std::size_t>(state.applied.value());
  if (place >= committed_.size()) {
    fail(formatted("node {} applies entry {} that is not committed", id, state.applied));
  } else if (committed_[place].state != state) {
    fail(formatted("the state of node {} at {} is another one", id, state.applied));
  }
}

void Reference::check_snapshot(NodeId id, const SnapshotMeta& meta) {
  if (meta.last.index > committed()) {
    fail(formatted("node {} has a snapshot of what is not committed", id));
  } else if (meta.membership != members_at(meta.last.index)) {
    fail(formatted("a snapshot at {} of node {} names {} instead of {}", meta.last.index, id,
                   to_string(meta.membership), to_string(members_at(meta.last.index))));
  }
}

void Reference::check_read(NodeId id, LogIndex required, LogIndex answered) {
  if (answered < required) {
    fail(formatted("a read at node {} sees entries up to {}, but {} was committed before it came",
                   id, answered, required));
  }
}

}  // namespace millrace::raft::sim
