// Topics by their ids.
module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.client.admin;

import millrace.base;
import millrace.client.core;
import millrace.protocol;
import millrace.runtime;
import millrace.runtime.streams;
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {
namespace {

using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;
using protocol::MetadataRequest;
using protocol::MetadataResponse;

// From here on an answer may leave out the name of a topic that is not there.
constexpr std::int16_t nameless_from = 12;
constexpr std::int16_t deleted_by_id_from = 6;

std::string named(const Uuid& id) {
  return formatted("topic with id {}", to_string(id));
}

template <class Row>
const Row* row_of(const Array<Row>& rows, const Uuid& id) {
  const auto row = std::ranges::find(rows, id, &Row::topic_id);
  return row == rows.end() ? nullptr : &*row;
}

}  // namespace

Task<Outcomes<Uuid, DescribedTopic>> AdminClient::describe_topics_by_id(std::vector<Uuid> topics,
                                                                        AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  const MonotonicTime begun = state_->executor.clock().now();
  using Open = Items<Uuid, DescribedTopic>;
  const auto anywhere = [](Open&) -> Task<void> { co_return; };
  const auto ask = [&](BrokerId, Open& items) -> Task<ClientResult<void>> {
    std::vector<MetadataRequest::MetadataRequestTopic> rows;
    for (const auto* const item : items) {
      rows.push_back({.topic_id = item->key, .name = protocol::null_string});
    }
    MetadataRequest request;
    request.topics = view_of(rows);
    request.allow_auto_topic_creation = false;
    request.include_topic_authorized_operations = options.authorized_operations;
    auto reply = co_await state_->send(
        no_broker, request, CallOptions{.deadline = deadline, .version_min = nameless_from});
    if (!reply) co_return failure(std::move(reply.error()));
    if (code_of(reply->message.error_code) != ErrorCode::none) {
      co_return failure(refused(reply->message.error_code, reply->broker, "the topics"));
    }
    for (auto* const item : items) {
      const auto* const row = row_of(reply->message.topics, item->key);
      if (row != nullptr && code_of(row->error_code) == ErrorCode::unknown_topic_id &&
          !state_->is_patient(begun)) {
        item->fail_for_good(refused(row->error_code, reply->broker, named(item->key)));
        continue;
      }
      settle_by(*item, row, reply->broker, named(item->key),
                [&](const auto& found) { item->settle(seen_topic(found).topic); });
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<Uuid, DescribedTopic>(std::move(topics), state_->rounds(deadline),
                                                     anywhere, ask);
}

Task<Outcomes<Uuid, void>> AdminClient::delete_topics_by_id(std::vector<Uuid> topics,
                                                            AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<Uuid, void>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<DeleteTopicsRequest::DeleteTopicState> rows;
    for (const auto* const item : items) {
      rows.push_back({.name = protocol::null_string, .topic_id = item->key});
    }
    DeleteTopicsRequest request;
    request.topics = view_of(rows);
    request.timeout_ms = state_->milliseconds_until(deadline);
    auto reply = co_await state_->send(
        broker, request, CallOptions{.deadline = deadline, .version_min = deleted_by_id_from});
    if (!reply) co_return failure(std::move(reply.error()));
    for (auto* const item : items) {
      const auto* const row = row_of(reply->message.responses, item->key);
      // The last word of who decides what there is.
      if (row != nullptr && code_of(row->error_code) == ErrorCode::unknown_topic_id) {
        item->fail_for_good(refused(row->error_code, reply->broker, named(item->key)));
        continue;
      }
      settle_by(*item, row, reply->broker, named(item->key), [&](const auto&) { item->settle(); });
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<Uuid, void>(std::move(topics), state_->rounds(deadline), route, ask);
}

}  // namespace millrace::client
