// Delegation tokens.
module;
#include <algorithm>
#include <chrono>
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

using protocol::CreateDelegationTokenRequest;
using protocol::CreateDelegationTokenResponse;
using protocol::DescribeDelegationTokenRequest;
using protocol::DescribeDelegationTokenResponse;
using protocol::ExpireDelegationTokenRequest;
using protocol::RenewDelegationTokenRequest;

// From here on a token may be made for another principal.
constexpr std::int16_t owners_from = 3;
constexpr std::int64_t brokers_default = -1;

std::int64_t whole_milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

DelegationToken::Time time_of(std::int64_t milliseconds) {
  return DelegationToken::Time(std::chrono::milliseconds(milliseconds));
}

std::vector<std::byte> copy_of(protocol::Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

DelegationToken token_of(const DescribeDelegationTokenResponse::DescribedDelegationToken& in) {
  DelegationToken out;
  out.id = in.token_id;
  out.hmac = copy_of(in.hmac);
  out.owner = {std::string(in.principal_type), std::string(in.principal_name)};
  out.requester = {std::string(in.token_requester_principal_type),
                   std::string(in.token_requester_principal_name)};
  for (const auto& renewer : in.renewers) {
    out.renewers.push_back(
        {std::string(renewer.principal_type), std::string(renewer.principal_name)});
  }
  out.issued = time_of(in.issue_timestamp);
  out.expires = time_of(in.expiry_timestamp);
  out.expires_at_latest = time_of(in.max_timestamp);
  return out;
}

// Until when a token is good after it was renewed or ended.
ClientResult<Timestamp> expiry_in(const auto& reply) {
  if (code_of(reply.message.error_code) != ErrorCode::none) {
    return failure(refused(reply.message.error_code, reply.broker, "the token"));
  }
  return Timestamp(reply.message.expiry_timestamp_ms);
}

}  // namespace

Task<ClientResult<DelegationToken>> AdminClient::create_token(NewToken token,
                                                              AdminOptions options) {
  std::vector<CreateDelegationTokenRequest::CreatableRenewers> renewers;
  for (const Principal& renewer : token.renewers) {
    renewers.push_back({.principal_type = renewer.type, .principal_name = renewer.name});
  }
  CallOptions call{.deadline = state_->deadline_of(options)};
  CreateDelegationTokenRequest request;
  request.owner_principal_type = protocol::null_string;
  request.owner_principal_name = protocol::null_string;
  if (token.owner) {
    call.version_min = owners_from;
    request.owner_principal_type = token.owner->type;
    request.owner_principal_name = token.owner->name;
  }
  request.renewers = view_of(renewers);
  request.max_lifetime_ms = token.lifetime ? token.lifetime->count() : brokers_default;
  const auto read = [&](const auto& reply) -> ClientResult<DelegationToken> {
    const CreateDelegationTokenResponse& in = reply.message;
    if (code_of(in.error_code) != ErrorCode::none) {
      return failure(refused(in.error_code, reply.broker, "the token"));
    }
    DelegationToken out;
    out.id = in.token_id;
    out.hmac = copy_of(in.hmac);
    out.owner = {std::string(in.principal_type), std::string(in.principal_name)};
    out.requester = {std::string(in.token_requester_principal_type),
                     std::string(in.token_requester_principal_name)};
    out.renewers = token.renewers;
    out.issued = time_of(in.issue_timestamp_ms);
    out.expires = time_of(in.expiry_timestamp_ms);
    out.expires_at_latest = time_of(in.max_timestamp_ms);
    return out;
  };
  co_return co_await state_->ask_one<DelegationToken>(Whom::controller, request, call, read);
}

Task<ClientResult<Timestamp>> AdminClient::renew_token(std::vector<std::byte> hmac,
                                                       std::optional<Duration> by,
                                                       AdminOptions options) {
  RenewDelegationTokenRequest request;
  request.hmac = hmac;
  request.renew_period_ms = by ? whole_milliseconds(*by) : brokers_default;
  const auto read = [](const auto& reply) { return expiry_in(reply); };
  co_return co_await state_->ask_one<Timestamp>(
      Whom::controller, request, CallOptions{.deadline = state_->deadline_of(options)}, read);
}

Task<ClientResult<Timestamp>> AdminClient::expire_token(std::vector<std::byte> hmac,
                                                        std::optional<Duration> after,
                                                        AdminOptions options) {
  constexpr std::int64_t at_once = -1;
  ExpireDelegationTokenRequest request;
  request.hmac = hmac;
  request.expiry_time_period_ms = after ? whole_milliseconds(*after) : at_once;
  const auto read = [](const auto& reply) { return expiry_in(reply); };
  co_return co_await state_->ask_one<Timestamp>(
      Whom::controller, request, CallOptions{.deadline = state_->deadline_of(options)}, read);
}

Task<ClientResult<std::vector<DelegationToken>>> AdminClient::describe_tokens(
    std::vector<Principal> owners, AdminOptions options) {
  using Owner = DescribeDelegationTokenRequest::DescribeDelegationTokenOwner;
  std::vector<Owner> rows;
  for (const Principal& owner : owners) {
    rows.push_back({.principal_type = owner.type, .principal_name = owner.name});
  }
  DescribeDelegationTokenRequest request;
  request.owners = owners.empty() ? Array<Owner>::null() : view_of(rows);
  const auto read = [](const auto& reply) -> ClientResult<std::vector<DelegationToken>> {
    if (code_of(reply.message.error_code) != ErrorCode::none) {
      return failure(refused(reply.message.error_code, reply.broker, "the tokens"));
    }
    std::vector<DelegationToken> tokens;
    for (const auto& in : reply.message.tokens) tokens.push_back(token_of(in));
    std::ranges::sort(tokens, {}, &DelegationToken::id);
    return tokens;
  };
  co_return co_await state_->ask_one<std::vector<DelegationToken>>(
      Whom::any, request, CallOptions{.deadline = state_->deadline_of(options)}, read);
}

}  // namespace millrace::client
