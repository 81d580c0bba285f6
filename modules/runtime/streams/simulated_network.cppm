// A network in memory whose delays, splits and resets come from a seed: for deterministic tests of
// whatever talks over streams.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

export module millrace.runtime.streams:simulated_network;

import millrace.base;
import millrace.runtime;
import :address;
import :network;
import :signal;
import :stream;

export namespace millrace {

struct SimulatedNetworkOptions {
  std::uint64_t seed = 0;
  // How long bytes, their end, and a new connection travel.
  Duration delay_min{};
  Duration delay_max = std::chrono::milliseconds{1};
  // What is under way or waits to be read, in each direction, before a write blocks.
  std::size_t buffer_bytes = 64 * kibibyte;
  // That a read gives, or a write takes, less at a time than it could.
  double split_chance = 0.3;
  // That an operation finds its connection reset.
  double reset_chance = 0;
};

class SimulatedLink;
class SimulatedListener;

// Hosts, listeners and connections between them, in one thread. Several shards of a simulation
// share one. Owned by the test; executor outlives it, and it outlives its listeners and streams.
class SimulatedNetwork final : public Network {
 public:
  SimulatedNetwork(Executor& executor, const SimulatedNetworkOptions& options);
  ~SimulatedNetwork() override;

  using Network::connect;
  using Network::listen;
  [[nodiscard]] StreamResult<std::unique_ptr<Listener>> listen(
      const SocketAddress& address, const ListenOptions& options) override;
  // Connects from the loopback address; `options` mean nothing here.
  [[nodiscard]] Task<StreamResult<std::unique_ptr<ByteStream>>> connect(
      SocketAddress address, SocketOptions options, MonotonicTime deadline) override;
  [[nodiscard]] StreamResult<std::unique_ptr<ByteStream>> adopt(
      std::unique_ptr<AcceptedStream> accepted) override;

  // Breaks every connection that there is now: what is under way is lost.
  void reset_all();
  [[nodiscard]] std::size_t connection_count() const;

 private:
  friend class SimulatedLink;
  friend class SimulatedListener;

  [[nodiscard]] Duration delay();
  [[nodiscard]] Port next_port();

  Executor& executor_;
  SimulatedNetworkOptions options_;
  Random random_;
  std::map<SocketAddress, SimulatedListener*> listeners_;
  std::vector<std::weak_ptr<SimulatedLink>> links_;
  std::uint16_t last_port_;
};

}  // namespace millrace
