// Passwords for SCRAM: what of them brokers keep is derived here (RFC 5802).
module;
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
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

using protocol::AlterUserScramCredentialsRequest;
using protocol::AlterUserScramCredentialsResponse;
using protocol::DescribeUserScramCredentialsRequest;
using protocol::DescribeUserScramCredentialsResponse;

constexpr std::size_t salt_bytes = 24;

// What a change sends.
struct Derived {
  std::vector<std::byte> salt;
  std::vector<std::byte> salted_password;
};

std::string named(const std::string& user) {
  return formatted("credential of user {}", user);
}

unsigned char* chars_of(std::vector<std::byte>& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}

ClientResult<Derived> derive(const ScramChange& change) {
  const auto refuse = [&](std::string why) {
    return failure(client_error(Failure::bad_argument,
                                formatted("{}: {}", named(change.user), std::move(why))));
  };
  const EVP_MD* const digest = change.mechanism == ScramMechanism::sha_256   ? EVP_sha256()
                               : change.mechanism == ScramMechanism::sha_512 ? EVP_sha512()
                                                                             : nullptr;
  if (digest == nullptr) return refuse("there is no such mechanism");
  if (change.iterations < scram_iterations_min || change.iterations > scram_iterations_max) {
    return refuse(formatted("{} iterations; brokers take {} to {}", change.iterations,
                            scram_iterations_min, scram_iterations_max));
  }
  if (change.password->empty()) return refuse("the password is empty");
  Derived derived{.salt = change.salt, .salted_password = {}};
  if (derived.salt.empty()) {
    derived.salt.resize(salt_bytes);
    if (RAND_bytes(chars_of(derived.salt), static_cast<int>(salt_bytes)) != 1) {
      return refuse("the system gave no random salt");
    }
  }
  derived.salted_password.resize(static_cast<std::size_t>(EVP_MD_get_size(digest)));
  if (PKCS5_PBKDF2_HMAC(change.password->data(), static_cast<int>(change.password->size()),
                        chars_of(derived.salt), static_cast<int>(derived.salt.size()),
                        change.iterations, digest, static_cast<int>(derived.salted_password.size()),
                        chars_of(derived.salted_password)) != 1) {
    return refuse("the password could not be salted");
  }
  return derived;
}

std::vector<ScramCredential> credentials_of(
    const DescribeUserScramCredentialsResponse::DescribeUserScramCredentialsResult& in) {
  std::vector<ScramCredential> out;
  for (const auto& info : in.credential_infos) {
    out.push_back(
        {.mechanism = static_cast<ScramMechanism>(info.mechanism), .iterations = info.iterations});
  }
  return out;
}

}  // namespace

Task<ClientResult<Outcomes<std::string, std::vector<ScramCredential>>>> AdminClient::describe_scram(
    std::vector<std::string> users, AdminOptions options) {
  using Value = Outcomes<std::string, std::vector<ScramCredential>>;
  std::vector<DescribeUserScramCredentialsRequest::UserName> rows;
  for (const std::string& user : users) rows.push_back({.name = user});
  DescribeUserScramCredentialsRequest request;
  request.users =
      users.empty() ? Array<DescribeUserScramCredentialsRequest::UserName>::null() : view_of(rows);
  const auto read = [](const auto& reply) -> ClientResult<Value> {
    const DescribeUserScramCredentialsResponse& in = reply.message;
    if (code_of(in.error_code) != ErrorCode::none) {
      return failure(refused(in.error_code, reply.broker, "the credentials", in.error_message));
    }
    Value told;
    for (const auto& row : in.results) {
      std::string user(row.user);
      ClientResult<std::vector<ScramCredential>> outcome = credentials_of(row);
      if (code_of(row.error_code) != ErrorCode::none) {
        outcome = failure(refused(row.error_code, reply.broker, named(user), row.error_message));
      }
      told.emplace_back(std::move(user), std::move(outcome));
    }
    return told;
  };
  co_return co_await state_->ask_one<Value>(
      Whom::controller, request, CallOptions{.deadline = state_->deadline_of(options)}, read);
}

Task<Outcomes<std::string, void>> AdminClient::alter_scram(std::vector<ScramChange> changes,
                                                           AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  std::vector<ClientResult<Derived>> derived;
  for (const ScramChange& change : changes) {
    derived.push_back(change.password ? derive(change) : ClientResult<Derived>(Derived{}));
  }
  using Open = Items<std::string, void>;
  const auto route = [&](Open& items) -> Task<void> {
    for (auto* const item : items) {
      if (!derived[item->place]) item->fail_for_good(derived[item->place].error());
    }
    std::erase_if(items, [](const auto* item) { return item->outcome.has_value(); });
    if (!items.empty()) co_await state_->to_controller(items, deadline);
  };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<AlterUserScramCredentialsRequest::ScramCredentialDeletion> deletions;
    std::vector<AlterUserScramCredentialsRequest::ScramCredentialUpsertion> upsertions;
    for (const auto* const item : items) {
      const ScramChange& change = changes[item->place];
      const auto mechanism = static_cast<std::int8_t>(change.mechanism);
      if (!change.password) {
        deletions.push_back({.name = change.user, .mechanism = mechanism});
        continue;
      }
      const Derived& made = *derived[item->place];
      upsertions.push_back({.name = change.user,
                            .mechanism = mechanism,
                            .iterations = change.iterations,
                            .salt = made.salt,
                            .salted_password = made.salted_password});
    }
    AlterUserScramCredentialsRequest request;
    request.deletions = view_of(deletions);
    request.upsertions = view_of(upsertions);
    auto reply = co_await state_->send(broker, request, CallOptions{.deadline = deadline});
    if (!reply) co_return failure(std::move(reply.error()));
    using Row = AlterUserScramCredentialsResponse::AlterUserScramCredentialsResult;
    for (auto* const item : items) {
      settle_by(*item, row_named(reply->message.results, item->key, &Row::user), reply->broker,
                named(item->key), [&](const auto&) { item->settle(); });
    }
    co_return ClientResult<void>();
  };
  std::vector<std::string> users;
  for (const ScramChange& change : changes) users.push_back(change.user);
  co_return co_await in_rounds<std::string, void>(std::move(users), state_->rounds(deadline), route,
                                                  ask);
}

}  // namespace millrace::client
