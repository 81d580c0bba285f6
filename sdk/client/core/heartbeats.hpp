// Calls of heartbeats on a BrokersMachine, for the tests of connections.
#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "scripted_broker.hpp"

import millrace.client.core;
import millrace.protocol;

namespace millrace::client {

inline constexpr BrokerId one{1};

inline protocol::HeartbeatRequest heartbeat() {
  protocol::HeartbeatRequest request;
  request.group_id = "g";
  request.member_id = "m";
  return request;
}

// Versions are told; a heartbeat is answered with an error code that counts up, so that answers can
// be told apart.
inline auto answering(std::int16_t first = 0) {
  auto next = std::make_shared<std::int16_t>(first);
  return [next](const Heard& heard) -> Reaction {
    if (heard.api == protocol::ApiKey::api_versions) return say_versions(heard);
    if (heard.api != protocol::ApiKey::heartbeat) return {};
    protocol::HeartbeatResponse response;
    response.error_code = (*next)++;
    return answer(heard, response);
  };
}

struct Outcome {
  std::optional<ClientError> error;
  std::int16_t code = -1;
  std::int16_t version = -1;
  MonotonicTime at{};
};

// One heartbeat; the request lives here for as long as the call.
inline Task<Outcome> beat(BrokersMachine& machine, BrokerId broker = one,
                          CallOptions options = {}) {
  const protocol::HeartbeatRequest request = heartbeat();
  const auto reply = co_await machine.brokers->call(broker, request, options);
  Outcome outcome;
  outcome.at = machine.now();
  if (!reply) {
    outcome.error = reply.error();
  } else {
    outcome.code = reply->message.error_code;
    outcome.version = reply->version;
  }
  co_return outcome;
}
inline Task<void> beat_into(BrokersMachine& machine, std::vector<Outcome>& into,
                            CallOptions options = {}) {
  into.push_back(co_await beat(machine, one, options));
}
inline std::vector<Outcome> beat_many(BrokersMachine& machine, std::size_t count,
                                      CallOptions options = {}) {
  std::vector<Outcome> outcomes;
  TaskGroup group;
  for (std::size_t i = 0; i < count; ++i) group.start(beat_into(machine, outcomes, options));
  const auto wait = [](TaskGroup& waited) -> Task<void> { co_await waited.wait(); };
  machine.run(wait(group));
  return outcomes;
}

}  // namespace millrace::client
