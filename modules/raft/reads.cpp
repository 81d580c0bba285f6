module;
#include <cstddef>
#include <deque>
#include <optional>
#include <vector>

module millrace.raft;

import millrace.base;

namespace millrace::raft {

std::size_t Reads::size() const {
  return waiting_.size() + asked_.size() + confirmed_.size();
}

void Reads::begin_round(Round round, LogIndex commit) {
  asked_.swap(waiting_);
  round_ = round;
  index_ = commit;
}

std::optional<Round> Reads::asked() const {
  if (asked_.empty()) return std::nullopt;
  return round_;
}

void Reads::round_confirmed() {
  for (const ReadId id : asked_) confirmed_.push_back({id, index_});
  asked_.clear();
}

void Reads::answer(LogIndex applied, std::vector<ReadAnswer>& answers) {
  while (!confirmed_.empty() && confirmed_.front().index <= applied) {
    answers.push_back({confirmed_.front().id, confirmed_.front().index});
    confirmed_.pop_front();
  }
}

void Reads::refuse_all(std::vector<ReadAnswer>& answers) {
  const auto refuse = [&answers](ReadId id) {
    answers.push_back({id, failure(Refusal::not_leader)});
  };
  for (const Confirmed& read : confirmed_) refuse(read.id);
  for (const ReadId id : asked_) refuse(id);
  for (const ReadId id : waiting_) refuse(id);
  confirmed_.clear();
  asked_.clear();
  waiting_.clear();
}

}  // namespace millrace::raft
