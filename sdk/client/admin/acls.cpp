// Access control lists.
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

using protocol::CreateAclsRequest;
using protocol::DeleteAclsRequest;
using protocol::DeleteAclsResponse;
using protocol::DescribeAclsRequest;
using protocol::DescribeAclsResponse;

template <class Enum>
std::int8_t number_of(Enum value) {
  return static_cast<std::int8_t>(value);
}

protocol::String text_or_null(const std::optional<std::string>& text) {
  return text ? protocol::String(*text) : protocol::null_string;
}

CreateAclsRequest::AclCreation row_of(const AclBinding& binding) {
  return {.resource_type = number_of(binding.resource),
          .resource_name = binding.name,
          .resource_pattern_type = number_of(binding.pattern),
          .principal = binding.principal,
          .host = binding.host,
          .operation = number_of(binding.operation),
          .permission_type = number_of(binding.permission)};
}

DeleteAclsRequest::DeleteAclsFilter row_of(const AclFilter& filter) {
  return {.resource_type_filter = number_of(filter.resource),
          .resource_name_filter = text_or_null(filter.name),
          .pattern_type_filter = number_of(filter.pattern),
          .principal_filter = text_or_null(filter.principal),
          .host_filter = text_or_null(filter.host),
          .operation = number_of(filter.operation),
          .permission_type = number_of(filter.permission)};
}

// `resource` has what the binding is for, `rule` who may do what; they may be one.
template <class Resource, class Rule>
AclBinding binding_of(const Resource& resource, const Rule& rule) {
  return {.resource = static_cast<AclResource>(resource.resource_type),
          .name = std::string(resource.resource_name),
          .pattern = static_cast<AclPattern>(resource.pattern_type),
          .principal = std::string(rule.principal),
          .host = std::string(rule.host),
          .operation = static_cast<AclOperation>(rule.operation),
          .permission = static_cast<AclPermission>(rule.permission_type)};
}

std::string named(const AclBinding& binding) {
  return formatted("rule of {} for {}", binding.principal, binding.name);
}

Outcomes<AclBinding, void> deleted(const DeleteAclsResponse::DeleteAclsFilterResult& in,
                                   BrokerId broker) {
  Outcomes<AclBinding, void> out;
  for (const auto& match : in.matching_acls) {
    AclBinding binding = binding_of(match, match);
    ClientResult<void> outcome;
    if (code_of(match.error_code) != ErrorCode::none) {
      outcome = failure(refused(match.error_code, broker, named(binding), match.error_message));
    }
    out.emplace_back(std::move(binding), std::move(outcome));
  }
  return out;
}

}  // namespace

Task<Outcomes<AclBinding, void>> AdminClient::create_acls(std::vector<AclBinding> bindings,
                                                          AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<AclBinding, void>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<CreateAclsRequest::AclCreation> rows;
    for (const auto* const item : items) rows.push_back(row_of(item->key));
    CreateAclsRequest request;
    request.creations = view_of(rows);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    for (std::size_t i = 0; i < items.size(); ++i) {
      settle_by(*items[i], row_at(reply->message.results, i), reply->broker, named(items[i]->key),
                [&](const auto&) { items[i]->settle(); });
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<AclBinding, void>(std::move(bindings), state_->rounds(deadline),
                                                 route, ask);
}

Task<ClientResult<std::vector<AclBinding>>> AdminClient::describe_acls(AclFilter filter,
                                                                       AdminOptions options) {
  DescribeAclsRequest request;
  request.resource_type_filter = number_of(filter.resource);
  request.resource_name_filter = text_or_null(filter.name);
  request.pattern_type_filter = number_of(filter.pattern);
  request.principal_filter = text_or_null(filter.principal);
  request.host_filter = text_or_null(filter.host);
  request.operation = number_of(filter.operation);
  request.permission_type = number_of(filter.permission);
  const auto read = [](const auto& reply) -> ClientResult<std::vector<AclBinding>> {
    const DescribeAclsResponse& in = reply.message;
    if (code_of(in.error_code) != ErrorCode::none) {
      return failure(
          refused(in.error_code, reply.broker, "the access control lists", in.error_message));
    }
    std::vector<AclBinding> bindings;
    for (const auto& resource : in.resources) {
      for (const auto& rule : resource.acls) bindings.push_back(binding_of(resource, rule));
    }
    std::ranges::sort(bindings);
    return bindings;
  };
  co_return co_await state_->ask_one<std::vector<AclBinding>>(
      Whom::any, request, CallOptions{.deadline = state_->deadline_of(options)}, read);
}

Task<Outcomes<AclFilter, Outcomes<AclBinding, void>>> AdminClient::delete_acls(
    std::vector<AclFilter> filters, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Value = Outcomes<AclBinding, void>;
  using Open = Items<AclFilter, Value>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<DeleteAclsRequest::DeleteAclsFilter> rows;
    for (const auto* const item : items) rows.push_back(row_of(item->key));
    DeleteAclsRequest request;
    request.filters = view_of(rows);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    for (std::size_t i = 0; i < items.size(); ++i) {
      settle_by(*items[i], row_at(reply->message.filter_results, i), reply->broker,
                formatted("filter {}", i),
                [&](const auto& row) { items[i]->settle(deleted(row, reply->broker)); });
    }
    co_return ClientResult<void>();
  };
  co_return co_await in_rounds<AclFilter, Value>(std::move(filters), state_->rounds(deadline),
                                                 route, ask);
}

}  // namespace millrace::client
