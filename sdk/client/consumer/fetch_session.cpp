module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.core;

namespace millrace::client {
namespace {

// Epochs go from 1 to the largest number, then from 1 again.
std::int32_t next_epoch(std::int32_t epoch) {
  return epoch == std::numeric_limits<std::int32_t>::max() ? 1 : epoch + 1;
}

}  // namespace

bool is_of_session(protocol::ErrorCode error) {
  return error == protocol::ErrorCode::fetch_session_id_not_found ||
         error == protocol::ErrorCode::invalid_fetch_session_epoch ||
         error == protocol::ErrorCode::fetch_session_topic_id_error ||
         error == protocol::ErrorCode::inconsistent_topic_id;
}

void FetchSession::begin_anew(std::int32_t id) {
  id_ = id;
  epoch_ = 0;
  items_.clear();
}

// A partition that left and came back meanwhile, say. That the broker has it is what counts: where
// it does not, it tells the ends anyway.
bool FetchSession::lacks_ends(const std::vector<FetchItem>& items) const {
  auto known = items_.begin();
  for (const FetchItem& item : items) {
    if (item.knows_ends) continue;
    while (known != items_.end() && *known->name < *item.name) ++known;
    if (known != items_.end() && *known->name == *item.name) return true;
  }
  return false;
}

void FetchSession::compare(const std::vector<FetchItem>& items, Request& request) const {
  auto known = items_.begin();
  for (const FetchItem& item : items) {
    while (known != items_.end() && *known->name < *item.name) {
      request.forgotten.push_back(*known++);
    }
    if (known == items_.end() || *known->name != *item.name) {
      request.named.push_back(item);
      continue;
    }
    // By its id it is another topic. By its name it is the same partition: what is named and
    // forgotten at once would be forgotten.
    if (uses_ids_ && known->wanted.topic_id != item.wanted.topic_id) {
      request.forgotten.push_back(*known);
    }
    if (known->wanted != item.wanted) request.named.push_back(item);
    ++known;
  }
  request.forgotten.insert(request.forgotten.end(), known, items_.end());
}

FetchSession::Request FetchSession::ask(std::vector<FetchItem> items, bool uses_ids) {
  const bool is_other_way = std::exchange(uses_ids_, uses_ids) != uses_ids;
  if (is_open() && (is_other_way || lacks_ends(items))) begin_anew(id_);
  Request request;
  request.id = id_;
  request.epoch = epoch_;
  if (is_open()) {
    compare(items, request);
  } else {
    request.named = items;
  }
  items_ = std::move(items);
  return request;
}

void FetchSession::answered(std::int32_t id, bool is_as_asked) {
  if (!is_as_asked) return begin_anew(is_open() ? id_ : std::max(id, 0));
  // The broker keeps none, or not this one.
  if (id <= 0 || (is_open() && id != id_)) return begin_anew(std::max(id, 0));
  id_ = id;
  epoch_ = next_epoch(epoch_);
}

void FetchSession::refused(protocol::ErrorCode error) {
  begin_anew(error == protocol::ErrorCode::fetch_session_id_not_found ? 0 : id_);
}

void FetchSession::unanswered() {
  begin_anew(id_);
}

std::optional<FetchSession::Request> FetchSession::end() {
  if (id_ == 0) return std::nullopt;
  Request request;
  request.id = id_;
  request.epoch = fetch_session_ends;
  begin_anew(0);
  return request;
}

}  // namespace millrace::client
