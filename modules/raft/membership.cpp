module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

module millrace.raft;

import millrace.base;

namespace millrace::raft {
namespace {

constexpr std::uint8_t membership_version = 0;

bool found(const std::vector<NodeId>& nodes, NodeId node) {
  return std::binary_search(nodes.begin(), nodes.end(), node);
}

void put(std::vector<std::byte>& bytes, std::int32_t value) {
  bytes.resize(bytes.size() + sizeof value);
  store_big_endian(bytes.data() + bytes.size() - sizeof value, value);
}

void put(std::vector<std::byte>& bytes, const std::vector<NodeId>& nodes) {
  put(bytes, static_cast<std::int32_t>(nodes.size()));
  for (const NodeId node : nodes) put(bytes, node.value());
}

// Ascending ids, each once.
Result<std::vector<NodeId>> take_nodes(ByteReader& reader) {
  const auto count = reader.integer<std::int32_t>();
  if (count < 0 || static_cast<std::size_t>(count) > members_max) {
    return failure(ErrorKind::corrupt, "a membership of an impossible size");
  }
  std::vector<NodeId> nodes;
  for (std::int32_t i = 0; i < count; ++i) {
    const NodeId node{reader.integer<std::int32_t>()};
    if (reader.failed() || node.value() < 0 || (!nodes.empty() && node <= nodes.back())) {
      return failure(ErrorKind::corrupt, "a membership whose nodes are not in order");
    }
    nodes.push_back(node);
  }
  return nodes;
}

}  // namespace

Membership::Membership(std::vector<NodeId> voters, std::vector<NodeId> learners)
    : voters_(std::move(voters)), learners_(std::move(learners)) {
  std::sort(voters_.begin(), voters_.end());
  std::sort(learners_.begin(), learners_.end());
}

bool Membership::is_voter(NodeId node) const {
  return found(voters_, node);
}

bool Membership::is_learner(NodeId node) const {
  return found(learners_, node);
}

bool Membership::majority_of(const std::function<bool(NodeId)>& such) const {
  const auto count = std::count_if(voters_.begin(), voters_.end(), such);
  return static_cast<std::size_t>(count) >= majority();
}

LogIndex Membership::majority_index(const std::function<LogIndex(NodeId)>& reached) const {
  if (voters_.empty()) return LogIndex{};
  std::vector<LogIndex> indexes;
  for (const NodeId voter : voters_) indexes.push_back(reached(voter));
  const auto nth = indexes.begin() + static_cast<std::ptrdiff_t>(majority() - 1);
  std::nth_element(indexes.begin(), nth, indexes.end(), std::greater<>());
  return *nth;
}

Result<Membership> Membership::after(MembershipChange change) const {
  const NodeId node = change.node;
  std::vector<NodeId> voters = voters_;
  std::vector<NodeId> learners = learners_;
  switch (change.change) {
    case MemberChange::add_learner:
      if (node.value() < 0)
        return failure(ErrorKind::invalid_argument, "a node id is not negative");
      if (contains(node)) return failure(ErrorKind::already_exists, "the node is a member already");
      if (voters.size() + learners.size() >= members_max) {
        return failure(ErrorKind::limit_exceeded, "the group has as many members as it may");
      }
      learners.push_back(node);
      break;
    case MemberChange::promote_learner:
      if (!is_learner(node)) return failure(ErrorKind::not_found, "the node is no learner");
      std::erase(learners, node);
      voters.push_back(node);
      break;
    case MemberChange::remove:
      if (!contains(node)) return failure(ErrorKind::not_found, "the node is no member");
      if (voters.size() == 1 && is_voter(node)) {
        return failure(ErrorKind::invalid_argument, "the last voter cannot be removed");
      }
      std::erase(learners, node);
      std::erase(voters, node);
      break;
  }
  return Membership(std::move(voters), std::move(learners));
}

Payload Membership::encode() const {
  std::vector<std::byte> bytes{std::byte{membership_version}};
  put(bytes, voters_);
  put(bytes, learners_);
  return Payload(std::move(bytes));
}

Result<Membership> Membership::decode(ByteView bytes) {
  ByteReader reader(bytes);
  if (reader.integer<std::uint8_t>() != membership_version) {
    return failure(ErrorKind::unsupported, "a membership of an unknown version");
  }
  auto voters = take_nodes(reader);
  if (!voters) return failure(std::move(voters.error()));
  auto learners = take_nodes(reader);
  if (!learners) return failure(std::move(learners.error()));
  if (reader.failed() || reader.remaining() > 0 || voters->empty()) {
    return failure(ErrorKind::corrupt, "a membership that ends elsewhere, or without voters");
  }
  for (const NodeId node : *learners) {
    if (found(*voters, node)) {
      return failure(ErrorKind::corrupt, "a membership in which a voter is a learner");
    }
  }
  if (voters->size() + learners->size() > members_max) {
    return failure(ErrorKind::corrupt, "a membership with too many nodes");
  }
  return Membership(std::move(*voters), std::move(*learners));
}

std::string to_string(const Membership& membership) {
  std::string text = "voters";
  for (const NodeId node : membership.voters()) text += formatted(" {}", node);
  if (!membership.learners().empty()) text += ", learners";
  for (const NodeId node : membership.learners()) text += formatted(" {}", node);
  return text;
}

MembershipHistory::MembershipHistory(LogIndex base, Membership membership) {
  steps_.emplace_back(base, std::move(membership));
}

const Membership& MembershipHistory::at(LogIndex index) const {
  const auto after =
      std::upper_bound(steps_.begin(), steps_.end(), index,
                       [](LogIndex wanted, const auto& step) { return wanted < step.first; });
  check(after != steps_.begin(), "members are known from the base of the log on");
  return std::prev(after)->second;
}

void MembershipHistory::append(LogIndex index, Membership membership) {
  check(index > latest_index(), "memberships are appended in order");
  steps_.emplace_back(index, std::move(membership));
}

void MembershipHistory::truncate_from(LogIndex index) {
  while (steps_.size() > 1 && steps_.back().first >= index) steps_.pop_back();
}

void MembershipHistory::compact_through(LogIndex index) {
  while (steps_.size() > 1 && steps_[1].first <= index) steps_.erase(steps_.begin());
}

}  // namespace millrace::raft
