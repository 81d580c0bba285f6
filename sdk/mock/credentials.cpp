// Credentials for SCRAM and delegation tokens: kept and told, good for nothing.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.security;
import millrace.protocol.wire;
import millrace.runtime;
import :administration;
import :asked;
import :faults;
import :handlers;
import :state;

namespace millrace::mock {
namespace {

using protocol::AlterUserScramCredentialsRequest;
using protocol::AlterUserScramCredentialsResponse;
using protocol::DescribeDelegationTokenResponse;
using protocol::DescribeUserScramCredentialsResponse;

constexpr std::int32_t iterations_min = 4096;
constexpr std::int32_t iterations_max = 16384;
constexpr std::int64_t token_milliseconds = 24LL * 3600 * 1000;
constexpr std::int64_t token_milliseconds_max = 7 * token_milliseconds;
constexpr std::size_t hmac_bytes = 64;
constexpr std::string_view user_type = "User";
constexpr std::string_view anonymous = "ANONYMOUS";

bool is_mechanism(std::int8_t number) {
  return number == 1 || number == 2;
}

// What is wrong with what is asked for of one user, as a broker says it of all of it together.
ErrorCode refusal_of(protocol::String user, const AlterUserScramCredentialsRequest& message,
                     Asked& asked) {
  if (asked.planted != ErrorCode::none) return asked.planted;
  std::vector<std::int8_t> named;
  for (const auto& in : message.deletions) {
    if (in.name != user) continue;
    named.push_back(in.mechanism);
    if (!asked.state.administration.scram.contains({std::string(user), in.mechanism})) {
      return ErrorCode::resource_not_found;
    }
  }
  for (const auto& in : message.upsertions) {
    if (in.name != user) continue;
    named.push_back(in.mechanism);
    if (in.iterations < iterations_min || in.iterations > iterations_max) {
      return ErrorCode::unacceptable_credential;
    }
  }
  std::ranges::sort(named);
  if (std::ranges::adjacent_find(named) != named.end()) return ErrorCode::duplicate_resource;
  if (user.empty()) return ErrorCode::unacceptable_credential;
  return std::ranges::all_of(named, is_mechanism) ? ErrorCode::none
                                                  : ErrorCode::unsupported_sasl_mechanism;
}

std::vector<std::byte> copy_of(protocol::Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

Timestamp now(const Asked& asked) {
  return asked.state.clock().wall_now();
}

Token* find_token(protocol::Bytes hmac, Asked& asked) {
  auto& tokens = asked.state.administration.tokens;
  const auto found = std::ranges::find_if(
      tokens, [&](const Token& token) { return std::ranges::equal(token.hmac, hmac); });
  return found == tokens.end() ? nullptr : &*found;
}

}  // namespace

Answer describe_user_scram_credentials(Asked& asked) {
  protocol::DescribeUserScramCredentialsRequest message;
  if (!read(message, asked)) return {};
  using Response = DescribeUserScramCredentialsResponse;
  std::map<std::string, std::vector<Response::CredentialInfo>> found;
  for (const auto& [key, secret] : asked.state.administration.scram) {
    found[key.first].push_back({.mechanism = key.second, .iterations = secret.iterations});
  }
  std::vector<Response::DescribeUserScramCredentialsResult> rows;
  const auto tell = [&](std::string_view user) {
    auto& row = rows.emplace_back();
    row.user = keep(user, asked);
    row.error_message = protocol::null_string;
    const auto own = found.find(std::string(user));
    row.error_code =
        number_of(own == found.end() ? ErrorCode::resource_not_found : ErrorCode::none);
    if (own != found.end()) row.credential_infos = keep(own->second, asked);
  };
  if (asked.planted == ErrorCode::none && message.users.is_null()) {
    for (const auto& [user, infos] : found) tell(user);
  } else if (asked.planted == ErrorCode::none) {
    for (const auto& user : message.users) tell(user.name);
  }
  Response response;
  response.error_code = number_of(asked.planted);
  response.error_message = protocol::null_string;
  response.results = keep(rows, asked);
  return answer(asked, response);
}

Answer alter_user_scram_credentials(Asked& asked) {
  AlterUserScramCredentialsRequest message;
  if (!read(message, asked)) return {};
  std::map<protocol::String, ErrorCode> outcomes;
  for (const auto& in : message.deletions) outcomes[in.name] = ErrorCode::none;
  for (const auto& in : message.upsertions) outcomes[in.name] = ErrorCode::none;
  std::vector<AlterUserScramCredentialsResponse::AlterUserScramCredentialsResult> rows;
  for (auto& [user, outcome] : outcomes) {
    outcome = refusal_of(user, message, asked);
    rows.push_back(
        {.user = user, .error_code = number_of(outcome), .error_message = protocol::null_string});
  }
  auto& scram = asked.state.administration.scram;
  for (const auto& in : message.deletions) {
    if (outcomes[in.name] == ErrorCode::none) scram.erase({std::string(in.name), in.mechanism});
  }
  for (const auto& in : message.upsertions) {
    if (outcomes[in.name] != ErrorCode::none) continue;
    scram[{std::string(in.name), in.mechanism}] = {.iterations = in.iterations,
                                                   .salt = copy_of(in.salt),
                                                   .salted_password = copy_of(in.salted_password)};
  }
  AlterUserScramCredentialsResponse response;
  response.results = keep(rows, asked);
  return answer(asked, response);
}

Answer create_delegation_token(Asked& asked) {
  protocol::CreateDelegationTokenRequest message;
  if (!read(message, asked)) return {};
  protocol::CreateDelegationTokenResponse response;
  response.error_code = number_of(asked.planted);
  if (asked.planted != ErrorCode::none) return answer(asked, response);
  Token token;
  token.id = to_string(asked.state.new_id());
  for (std::size_t i = 0; i < hmac_bytes; ++i) {
    token.hmac.push_back(static_cast<std::byte>(asked.state.random().below(256)));
  }
  const bool for_another =
      message.owner_principal_name.data() != nullptr && !message.owner_principal_name.empty();
  token.owner = for_another
                    ? PrincipalName(message.owner_principal_type, message.owner_principal_name)
                    : PrincipalName(user_type, anonymous);
  for (const auto& renewer : message.renewers) {
    token.renewers.emplace_back(renewer.principal_type, renewer.principal_name);
  }
  token.issued = now(asked);
  const std::int64_t longest = message.max_lifetime_ms < 0
                                   ? token_milliseconds_max
                                   : std::min(message.max_lifetime_ms, token_milliseconds_max);
  token.expires_at_latest = token.issued.plus(longest);
  token.expires = token.issued.plus(std::min(longest, token_milliseconds));
  const Token& kept = asked.state.administration.tokens.emplace_back(std::move(token));
  response.principal_type = kept.owner.first;
  response.principal_name = kept.owner.second;
  response.token_requester_principal_type = user_type;
  response.token_requester_principal_name = anonymous;
  response.issue_timestamp_ms = kept.issued.value();
  response.expiry_timestamp_ms = kept.expires.value();
  response.max_timestamp_ms = kept.expires_at_latest.value();
  response.token_id = kept.id;
  response.hmac = kept.hmac;
  return answer(asked, response);
}

Answer renew_delegation_token(Asked& asked) {
  protocol::RenewDelegationTokenRequest message;
  if (!read(message, asked)) return {};
  Token* const token = find_token(message.hmac, asked);
  const ErrorCode error = asked.planted != ErrorCode::none ? asked.planted
                          : token == nullptr               ? ErrorCode::delegation_token_not_found
                                                           : ErrorCode::none;
  protocol::RenewDelegationTokenResponse response;
  response.error_code = number_of(error);
  if (error == ErrorCode::none) {
    const std::int64_t by =
        message.renew_period_ms < 0 ? token_milliseconds : message.renew_period_ms;
    token->expires = std::min(now(asked).plus(by), token->expires_at_latest);
    response.expiry_timestamp_ms = token->expires.value();
  }
  return answer(asked, response);
}

Answer expire_delegation_token(Asked& asked) {
  protocol::ExpireDelegationTokenRequest message;
  if (!read(message, asked)) return {};
  Token* const token = find_token(message.hmac, asked);
  const ErrorCode error = asked.planted != ErrorCode::none ? asked.planted
                          : token == nullptr               ? ErrorCode::delegation_token_not_found
                                                           : ErrorCode::none;
  protocol::ExpireDelegationTokenResponse response;
  response.error_code = number_of(error);
  if (error == ErrorCode::none && message.expiry_time_period_ms < 0) {
    response.expiry_timestamp_ms = now(asked).value();
    std::erase_if(asked.state.administration.tokens,
                  [&](const Token& one) { return &one == token; });
  } else if (error == ErrorCode::none) {
    token->expires =
        std::min(now(asked).plus(message.expiry_time_period_ms), token->expires_at_latest);
    response.expiry_timestamp_ms = token->expires.value();
  }
  return answer(asked, response);
}

Answer describe_delegation_token(Asked& asked) {
  protocol::DescribeDelegationTokenRequest message;
  if (!read(message, asked)) return {};
  using Response = DescribeDelegationTokenResponse;
  const auto wants = [&](const PrincipalName& owner) {
    if (message.owners.is_null()) return true;
    return std::ranges::any_of(message.owners, [&](const auto& wanted) {
      return wanted.principal_type == owner.first && wanted.principal_name == owner.second;
    });
  };
  std::vector<Response::DescribedDelegationToken> rows;
  for (const Token& token : asked.state.administration.tokens) {
    if (asked.planted != ErrorCode::none || !wants(token.owner)) continue;
    std::vector<Response::DescribedDelegationTokenRenewer> renewers;
    for (const auto& [type, name] : token.renewers) {
      renewers.push_back({.principal_type = type, .principal_name = name});
    }
    auto& row = rows.emplace_back();
    row.principal_type = token.owner.first;
    row.principal_name = token.owner.second;
    row.token_requester_principal_type = user_type;
    row.token_requester_principal_name = anonymous;
    row.issue_timestamp = token.issued.value();
    row.expiry_timestamp = token.expires.value();
    row.max_timestamp = token.expires_at_latest.value();
    row.token_id = token.id;
    row.hmac = token.hmac;
    row.renewers = keep(renewers, asked);
  }
  Response response;
  response.error_code = number_of(asked.planted);
  response.tokens = keep(rows, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
