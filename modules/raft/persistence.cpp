module;
#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

module millrace.raft;

import millrace.base;

namespace millrace::raft {

void Persistence::log_changes(LogIndex first, LogIndex last) {
  open_.first = open_.last ? std::min(open_.first, first) : first;
  open_.last = last;
  // What was durable above it is about to be overwritten.
  durable_ = std::min(durable_, LogIndex{first.value() - 1});
}

WriteNumber Persistence::seal() {
  const WriteNumber number = open_.number;
  pending_.push_back(open_);
  open_ = Pending{};
  open_.number = number.next();
  return number;
}

void Persistence::persisted(WriteNumber write) {
  check(write < open_.number, "only what was handed out can be durable");
  std::optional<LogIndex> reached;
  while (!pending_.empty() && pending_.front().number <= write) {
    if (pending_.front().last) reached = pending_.front().last;
    pending_.pop_front();
  }
  persisted_ = std::max(persisted_, write);
  if (!reached) return;
  for (const Pending& later : pending_) {
    if (later.last) reached = std::min(*reached, LogIndex{later.first.value() - 1});
  }
  durable_ = *reached;
}

bool Persistence::hard_state_durable() const {
  return !open_.hard_state &&
         std::ranges::none_of(pending_, [](const Pending& write) { return write.hard_state; });
}

void Persistence::hold(Message message) {
  if (held_.size() >= held_messages_max) return;
  WriteNumber number = open_.number;
  if (!open_.hard_state) {
    const auto latest = std::find_if(pending_.rbegin(), pending_.rend(),
                                     [](const Pending& write) { return write.hard_state; });
    check(latest != pending_.rend(), "a message is held for a write of term and vote");
    number = latest->number;
  }
  held_.push_back({number, std::move(message)});
}

std::vector<Message> Persistence::release() {
  std::vector<Message> released;
  while (!held_.empty() && held_.front().number <= persisted_) {
    released.push_back(std::move(held_.front().message));
    held_.pop_front();
  }
  return released;
}

}  // namespace millrace::raft
