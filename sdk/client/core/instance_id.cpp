module;
#include <chrono>
#include <coroutine>
#include <optional>
#include <string>
#include <utility>

module millrace.client.core;

import millrace.base;
import millrace.protocol.telemetry;
import millrace.runtime;

namespace millrace::client {

ClientResult<Uuid> instance_id_in(const protocol::GetTelemetrySubscriptionsResponse& answer,
                                  BrokerId broker) {
  const ErrorCode code = protocol::error_code_from(answer.error_code);
  if (code != ErrorCode::none) {
    return failure(broker_error(code, broker, "the id of this client"));
  }
  if (answer.client_instance_id.is_zero()) {
    return failure(client_error(Failure::malformed_answer,
                                "the answer does not tell of the id of this client",
                                Persistence::unknown, broker));
  }
  return answer.client_instance_id;
}

Task<ClientResult<Uuid>> InstanceId::ask(MonotonicTime deadline) {
  // Without an id the broker gives one.
  const protocol::GetTelemetrySubscriptionsRequest request{};
  auto reply = co_await brokers_.call_any(request, CallOptions{.deadline = deadline});
  if (reply) co_return instance_id_in(reply->message, reply->broker);
  if (reply.error().failure == Failure::unsupported_version) {
    reply.error().message = formatted("the broker does not support {}: it collects no metrics",
                                      protocol::name_of(request.api_key));
  }
  co_return failure(std::move(reply.error()));
}

Task<ClientResult<Uuid>> InstanceId::get(MonotonicTime deadline) {
  Backoff backoff(range_, Random(random_.next()));
  while (!known_) {
    auto given = co_await ask(deadline);
    if (given) {
      // Of calls that run side by side the first that ends counts.
      if (!known_) known_ = *given;
      break;
    }
    const MonotonicTime next = executor_.clock().now() + backoff.next();
    if (!given.error().retriable || is_stopped_ || next >= deadline) co_return given;
    static_cast<void>(co_await pauses_.wait(next));
  }
  co_return *known_;
}

void InstanceId::stop() {
  is_stopped_ = true;
  pauses_.wake_all();
}

}  // namespace millrace::client
