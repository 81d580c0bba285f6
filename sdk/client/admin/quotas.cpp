// Quotas of clients.
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

using protocol::AlterClientQuotasRequest;
using protocol::AlterClientQuotasResponse;
using protocol::DescribeClientQuotasRequest;
using protocol::DescribeClientQuotasResponse;

template <class Row>
std::vector<Row> rows_of(const QuotaEntity& entity) {
  std::vector<Row> rows;
  for (const QuotaPart& part : entity) {
    rows.push_back(
        {.entity_type = part.type,
         .entity_name = part.name ? protocol::String(*part.name) : protocol::null_string});
  }
  return rows;
}

template <class Row>
QuotaEntity entity_of(const Array<Row>& rows) {
  QuotaEntity entity;
  for (const Row& row : rows) {
    entity.push_back({.type = std::string(row.entity_type), .name = owned(row.entity_name)});
  }
  return entity;
}

std::string named(const QuotaEntity& entity) {
  std::string text = "quota of";
  for (const QuotaPart& part : entity) {
    text += formatted(" {} {}", part.type, part.name.value_or("<default>"));
  }
  return text;
}

// Brokers may tell the parts of an entity in another order.
bool is_same(QuotaEntity left, QuotaEntity right) {
  std::ranges::sort(left);
  std::ranges::sort(right);
  return left == right;
}

// The request's rows have views of these. Stays in place.
struct AlterRow {
  AlterRow(const QuotaChanges& wanted)
      : entity(rows_of<AlterClientQuotasRequest::EntityData>(wanted.entity)) {
    for (const QuotaChange& change : wanted.changes) {
      ops.push_back({.key = change.key,
                     .value = change.limit.value_or(0),
                     .remove = !change.limit.has_value()});
    }
  }
  std::vector<AlterClientQuotasRequest::EntityData> entity;
  std::vector<AlterClientQuotasRequest::OpData> ops;
};

const AlterClientQuotasResponse::EntryData* answer_for(const AlterClientQuotasResponse& message,
                                                       const QuotaEntity& entity) {
  for (const auto& row : message.entries) {
    if (is_same(entity_of(row.entity), entity)) return &row;
  }
  return nullptr;
}

}  // namespace

Task<ClientResult<std::vector<DescribedQuota>>> AdminClient::describe_quotas(QuotaFilter filter,
                                                                             AdminOptions options) {
  std::vector<DescribeClientQuotasRequest::ComponentData> rows;
  for (const QuotaFilterPart& part : filter.parts) {
    const bool is_exact = part.match == QuotaFilterPart::Match::exact;
    rows.push_back({.entity_type = part.type,
                    .match_type = static_cast<std::int8_t>(part.match),
                    .match = is_exact ? protocol::String(part.name) : protocol::null_string});
  }
  DescribeClientQuotasRequest request;
  request.components = view_of(rows);
  request.strict = filter.strict;
  const auto read = [](const auto& reply) -> ClientResult<std::vector<DescribedQuota>> {
    const DescribeClientQuotasResponse& in = reply.message;
    if (code_of(in.error_code) != ErrorCode::none) {
      return failure(refused(in.error_code, reply.broker, "the quotas", in.error_message));
    }
    std::vector<DescribedQuota> quotas;
    for (const auto& entry : in.entries) {
      DescribedQuota& quota = quotas.emplace_back();
      quota.entity = entity_of(entry.entity);
      for (const auto& limit : entry.values) {
        quota.limits.emplace_back(std::string(limit.key), limit.value);
      }
      std::ranges::sort(quota.limits);
    }
    std::ranges::sort(quotas, {}, &DescribedQuota::entity);
    return quotas;
  };
  co_return co_await state_->ask_one<std::vector<DescribedQuota>>(
      Whom::any, request, CallOptions{.deadline = state_->deadline_of(options)}, read);
}

Task<Outcomes<QuotaEntity, void>> AdminClient::alter_quotas(std::vector<QuotaChanges> changes,
                                                            AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<QuotaEntity, void>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<AlterRow> parts;
    parts.reserve(items.size());
    std::vector<AlterClientQuotasRequest::EntryData> rows;
    for (const auto* const item : items) {
      const AlterRow& part = parts.emplace_back(changes[item->place]);
      rows.push_back({.entity = view_of(part.entity), .ops = view_of(part.ops)});
    }
    AlterClientQuotasRequest request;
    request.entries = view_of(rows);
    request.validate_only = options.validate_only;
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    for (auto* const item : items) {
      settle_by(*item, answer_for(reply->message, item->key), reply->broker, named(item->key),
                [&](const auto&) { item->settle(); });
    }
    co_return ClientResult<void>();
  };
  std::vector<QuotaEntity> keys;
  for (const QuotaChanges& change : changes) keys.push_back(change.entity);
  co_return co_await in_rounds<QuotaEntity, void>(std::move(keys), state_->rounds(deadline), route,
                                                  ask);
}

}  // namespace millrace::client
