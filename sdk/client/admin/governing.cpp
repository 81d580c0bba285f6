// What the cluster is made of: its features, its brokers, the voters of its controllers.
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

using protocol::AddRaftVoterRequest;
using protocol::RemoveRaftVoterRequest;
using protocol::UnregisterBrokerRequest;
using protocol::UpdateFeaturesRequest;

// From here on it is said what kind of change it is.
constexpr std::int16_t kinds_of_change_from = 1;
// From here on the answer is one for all.
constexpr std::int16_t one_answer_from = 2;

protocol::String text_or_null(const std::optional<std::string>& text) {
  return text ? protocol::String(*text) : protocol::null_string;
}

std::string named_voter(BrokerId voter) {
  return formatted("voter {}", voter);
}

// What is read of an answer that has nothing but an error.
auto read_error(std::string what) {
  return [what = std::move(what)](const auto& reply) -> ClientResult<void> {
    const auto& in = reply.message;
    if (code_of(in.error_code) == ErrorCode::none) return {};
    return failure(refused(in.error_code, reply.broker, what, in.error_message));
  };
}

}  // namespace

Task<Outcomes<std::string, void>> AdminClient::update_features(std::vector<FeatureUpdate> updates,
                                                               AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  using Open = Items<std::string, void>;
  const auto route = [&](Open& items) { return state_->to_controller(items, deadline); };
  const auto ask = [&](BrokerId broker, Open& items) -> Task<ClientResult<void>> {
    std::vector<UpdateFeaturesRequest::FeatureUpdateKey> rows;
    for (const auto* const item : items) {
      const FeatureUpdate& update = updates[item->place];
      auto& row = rows.emplace_back();
      row.feature = update.name;
      row.max_version_level = update.level;
      row.upgrade_type = static_cast<std::int8_t>(update.change);
    }
    UpdateFeaturesRequest request;
    request.feature_updates = view_of(rows);
    request.timeout_ms = state_->milliseconds_until(deadline);
    request.validate_only = options.validate_only;
    auto reply = co_await state_->send(
        broker, request, CallOptions{.deadline = deadline, .version_min = kinds_of_change_from});
    if (!reply) co_return failure(std::move(reply.error()));
    const auto& in = reply->message;
    if (code_of(in.error_code) != ErrorCode::none) {
      co_return failure(refused(in.error_code, reply->broker, "the features", in.error_message));
    }
    for (auto* const item : items) {
      if (reply->version >= one_answer_from) {
        item->settle();
        continue;
      }
      using Row = protocol::UpdateFeaturesResponse::UpdatableFeatureResult;
      settle_by(*item, row_named(in.results, item->key, &Row::feature), reply->broker,
                formatted("feature {}", item->key), [&](const auto&) { item->settle(); });
    }
    co_return ClientResult<void>();
  };
  std::vector<std::string> names;
  for (const FeatureUpdate& update : updates) names.push_back(update.name);
  co_return co_await in_rounds<std::string, void>(std::move(names), state_->rounds(deadline), route,
                                                  ask);
}

Task<ClientResult<void>> AdminClient::unregister_broker(BrokerId broker, AdminOptions options) {
  UnregisterBrokerRequest request;
  request.broker_id = broker.value();
  co_return co_await state_->ask_one<void>(Whom::controller, request,
                                           CallOptions{.deadline = state_->deadline_of(options)},
                                           read_error(formatted("broker {}", broker)));
}

Task<ClientResult<void>> AdminClient::add_raft_voter(NewVoter voter, AdminOptions options) {
  const MonotonicTime deadline = state_->deadline_of(options);
  std::vector<AddRaftVoterRequest::Listener> listeners;
  for (const QuorumListener& listener : voter.listeners) {
    listeners.push_back({.name = listener.name,
                         .host = listener.address.host,
                         .port = static_cast<std::uint16_t>(listener.address.port.value())});
  }
  AddRaftVoterRequest request;
  request.cluster_id = text_or_null(voter.cluster_id);
  request.timeout_ms = state_->milliseconds_until(deadline);
  request.voter_id = voter.id.value();
  request.voter_directory_id = voter.directory;
  request.listeners = view_of(listeners);
  co_return co_await state_->ask_one<void>(Whom::any, request, CallOptions{.deadline = deadline},
                                           read_error(named_voter(voter.id)));
}

Task<ClientResult<void>> AdminClient::remove_raft_voter(BrokerId voter, Uuid directory,
                                                        std::optional<std::string> cluster_id,
                                                        AdminOptions options) {
  RemoveRaftVoterRequest request;
  request.cluster_id = text_or_null(cluster_id);
  request.voter_id = voter.value();
  request.voter_directory_id = directory;
  co_return co_await state_->ask_one<void>(Whom::any, request,
                                           CallOptions{.deadline = state_->deadline_of(options)},
                                           read_error(named_voter(voter)));
}

}  // namespace millrace::client
