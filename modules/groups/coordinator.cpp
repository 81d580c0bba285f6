module;
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.groups;

import millrace.base;

namespace millrace::groups {

Coordinator::Coordinator(Options options)
    : options_(std::move(options)), outbox_(options_.append_bytes_max) {
  check(validate(options_).has_value(), "options of groups that are not valid");
}

Effects Coordinator::request(RequestId id, Request request, Now now) {
  now_ = now;
  outbox_.open(id, request.index());
  if (phase_ == Phase::loading) {
    // A member must not give up because its coordinator starts.
    const bool alive = std::holds_alternative<HeartbeatRequest>(request);
    answer_now(id, error_reply(request.index(),
                               alive ? ErrorCode::none : ErrorCode::coordinator_load_in_progress));
    return finish();
  }
  if (phase_ == Phase::unloaded) {
    answer_now(id, error_reply(request.index(), ErrorCode::not_coordinator));
    return finish();
  }
  // What is due came before the request.
  fire_due();
  // A heartbeat waits for nothing and costs nothing.
  const ErrorCode error = overloaded();
  if (error != ErrorCode::none && !std::holds_alternative<HeartbeatRequest>(request)) {
    answer_now(id, error_reply(request.index(), error));
    return finish();
  }
  std::visit([&](auto& kind) { on(id, kind); }, request);
  return finish();
}

Effects Coordinator::committed(Ticket ticket, Now now) {
  now_ = now;
  // What was on its way when the partition was unloaded concerns nobody any more.
  if (phase_ == Phase::active) outbox_.committed(ticket);
  return finish();
}

Effects Coordinator::append_failed() {
  return unload(ErrorCode::coordinator_not_available);
}

Effects Coordinator::tick(Now now) {
  now_ = now;
  return finish();
}

Effects Coordinator::unload(ErrorCode error) {
  phase_ = Phase::unloaded;
  timers_ = Timers{};
  groups_.clear();
  state_bytes_ = 0;
  offsets_ = 0;
  outbox_.fail_all(error);
  return finish();
}

Effects Coordinator::finish() {
  if (phase_ == Phase::active) fire_due();
  Effects effects = outbox_.take();
  if (!timers_wait()) effects.deadline = timers_.next();
  return effects;
}

// Very many sessions may end together, and each may make an append; so may offsets that expire, of
// many bytes. What is due beyond the limit goes on when appends are committed.
void Coordinator::fire_due() {
  while (!timers_wait()) {
    const auto timer = timers_.take_due(now_.monotonic);
    if (!timer) return;
    fire(*timer);
  }
}

void Coordinator::fire(const TimerKey& timer) {
  if (timer.kind == TimerKind::expiry) {
    expire_slice();
    return;
  }
  Group* const group = find(timer.group);
  check(group != nullptr, "a timer of a group that is gone");
  switch (timer.kind) {
    case TimerKind::join:
      if (group->rebalancing_from == GroupState::empty) {
        extend_first_rebalance(*group);
      } else {
        complete_join(*group);
      }
      break;
    case TimerKind::sync:
      expire_pending_sync(*group);
      break;
    case TimerKind::member:
      expire_session(*group, timer.member);
      break;
    case TimerKind::expiry:
      break;
  }
  settle(*group);
}

Group* Coordinator::find(std::string_view group) {
  const auto place = groups_.find(group);
  return place == groups_.end() ? nullptr : &place->second;
}

bool Coordinator::is_full() const {
  return state_bytes_ + others_bytes_ >= options_.state_bytes_max;
}

bool Coordinator::has_room_for_group() const {
  return groups_.size() < options_.groups_max && !is_full();
}

Group& Coordinator::create(const std::string& group) {
  Group& made = groups_.try_emplace(group, group).first->second;
  // There may have been one of that name, whose end is not committed yet.
  made.written = std::max(made.written, group_erased_);
  return made;
}

void Coordinator::erase(Group& group) {
  state_bytes_ -= group.counted_bytes;
  offsets_ -= group.counted_offsets;
  group_erased_ = std::max(group_erased_, group.written);
  timers_.cancel_all_of(group.id());
  groups_.erase(group.id());
}

// Counts what a group takes now; one that holds nothing, in memory or in the log, goes.
void Coordinator::settle(Group& group) {
  state_bytes_ += group.bytes();
  state_bytes_ -= std::exchange(group.counted_bytes, group.bytes());
  offsets_ += group.offsets.size();
  offsets_ -= std::exchange(group.counted_offsets, group.offsets.size());
  const bool holds_nothing = group.is(GroupState::empty) && group.members().empty() &&
                             group.pending().empty() && group.offsets.empty() && !group.is_stored;
  if (holds_nothing) erase(group);
}

// That there is no such group may rest on an append, too.
void Coordinator::answer(RequestId request, Reply reply) {
  outbox_.answer(request, std::move(reply), group_erased_);
}

void Coordinator::answer(const Group& group, RequestId request, Reply reply) {
  outbox_.answer(request, std::move(reply), group.written);
}

void Coordinator::answer_now(RequestId request, Reply reply) {
  outbox_.answer(request, std::move(reply), Ticket(0));
}

void Coordinator::append(Group& group, std::vector<Record> records) {
  group.written = outbox_.append(std::move(records));
}

// Writes what the group is now. False, and nothing is written, when it does not fit into a record.
bool Coordinator::store(Group& group) {
  auto record = group_record(group);
  if (!record || record->bytes() > options_.record_bytes_max) return false;
  std::vector<Record> records;
  records.push_back(*std::move(record));
  append(group, std::move(records));
  group.is_stored = true;
  return true;
}

bool Coordinator::has_many_appends() const {
  return outbox_.uncommitted_appends() > options_.uncommitted_appends_max;
}

// Earlier than requests are refused: nobody waits for a timer.
bool Coordinator::timers_wait() const {
  return has_many_appends() || outbox_.uncommitted_bytes() > options_.uncommitted_bytes_max / 4;
}

ErrorCode Coordinator::overloaded() const {
  const bool overloaded = outbox_.open_count() > options_.open_requests_max ||
                          outbox_.uncommitted_bytes() > options_.uncommitted_bytes_max ||
                          has_many_appends();
  return overloaded ? ErrorCode::coordinator_not_available : ErrorCode::none;
}

}  // namespace millrace::groups
