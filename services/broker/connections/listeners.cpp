module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.connections;

import millrace.base;
import millrace.config;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.telemetry;

namespace millrace::broker {
namespace {

std::string cannot_listen(const ListenerPlan& listener, const SocketAddress& address,
                          const StreamError& error) {
  std::string text =
      formatted("listeners: {} cannot listen at {}: {}", listener.name, address, error.fault);
  if (error.fault == StreamFault::address_in_use) text += "; is another broker running?";
  return text;
}

ErrorKind kind_of(StreamFault fault) {
  return fault == StreamFault::address_in_use ? ErrorKind::already_exists : ErrorKind::io;
}

}  // namespace

Result<std::unique_ptr<Listeners>> Listeners::listen(Shard& home, Network& network,
                                                     ListenersPlan plan,
                                                     std::vector<ShardConnections*> shards,
                                                     telemetry::Registry& registry,
                                                     const Logger& log) {
  check(shards.size() == home.shard_count(), "each shard has connections");
  const auto refused = registry.add<telemetry::Counter>(refused_connections_definition());
  if (!refused) return failure(refused.error());
  std::unique_ptr<Listeners> listeners(
      new Listeners(home, std::move(plan), std::move(shards), *refused, log));
  for (std::size_t i = 0; i < listeners->plan_.listeners.size(); ++i) {
    if (auto bound = listeners->bind(i, network); !bound) return failure(bound.error());
  }
  return listeners;
}

Listeners::Listeners(Shard& home, ListenersPlan plan, std::vector<ShardConnections*> shards,
                     telemetry::Family<telemetry::Counter> refused, const Logger& log)
    : home_(home),
      plan_(std::move(plan)),
      shards_(std::move(shards)),
      limits_(plan_),
      pace_(plan_),
      log_(log.child("listeners")),
      peer_log_(log_, home.clock()) {
  for (const ConnectionLimit limit :
       {ConnectionLimit::broker, ConnectionLimit::listener, ConnectionLimit::address}) {
    refused_.push_back(refused.of(home.index(), {name_of(limit)}));
  }
}

Listeners::~Listeners() {
  check(accepting_.running() == 0, "listeners are stopped before they end");
}

Result<void> Listeners::bind(std::size_t index, Network& network) {
  const ListenerPlan& listener = plan_.listeners[index];
  ListenerEndpoint endpoint{.name = listener.name,
                            .protocol = listener.protocol,
                            .advertised_host = listener.advertised_host,
                            .advertised_port = listener.advertised_port,
                            .bound = {}};
  std::optional<Error> first_error;
  for (SocketAddress address : listener.addresses) {
    // One port for all addresses of a listener, also where the system chose it.
    if (!endpoint.bound.empty()) address.port = endpoint.bound.front().port;
    auto socket = network.listen(address, plan_.sockets);
    if (!socket) {
      // A machine without one of the families still has the other.
      const StreamFault fault = socket.error().fault;
      const Error error{kind_of(fault), cannot_listen(listener, address, socket.error())};
      if (fault == StreamFault::address_in_use || fault == StreamFault::denied) {
        return failure(error);
      }
      if (!first_error) first_error = error;
      continue;
    }
    endpoint.bound.push_back((*socket)->address());
    bound_.push_back(std::make_unique<Bound>(index, std::move(*socket), home_.loop()));
    if (listener.host.empty()) break;
  }
  if (endpoint.bound.empty()) return failure(*first_error);
  if (endpoint.advertised_port == Port(0)) {
    endpoint.advertised_port = endpoint.bound.front().port;
  }
  for (const SocketAddress& address : endpoint.bound) {
    log_.info("{} listens at {}, advertised as {}:{}", endpoint.name, address,
              endpoint.advertised_host, endpoint.advertised_port);
  }
  endpoints_.push_back(std::move(endpoint));
  return {};
}

void Listeners::accept_all() {
  for (const auto& bound : bound_) accepting_.start(accept(*bound));
}

void Listeners::follow(const config::ServerConfig& config) {
  if (const auto changed = change_limits(config, plan_); !changed) {
    log_.error("the limits of connections stay as they were: {}", changed.error().message);
    return;
  }
  limits_.set(plan_);
  pace_.set(plan_);
  pace_changed();
}

void Listeners::pace_changed() {
  for (const auto& bound : bound_) bound->pace_changed.set();
}

// Until the next connection may be taken, or the end.
Task<void> Listeners::keep_pace(Bound& bound) {
  bool is_told = false;
  while (!is_stopping_) {
    const MonotonicTime next = pace_.next(bound.listener);
    if (next <= home_.clock().now()) co_return;
    if (!std::exchange(is_told, true)) {
      peer_log_.warning("{} makes connections wait: max.connection.creation.rate is reached",
                        plan_.listeners[bound.listener].name);
    }
    static_cast<void>(co_await bound.pace_changed.wait(next));
  }
}

bool Listeners::admits(std::size_t listener, const SocketAddress& peer) {
  const ConnectionLimit limit = limits_.take(listener, peer);
  if (limit == ConnectionLimit::none) return true;
  refused_[static_cast<std::size_t>(limit) - 1].add();
  peer_log_.warning("connection of {} on {} refused: {} is reached", peer,
                    plan_.listeners[listener].name, name_of(limit));
  return false;
}

Task<void> Listeners::accept(Bound& bound) {
  const std::size_t listener = bound.listener;
  while (true) {
    co_await keep_pace(bound);
    auto accepted = co_await bound.socket->accept();
    if (!accepted) {
      if (accepted.error().fault == StreamFault::closed) co_return;
      log_.error("{} accepts no more: {}", plan_.listeners[listener].name,
                 describe(accepted.error(), bound.socket->address()));
      co_return;
    }
    pace_.took(listener, home_.clock().now());
    const SocketAddress peer = (*accepted)->peer();
    if (!admits(listener, peer)) continue;
    NewConnection connection{
        .accepted = std::move(*accepted),
        .listener = plan_.listeners[listener].name,
        .protocol = plan_.listeners[listener].protocol,
        .ended = [this, listener, peer] { limits_.give_back(listener, peer); }};
    const ShardIndex to(next_shard_++ % home_.shard_count());
    ShardConnections* there = shards_[to.value()];
    co_await home_.call(to, [there, &connection](Shard&) { there->adopt(std::move(connection)); });
  }
}

Task<void> Listeners::stop_shard(ShardIndex shard, Duration drain_max) {
  ShardConnections* there = shards_[shard.value()];
  co_await home_.call(shard,
                      [there, drain_max](Shard&) -> Task<void> { return there->stop(drain_max); });
}

Task<void> Listeners::stop(Duration drain_max) {
  is_stopping_ = true;
  for (const auto& bound : bound_) bound->socket->close();
  pace_changed();
  co_await accepting_.wait();
  for (std::uint32_t i = 0; i < home_.shard_count(); ++i) {
    stopping_.start(stop_shard(ShardIndex(i), drain_max));
  }
  co_await stopping_.wait();
  peer_log_.report_suppressed();
}

}  // namespace millrace::broker
