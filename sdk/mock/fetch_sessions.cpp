module;
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.fetch;
import :faults;
import :fetch_sessions;

namespace millrace::mock {
namespace {

constexpr std::int32_t begins = 0;
constexpr std::int32_t wants_none = -1;

}  // namespace

void FetchSession::update(const protocol::FetchRequest& request) {
  for (const auto& topic : request.topics) {
    for (const auto& part : topic.partitions) {
      entries_[{std::string(topic.topic), topic.topic_id, part.partition}].wanted = part;
    }
  }
  for (const auto& topic : request.forgotten_topics_data) {
    for (const std::int32_t partition : topic.partitions) {
      entries_.erase({std::string(topic.topic), topic.topic_id, partition});
    }
  }
}

std::vector<WantedTopic> FetchSession::wanted() const {
  std::vector<WantedTopic> topics;
  for (const auto& [key, entry] : entries_) {
    const auto& [topic, id, partition] = key;
    if (topics.empty() || topics.back().topic != topic || topics.back().topic_id != id) {
      topics.push_back({topic, id, {}});
    }
    topics.back().partitions.push_back(entry.wanted);
  }
  return topics;
}

bool FetchSession::tell(const protocol::FetchResponse::FetchableTopicResponse& topic,
                        const protocol::FetchResponse::PartitionData& part) {
  const auto place =
      entries_.find({std::string(topic.topic), topic.topic_id, part.partition_index});
  if (place == entries_.end()) return true;
  const std::pair ends{part.high_watermark, part.log_start_offset};
  const bool is_news = part.error_code != 0 || part.records.size() > 0 ||
                       part.diverging_epoch.end_offset >= 0 || place->second.told != ends;
  place->second.told = ends;
  // Whatever comes after an error is news.
  if (part.error_code != 0) place->second.told.reset();
  return is_news;
}

FetchSessions::Turn FetchSessions::take(const protocol::FetchRequest& request, bool uses_ids,
                                        std::size_t sessions_max) {
  if (request.session_epoch == begins || request.session_epoch == wants_none) {
    sessions_.erase(request.session_id);
    if (request.session_epoch == wants_none || sessions_.size() >= sessions_max) return {};
    auto session = std::make_shared<FetchSession>(uses_ids);
    session->update(request);
    if (session->is_empty()) return {};
    sessions_.emplace(++last_id_, session);
    return {.id = last_id_, .session = std::move(session)};
  }
  const auto place = sessions_.find(request.session_id);
  if (place == sessions_.end()) return {.error = ErrorCode::fetch_session_id_not_found};
  FetchSession& session = *place->second;
  if (session.next_epoch != request.session_epoch) {
    return {.error = ErrorCode::invalid_fetch_session_epoch};
  }
  if (session.uses_ids() != uses_ids) return {.error = ErrorCode::fetch_session_topic_id_error};
  session.next_epoch =
      session.next_epoch == std::numeric_limits<std::int32_t>::max() ? 1 : session.next_epoch + 1;
  session.update(request);
  Turn turn{.id = request.session_id, .session = place->second, .is_incremental = true};
  if (session.is_empty()) {
    sessions_.erase(place);
    turn.id = 0;
  }
  return turn;
}

}  // namespace millrace::mock
