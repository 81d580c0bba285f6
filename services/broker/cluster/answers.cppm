// How long the link waits for what, how it asks to be registered, and what the answers of
// controllers mean. Inside this module only.
module;
#include <chrono>
#include <string>

export module millrace.broker.cluster:answers;

import millrace.base;
import millrace.ipc.rpc;
import millrace.metadata;
import :cluster_link;

export namespace millrace::broker {

// How long the controller holds back an answer without news.
inline constexpr Duration follow_wait = std::chrono::milliseconds{500};
// What an answer may take besides.
inline constexpr Duration answer_timeout = std::chrono::seconds{5};
// While something is to change soon: until the broker is unfenced, and while it stops.
inline constexpr Duration impatient_interval = std::chrono::milliseconds{50};
// After an answer that cannot be used.
inline constexpr Duration pause_after_error = std::chrono::milliseconds{500};
// Of a leaving broker's heartbeat; if none is answered in that time, the controllers are away.
inline constexpr Duration farewell_timeout = std::chrono::seconds{1};
// For a request of a client that says no time.
inline constexpr Duration forward_timeout_default = std::chrono::seconds{30};
// While controllers are away.
inline constexpr LogRate outage_rate{.lines_max = 1, .period = std::chrono::seconds{30}};

[[nodiscard]] inline rpc::RegisterBroker register_request(const ClusterLinkOptions& options,
                                                          const Registration& registration) {
  rpc::RegisterBroker request;
  request.cluster_id = registration.cluster_id;
  request.broker_id = options.broker_id;
  request.incarnation = options.incarnation;
  for (const metadata::Endpoint& endpoint : options.endpoints) {
    request.endpoints.push_back({.listener = endpoint.listener,
                                 .host = endpoint.host,
                                 .port = endpoint.port,
                                 .security_protocol = endpoint.security_protocol});
  }
  request.rack = options.rack;
  request.directories = registration.directories;
  request.previous_epoch = registration.previous_epoch;
  return request;
}

// Whether the same registration may be taken later: the session of a dead process with this id
// ends, another controller takes over.
[[nodiscard]] constexpr bool may_pass(protocol::ErrorCode error) {
  return error == protocol::ErrorCode::duplicate_broker_registration ||
         error == protocol::ErrorCode::not_controller ||
         error == protocol::ErrorCode::request_timed_out;
}

// Whether the same call, where it may be carried out twice, may be answered later: controllers
// start, or one has ended while it was asked.
[[nodiscard]] constexpr bool may_pass(rpc::RpcFault fault) {
  switch (fault) {
    case rpc::RpcFault::unavailable:
    case rpc::RpcFault::timed_out:
    case rpc::RpcFault::broken:
      return true;
    case rpc::RpcFault::refused:
    case rpc::RpcFault::too_large:
    case rpc::RpcFault::closed:
      return false;
  }
  return false;
}

// What a client is told whose request got no answer.
[[nodiscard]] constexpr protocol::ErrorCode code_of(rpc::RpcFault fault) {
  switch (fault) {
    case rpc::RpcFault::unavailable:
      return protocol::ErrorCode::not_controller;
    case rpc::RpcFault::closed:
    case rpc::RpcFault::timed_out:
    case rpc::RpcFault::broken:
      return protocol::ErrorCode::request_timed_out;
    case rpc::RpcFault::too_large:
      return protocol::ErrorCode::invalid_request;
    case rpc::RpcFault::refused:
      return protocol::ErrorCode::unknown_server_error;
  }
  return protocol::ErrorCode::unknown_server_error;
}

// Of a reply with an error.
template <class Reply>
[[nodiscard]] std::string sentence_of(const Reply& reply) {
  return reply.message.empty() ? std::string(protocol::name_of(reply.error)) : reply.message;
}

}  // namespace millrace::broker
