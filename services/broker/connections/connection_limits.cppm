// How many connections there may be.
module;
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>
#include <vector>

export module millrace.broker.connections:connection_limits;

import millrace.base;
import millrace.runtime.streams;
import :options;

export namespace millrace::broker {

// The limit that a connection would pass.
enum class ConnectionLimit : std::uint8_t { none, broker, listener, address };

// The name of the property that sets it.
[[nodiscard]] std::string_view name_of(ConnectionLimit limit);

// Counts the connections of the broker, of each listener and of each address. Any thread may call
// it: once when a connection begins and once when it ends. What it holds is bounded by the number
// of connections.
class ConnectionLimits {
 public:
  explicit ConnectionLimits(const ListenersPlan& plan);

  // Counts it, or says which limit is reached. `listener` is its place in the plan.
  [[nodiscard]] ConnectionLimit take(std::size_t listener, const SocketAddress& peer);
  // Connections that there are already stay, also above the new limits.
  void set(const ListenersPlan& plan);
  void give_back(std::size_t listener, const SocketAddress& peer);

  [[nodiscard]] std::size_t total() const;

 private:
  mutable std::mutex mutex_;
  std::uint32_t broker_max_ = 0;
  std::uint32_t address_max_ = 0;
  std::map<SocketAddress, std::uint32_t> address_overrides_;
  std::vector<std::uint32_t> listener_max_;
  std::size_t total_ = 0;
  std::vector<std::size_t> of_listener_;
  std::map<SocketAddress, std::size_t> of_address_;
};

}  // namespace millrace::broker
