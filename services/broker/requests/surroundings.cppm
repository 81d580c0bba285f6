// What the handlers of a shard stand on, and how they read a request.
module;
#include <chrono>
#include <coroutine>
#include <string>

export module millrace.broker.requests:surroundings;

import millrace.base;
import millrace.broker.requests.configs;
import millrace.broker.requests.lookups;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.security;

export namespace millrace::broker {

// All of it outlives the handlers, and lives on their shard.
struct HandlerSurroundings {
  BufferPool& pool;
  Executor& executor;
  ImagePort& images;
  ConfigView& configs;
  security::Authorizer& authorizer;
  security::Quotas& quotas;
  ControllerPort& controller;
  BrokerId self;
};

// Why the connection is closed.
[[nodiscard]] std::string why_unreadable(const RequestContext& context,
                                         const protocol::DecodeError& error);

// Reads the body of `request`. The error is the reason why the connection is closed.
template <class Message>
[[nodiscard]] Result<void, std::string> read_body(Message& message, const Request& request,
                                                  protocol::Arena& arena) {
  const auto read = decode(message, request.body, request.context.version, arena);
  if (read) return {};
  return failure(why_unreadable(request.context, read.error()));
}

[[nodiscard]] inline Permissions permissions_of(const Request& request,
                                                const HandlerSurroundings& around) {
  return {around.authorizer, *request.context.session};
}

[[nodiscard]] inline ClusterView view_of(const metadata::Image& image, const Request& request,
                                         const HandlerSurroundings& around) {
  return {.image = image,
          .listener = request.context.session->listener,
          .permissions = permissions_of(request, around)};
}

// What is asked for begins so much later; zero costs nothing.
[[nodiscard]] inline Task<void> hold_back(const HandlerSurroundings& around, Duration throttle) {
  if (throttle <= Duration::zero()) co_return;
  co_await sleep_until(around.executor, around.executor.clock().now() + throttle);
}

}  // namespace millrace::broker
