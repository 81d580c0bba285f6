module;
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "../planted.hpp"

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {

void Outbox::open(RequestId request, std::size_t kind) {
  check(open_.emplace(request, kind).second, "a request has the id of one that is open");
}

void Outbox::propose(const std::vector<Record>& records) {
  if (records.empty()) return;
  OwnedBytes entry = entry_of(records);
  check(entry.size() <= entry_bytes_max, "what takes effect together fits into one entry");
  if (!packing_.empty() && packing_.size() + entry.size() > entry_bytes_preferred) flush();
  if (packing_.empty()) {
    packing_ = std::move(entry);
  } else {
    // Both begin with the format of entries.
    packing_.insert(packing_.end(), entry.begin() + 1, entry.end());
  }
}

void Outbox::flush() {
  if (packing_.empty()) return;
  last_ = last_.next();
  uncommitted_.push_back({last_, packing_.size(), crc32c(packing_)});
  uncommitted_bytes_ += packing_.size();
  effects_.proposals.push_back({last_, std::exchange(packing_, {})});
}

void Outbox::answer(RequestId request, Reply reply) {
  check(packing_.empty(), "an answer comes after the proposals that it rests on");
  if (uncommitted_.empty() || planted(Planted::answer_before_commit)) {
    answer_now(request, std::move(reply));
  } else {
    waiting_.emplace(last_, Answer{request, std::move(reply)});
  }
}

void Outbox::answer_now(RequestId request, Reply reply) {
  const auto place = open_.find(request);
  check(place != open_.end(), "an answer to a request that is not open");
  check(place->second == reply.index(), "an answer of another kind than its request");
  open_.erase(place);
  effects_.answers.push_back({request, std::move(reply)});
}

bool Outbox::committed(ByteView entry) {
  if (uncommitted_.empty()) return false;
  const Uncommitted oldest = uncommitted_.front();
  if (oldest.bytes != entry.size() || oldest.checksum != crc32c(entry)) return false;
  uncommitted_.pop_front();
  uncommitted_bytes_ -= oldest.bytes;
  while (!waiting_.empty() && waiting_.begin()->first <= oldest.ticket) {
    auto node = waiting_.extract(waiting_.begin());
    answer_now(node.mapped().request, std::move(node.mapped().reply));
  }
  return true;
}

void Outbox::fail_all(const Outcome& outcome) {
  packing_.clear();
  if (planted(Planted::lost_proposal_answered)) {
    for (auto& [ticket, answer] : waiting_) answer_now(answer.request, std::move(answer.reply));
  }
  waiting_.clear();
  uncommitted_.clear();
  uncommitted_bytes_ = 0;
  effects_.proposals.clear();
  for (const auto& [request, kind] : open_) {
    effects_.answers.push_back({request, refusal(kind, outcome)});
  }
  open_.clear();
}

}  // namespace millrace::metadata
