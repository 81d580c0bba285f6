module;
#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "planted.hpp"

module millrace.groups;

import millrace.base;

namespace millrace::groups {

namespace {

// A node of a tree, about.
constexpr std::size_t node_bytes = 64;

}  // namespace

Member* Group::find(std::string_view member) {
  const auto place = members_.find(member);
  return place == members_.end() ? nullptr : &place->second;
}

Member& Group::member(std::string_view member) {
  Member* const found = find(member);
  check(found != nullptr, "a group has no such member");
  return *found;
}

const std::string* Group::static_member(const std::optional<std::string>& instance) const {
  if (!instance) return nullptr;
  const auto place = static_members_.find(*instance);
  return place == static_members_.end() ? nullptr : &place->second;
}

Member& Group::add(Member member, std::string_view protocol_type) {
  if (members_.empty()) protocol_type_ = std::string(protocol_type);
  check(protocol_type_ == protocol_type, "members of one group have two protocol types");
  if (!leader_) leader_ = member.id;
  remove_pending(member.id);
  if (member.instance_id) static_members_[*member.instance_id] = member.id;
  member.order = ++order_;
  by_order_.emplace(member.order, member.id);
  count_protocols(member);
  member_bytes_ += member.bytes();
  const auto [place, inserted] = members_.emplace(member.id, std::move(member));
  check(inserted, "a member was added twice");
  return place->second;
}

void Group::remove(std::string_view member) {
  remove_pending(member);
  const auto place = members_.find(member);
  if (place == members_.end()) return;
  discount_protocols(place->second);
  member_bytes_ -= place->second.bytes();
  exchange_join(place->second, std::nullopt);
  set_pending_sync(place->second, false);
  if (place->second.instance_id) static_members_.erase(*place->second.instance_id);
  const bool led = is_leader(place->first);
  by_order_.erase(place->second.order);
  members_.erase(place);
  if (!led) return;
  leader_.reset();
  // Without looking at all of them: thousands may leave in this order.
  if (!by_order_.empty()) leader_ = by_order_.begin()->second;
}

void Group::add_pending(std::string member) {
  const auto [place, inserted] = pending_.insert(std::move(member));
  if (inserted) member_bytes_ += node_bytes + place->size();
}

void Group::remove_pending(std::string_view member) {
  const auto place = pending_.find(member);
  if (place == pending_.end()) return;
  member_bytes_ -= node_bytes + place->size();
  pending_.erase(place);
}

void Group::update(Member& member, const JoinRequest& request) {
  discount_protocols(member);
  member_bytes_ -= member.bytes();
  member.protocols = request.protocols;
  member.session_timeout = request.session_timeout;
  member.rebalance_timeout = request.rebalance_timeout;
  member_bytes_ += member.bytes();
  count_protocols(member);
}

Member& Group::replace(std::string_view old_id, std::string new_id) {
  const auto place = members_.find(old_id);
  check(place != members_.end() && place->second.instance_id.has_value(),
        "only a static member can be replaced");
  Member member = std::move(place->second);
  check(!member.join && !member.sync, "a member that is replaced still waits for an answer");
  const bool led = is_leader(old_id);
  member_bytes_ -= member.bytes();
  members_.erase(place);
  member.id = std::move(new_id);
  member.is_new = false;
  if (led) leader_ = member.id;
  by_order_[member.order] = member.id;
  static_members_[*member.instance_id] = member.id;
  member_bytes_ += member.bytes();
  return members_.emplace(member.id, std::move(member)).first->second;
}

void Group::assign(Member& member, OwnedBytes assignment) {
  member_bytes_ -= member.bytes();
  member.assignment = std::move(assignment);
  member_bytes_ += member.bytes();
}

std::optional<RequestId> Group::exchange_join(Member& member, std::optional<RequestId> request) {
  awaiting_join_ += request ? 1u : 0u;
  awaiting_join_ -= member.join ? 1u : 0u;
  return std::exchange(member.join, request);
}

void Group::set_pending_sync(Member& member, bool pending) {
  pending_sync_ += pending ? 1u : 0u;
  pending_sync_ -= member.is_pending_sync ? 1u : 0u;
  member.is_pending_sync = pending;
}

ErrorCode Group::validate(std::string_view member,
                          const std::optional<std::string>& instance) const {
  if (instance) {
    const std::string* const current = static_member(instance);
    if (current == nullptr) return ErrorCode::unknown_member_id;
    if (*current != member && !planted(Planted::instance_not_fenced)) {
      return ErrorCode::fenced_instance_id;
    }
  }
  return members_.contains(member) ? ErrorCode::none : ErrorCode::unknown_member_id;
}

bool Group::supports(std::string_view type, const std::vector<Protocol>& protocols) const {
  if (members_.empty()) return !type.empty() && !protocols.empty();
  if (protocol_type_ != type) return false;
  return std::ranges::any_of(protocols, [this](const Protocol& protocol) {
    const auto known = known_by_.find(protocol.name);
    return known != known_by_.end() && known->second == members_.size();
  });
}

std::string Group::selected_protocol() const {
  check(!members_.empty(), "a group without members selects no protocol");
  std::map<std::string_view, std::size_t> votes;
  for (const auto& [id, member] : members_) {
    for (const Protocol& protocol : member.protocols) {
      const auto known = known_by_.find(protocol.name);
      if (known == known_by_.end() || known->second != members_.size()) continue;
      ++votes[protocol.name];
      break;
    }
  }
  check(!votes.empty(), "members of one group know no common protocol");
  // Of several with the same votes, the first in the alphabet.
  const auto most =
      std::ranges::max_element(votes, {}, [](const auto& entry) { return entry.second; });
  return std::string(most->first);
}

Milliseconds Group::rebalance_timeout() const {
  Milliseconds longest{0};
  for (const auto& [id, member] : members_) longest = std::max(longest, member.rebalance_timeout);
  return longest;
}

bool Group::elect_joined_leader() {
  if (!leader_) return false;
  if (const Member* const leader = find(*leader_); leader != nullptr && leader->join) return true;
  const Member* first = nullptr;
  for (const auto& [id, member] : members_) {
    if (member.join && (first == nullptr || member.order < first->order)) first = &member;
  }
  if (first == nullptr) return false;
  leader_ = first->id;
  return true;
}

void Group::begin_generation(Timestamp now) {
  if (!planted(Planted::generation_kept)) generation_ = generation_.next();
  if (members_.empty()) {
    protocol_name_.reset();
    enter(GroupState::empty, now);
  } else {
    protocol_name_ = selected_protocol();
    enter(GroupState::completing_rebalance, now);
  }
  read_subscriptions();
  for (auto& [id, member] : members_) set_pending_sync(member, false);
}

void Group::enter(GroupState state, Timestamp now) {
  state_ = state;
  state_since_ = now;
}

std::vector<JoinedMember> Group::joined_members() const {
  std::vector<JoinedMember> joined;
  joined.reserve(members_.size());
  for (const auto& [id, member] : members_) {
    const OwnedBytes* const metadata = member.metadata_of(protocol_name_.value_or(""));
    joined.push_back({id, member.instance_id, metadata ? *metadata : OwnedBytes{}});
  }
  return joined;
}

bool Group::is_subscribed_to(std::string_view topic) const {
  return subscribed_ ? subscribed_->contains(topic) : is_consumer_group();
}

void Group::restore(Generation generation, std::optional<std::string> protocol_type,
                    std::optional<std::string> protocol_name, std::optional<std::string> leader,
                    std::optional<Timestamp> state_since, std::vector<Member> members) {
  check(members_.empty() && pending_.empty(), "a group with members is not stored state");
  generation_ = generation;
  protocol_name_ = std::move(protocol_name);
  leader_ = std::move(leader);
  for (Member& member : members) add(std::move(member), protocol_type.value_or(""));
  protocol_type_ = std::move(protocol_type);
  state_ = members_.empty() ? GroupState::empty : GroupState::stable;
  state_since_ = state_since;
  read_subscriptions();
}

std::size_t Group::bytes() const {
  return node_bytes + sizeof(Group) + 2 * id_.size() + member_bytes_ + offsets.bytes();
}

void Group::read_subscriptions() {
  subscribed_.reset();
  if (!is_consumer_group()) return;
  std::set<std::string, std::less<>> topics;
  for (const auto& [id, member] : members_) {
    const OwnedBytes* const metadata = member.metadata_of(protocol_name_.value_or(""));
    if (metadata == nullptr) return;
    auto named = subscribed_topics(*metadata);
    if (!named) return;
    for (std::string& topic : *named) topics.insert(std::move(topic));
  }
  subscribed_ = std::move(topics);
}

void Group::count_protocols(const Member& member) {
  for (const Protocol& protocol : member.protocols) ++known_by_[protocol.name];
}

void Group::discount_protocols(const Member& member) {
  for (const Protocol& protocol : member.protocols) {
    const auto known = known_by_.find(protocol.name);
    if (--known->second == 0) known_by_.erase(known);
  }
}

}  // namespace millrace::groups
