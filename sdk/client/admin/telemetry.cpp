// What the client tells of itself.
module;
#include <coroutine>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.admin;

import millrace.base;
import millrace.client.core;
import millrace.protocol;
import millrace.runtime;
import :admin_client;
import :rounds;
import :state;
import :types;

namespace millrace::client {

Task<ClientResult<Uuid>> AdminClient::client_instance_id(AdminOptions options) {
  if (state_->client_instance_id) co_return *state_->client_instance_id;
  // Without an id the broker gives one.
  const protocol::GetTelemetrySubscriptionsRequest request{};
  const auto read = [](const auto& reply) { return instance_id_in(reply.message, reply.broker); };
  auto given = co_await state_->ask_one<Uuid>(
      Whom::any, request, CallOptions{.deadline = state_->deadline_of(options)}, read);
  // Of calls that run side by side the first that ends counts.
  if (given && !state_->client_instance_id) state_->client_instance_id = *given;
  if (given) co_return *state_->client_instance_id;
  co_return given;
}

void AdminClient::list_metrics(MetricList& to) const {
  state_->brokers.list_metrics("admin-client", to);
}

}  // namespace millrace::client
