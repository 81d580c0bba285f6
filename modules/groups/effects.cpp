module;
#include <cstddef>
#include <map>
#include <utility>
#include <variant>
#include <vector>

#include "planted.hpp"

module millrace.groups;

import millrace.base;

namespace millrace::groups {

std::size_t held_bytes(const Reply& reply) {
  std::size_t bytes = 0;
  if (const auto* const fetched = std::get_if<FetchReply>(&reply)) {
    bytes = fetched->bytes;
  } else if (const auto* const described = std::get_if<DescribeReply>(&reply)) {
    for (const DescribedGroup& group : described->groups) {
      for (const DescribedMember& member : group.members) {
        bytes += sizeof member + member.member_id.size() + member.client_id.size() +
                 member.client_host.size() + member.metadata.size() + member.assignment.size();
      }
    }
  } else if (const auto* const listed = std::get_if<ListReply>(&reply)) {
    for (const ListedGroup& group : listed->groups) {
      bytes += sizeof group + group.group.size() + group.protocol_type.size();
    }
  }
  return bytes;
}

void Outbox::open(RequestId request, std::size_t kind) {
  check(open_.emplace(request, kind).second, "a request has the id of one that is open");
}

Ticket Outbox::append(std::vector<Record> records) {
  check(!records.empty(), "an append of nothing");
  std::vector<Record> batch;
  std::size_t bytes = 0;
  for (Record& record : records) {
    const std::size_t size = record.framed_bytes();
    if (!batch.empty() && bytes + size > append_bytes_max_) {
      emit(std::exchange(batch, {}), std::exchange(bytes, 0));
    }
    bytes += size;
    batch.push_back(std::move(record));
  }
  emit(std::move(batch), bytes);
  return last_;
}

void Outbox::emit(std::vector<Record> records, std::size_t bytes) {
  last_ = last_.next();
  uncommitted_.emplace_back(last_, bytes);
  uncommitted_bytes_ += bytes;
  effects_.appends.push_back({last_, std::move(records)});
}

void Outbox::answer(RequestId request, Reply reply, Ticket after) {
  check(after <= last_, "an answer waits for an append that nobody made");
  if (after <= committed_ || planted(Planted::answer_before_append)) {
    send(request, std::move(reply));
  } else {
    waiting_bytes_ += held_bytes(reply);
    waiting_.emplace(after, Answer{request, std::move(reply)});
  }
}

void Outbox::committed(Ticket ticket) {
  check(ticket <= last_, "an append that nobody made is committed");
  if (ticket <= committed_) return;
  committed_ = ticket;
  while (!uncommitted_.empty() && uncommitted_.front().first <= ticket) {
    uncommitted_bytes_ -= uncommitted_.front().second;
    uncommitted_.pop_front();
  }
  while (!waiting_.empty() && waiting_.begin()->first <= ticket) {
    auto node = waiting_.extract(waiting_.begin());
    waiting_bytes_ -= held_bytes(node.mapped().reply);
    send(node.mapped().request, std::move(node.mapped().reply));
  }
}

void Outbox::send(RequestId request, Reply reply) {
  const auto place = open_.find(request);
  check(place != open_.end(), "an answer to a request that is not open");
  check(place->second == reply.index(), "an answer of another kind than its request");
  open_.erase(place);
  effects_.answers.push_back({request, std::move(reply)});
}

void Outbox::fail_all(ErrorCode error) {
  waiting_.clear();
  waiting_bytes_ = 0;
  uncommitted_.clear();
  uncommitted_bytes_ = 0;
  for (const auto& [request, kind] : open_) {
    effects_.answers.push_back({request, error_reply(kind, error)});
  }
  open_.clear();
}

}  // namespace millrace::groups
