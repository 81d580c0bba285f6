// Where clients connect to.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

export module millrace.broker.connections:listeners;

import millrace.base;
import millrace.config;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.security;
import millrace.telemetry;
import :accept_pace;
import :connection_limits;
import :limits;
import :metrics;
import :options;
import :shard_connections;

export namespace millrace::broker {

// What a broker registers and clients are told.
struct ListenerEndpoint {
  std::string name;
  security::SecurityProtocol protocol = security::SecurityProtocol::plaintext;
  std::string advertised_host;
  Port advertised_port{0};
  std::vector<SocketAddress> bound;  // where it listens, with the ports that the system chose
};

// Listens on one shard, the home, and hands each connection to the next shard in turn. Used on its
// home; is destroyed after stop() has returned.
class Listeners {
 public:
  // Begins to listen, but accepts nobody before accept_all(): ports are known, and a port in use is
  // found out, before the broker registers. `shards` has the connections of each shard by its
  // index; they outlive this. Fails with a sentence when an address cannot be listened at.
  [[nodiscard]] static Result<std::unique_ptr<Listeners>> listen(
      Shard& home, Network& network, ListenersPlan plan, std::vector<ShardConnections*> shards,
      telemetry::Registry& registry, const Logger& log);
  ~Listeners();
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  [[nodiscard]] const std::vector<ListenerEndpoint>& endpoints() const { return endpoints_; }
  void accept_all();
  // The limits of connections that `config` has now count for those who come from now on. What
  // cannot count is told in the log, and the limits stay as they were.
  void follow(const config::ServerConfig& config);

  // Nobody can connect any more; then the connections of all shards end, see
  // ShardConnections::stop().
  [[nodiscard]] Task<void> stop(Duration drain_max = drain_duration_max_default);

  [[nodiscard]] const ConnectionLimits& limits() const { return limits_; }

 private:
  struct Bound {
    Bound(std::size_t l, std::unique_ptr<Listener> s, Executor& executor)
        : listener(l), socket(std::move(s)), pace_changed(executor) {}

    std::size_t listener;  // in the plan
    std::unique_ptr<Listener> socket;
    AsyncSignal pace_changed;
  };

  Listeners(Shard& home, ListenersPlan plan, std::vector<ShardConnections*> shards,
            telemetry::Family<telemetry::Counter> refused, const Logger& log);
  [[nodiscard]] Result<void> bind(std::size_t index, Network& network);
  Task<void> accept(Bound& bound);
  Task<void> keep_pace(Bound& bound);
  void pace_changed();
  [[nodiscard]] bool admits(std::size_t listener, const SocketAddress& peer);
  [[nodiscard]] Task<void> stop_shard(ShardIndex shard, Duration drain_max);

  Shard& home_;
  ListenersPlan plan_;
  std::vector<ShardConnections*> shards_;
  ConnectionLimits limits_;
  AcceptPace pace_;
  std::vector<telemetry::Counter> refused_;  // by ConnectionLimit, without none
  Logger log_;
  LimitedLogger peer_log_;
  std::vector<ListenerEndpoint> endpoints_;
  std::vector<std::unique_ptr<Bound>> bound_;
  std::uint32_t next_shard_ = 0;
  bool is_stopping_ = false;
  TaskGroup accepting_;
  TaskGroup stopping_;
};

}  // namespace millrace::broker
