module;
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.metadata;
import millrace.runtime;

namespace millrace::client {
namespace {

// From this one on all brokers that this client works with speak the request in one shape.
constexpr std::int16_t find_coordinator_version_min = 4;

std::int8_t key_type_of(CoordinatorKind kind) {
  return kind == CoordinatorKind::transaction ? 1 : 0;
}

const char* name_of(CoordinatorKind kind) {
  return kind == CoordinatorKind::transaction ? "transactional id" : "group";
}

}  // namespace

std::optional<BrokerId> Coordinators::known(CoordinatorKind kind) const {
  const auto& known = known_[static_cast<std::size_t>(kind)];
  if (!known) return std::nullopt;
  return known->broker;
}

Task<ClientResult<BrokerId>> Coordinators::find(CoordinatorKind kind, std::string key,
                                                MonotonicTime deadline) {
  auto& known = known_[static_cast<std::size_t>(kind)];
  if (known && known->key == key) co_return known->broker;
  const protocol::String asked = key;
  protocol::FindCoordinatorRequest request;
  request.key_type = key_type_of(kind);
  request.coordinator_keys = {&asked, 1};
  CallOptions options;
  options.deadline = deadline;
  options.version_min = find_coordinator_version_min;
  options.lane = Lane::coordination;
  auto reply = co_await brokers_.call_any(request, options);
  if (!reply) co_return failure(std::move(reply.error()));
  const auto malformed = [&](const char* what) {
    return failure(client_error(Failure::malformed_answer,
                                formatted("the coordinator of {} {} {}", name_of(kind), key, what),
                                Persistence::not_persisted, reply->broker));
  };
  if (reply->message.coordinators.size() != 1) co_return malformed("was answered as several");
  const auto& found = reply->message.coordinators[0];
  if (const ErrorCode error = protocol::error_code_from(found.error_code);
      error != ErrorCode::none) {
    co_return failure(
        broker_error(error, reply->broker,
                     formatted("the coordinator of {} {} is not known", name_of(kind), key)));
  }
  if (found.node_id < 0 || found.port <= 0 || found.port > 65'535) {
    co_return malformed("has no address");
  }
  const BrokerId broker(found.node_id);
  brokers_.learn({broker, {std::string(found.host), Port(static_cast<std::uint16_t>(found.port))}});
  known = Known{std::move(key), broker};
  co_return broker;
}

}  // namespace millrace::client
