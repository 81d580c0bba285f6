module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

module millrace.broker.connections;

import millrace.base;
import millrace.runtime.streams;

namespace millrace::broker {

std::string_view name_of(ConnectionLimit limit) {
  switch (limit) {
    case ConnectionLimit::none:
      return "none";
    case ConnectionLimit::broker:
      return "max.connections";
    case ConnectionLimit::listener:
      return "max.connections of the listener";
    case ConnectionLimit::address:
      return "max.connections.per.ip";
  }
  return "unknown";
}

ConnectionLimits::ConnectionLimits(const ListenersPlan& plan)
    : of_listener_(plan.listeners.size()) {
  set(plan);
}

void ConnectionLimits::set(const ListenersPlan& plan) {
  const std::scoped_lock lock(mutex_);
  broker_max_ = plan.connections_max;
  address_max_ = plan.connections_per_address_max;
  address_overrides_ = plan.address_overrides;
  listener_max_.clear();
  for (const ListenerPlan& listener : plan.listeners) {
    listener_max_.push_back(listener.connections_max);
  }
}

ConnectionLimit ConnectionLimits::take(std::size_t listener, const SocketAddress& peer) {
  const SocketAddress host = host_of(peer);
  const std::scoped_lock lock(mutex_);
  const auto found = address_overrides_.find(host);
  const std::uint32_t address_max =
      found == address_overrides_.end() ? address_max_ : found->second;
  if (total_ >= broker_max_) return ConnectionLimit::broker;
  if (of_listener_[listener] >= listener_max_[listener]) return ConnectionLimit::listener;
  const auto of_address = of_address_.find(host);
  const std::size_t count = of_address == of_address_.end() ? 0 : of_address->second;
  if (count >= address_max) return ConnectionLimit::address;
  ++total_;
  ++of_listener_[listener];
  ++of_address_[host];
  return ConnectionLimit::none;
}

void ConnectionLimits::give_back(std::size_t listener, const SocketAddress& peer) {
  const std::scoped_lock lock(mutex_);
  const auto of_address = of_address_.find(host_of(peer));
  check(total_ > 0 && of_listener_[listener] > 0 && of_address != of_address_.end(),
        "a connection that ends was counted");
  --total_;
  --of_listener_[listener];
  if (--of_address->second == 0) of_address_.erase(of_address);
}

std::size_t ConnectionLimits::total() const {
  const std::scoped_lock lock(mutex_);
  return total_;
}

}  // namespace millrace::broker
