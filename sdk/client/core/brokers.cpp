module;
#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :connection;

namespace millrace::client {
namespace {

// What a client that has learnt of many brokers one by one keeps; a cluster may have more.
constexpr std::size_t learned_brokers_max = 4096;

constexpr std::array lanes = {Lane::data, Lane::coordination};
static_assert(lanes.size() == lane_count);

// One broker, or one bootstrap server.
struct Node {
  HostPort address;
  bool is_of_cluster = false;  // as the last update says
  std::array<std::unique_ptr<Connection>, lane_count> lanes;

  [[nodiscard]] Connection* lane(Lane lane) const {
    return lanes[static_cast<std::size_t>(lane)].get();
  }
  [[nodiscard]] bool is_unused() const {
    return std::ranges::all_of(
        lanes, [](const auto& lane) { return lane == nullptr || lane->is_unused(); });
  }
  // How good a choice it is for a request that any broker may answer; less is better. A connection
  // that is there comes before one that is to be made, and that before one that failed lately.
  [[nodiscard]] std::pair<int, std::size_t> rank(MonotonicTime now) const {
    const Connection* connection = lane(Lane::data);
    if (connection == nullptr) return {1, 0};
    if (connection->is_ready()) return {0, connection->load()};
    return {connection->not_before() > now ? 2 : 1, connection->load()};
  }
};

}  // namespace

struct Brokers::State {
  State(Executor& executor, Network& network, Resolver& resolver, const CommonSettings& settings,
        const Logger& logger, Random random)
      : ground{.executor = executor,
               .network = network,
               .resolver = resolver,
               .settings = settings,
               .logger = LimitedLogger(logger, executor.clock()),
               .random = random,
               .strays = std::make_shared<Strays>(executor),
               .pool = BufferPool(),
               .counters = {},
               .meters = {},
               .last_connection = 0,
               .is_closing = false,
               .tasks = {}} {
    std::int32_t id = first_bootstrap_id;
    for (const HostPort& address : settings.bootstrap) {
      nodes[BrokerId(id--)].address = address;
    }
  }

  [[nodiscard]] Node* find(BrokerId broker) {
    const auto found = nodes.find(broker);
    return found == nodes.end() ? nullptr : &found->second;
  }
  [[nodiscard]] Connection* find(BrokerId broker, Lane lane) {
    Node* node = find(broker);
    return node == nullptr ? nullptr : node->lane(lane);
  }
  [[nodiscard]] Connection& connection(BrokerId broker, Node& node, Lane lane) {
    auto& made = node.lanes[static_cast<std::size_t>(lane)];
    if (made == nullptr) made = std::make_unique<Connection>(ground, broker, node.address, lane);
    return *made;
  }
  void end(CallOperation& operation, ClientError error) {
    operation.end(ground.executor, failure(std::move(error)));
  }

  // The best of the nodes that are `wanted` and were not asked for this call.
  template <class Wanted>
  [[nodiscard]] std::optional<BrokerId> best(const CallOperation& operation, Wanted wanted) {
    std::vector<BrokerId> equal;
    std::pair<int, std::size_t> lowest;
    for (const auto& [id, node] : nodes) {
      if (!wanted(id, node) || std::ranges::find(operation.tried, id) != operation.tried.end()) {
        continue;
      }
      const auto rank = node.rank(ground.now());
      if (equal.empty() || rank < lowest) {
        lowest = rank;
        equal.clear();
      }
      if (rank == lowest) equal.push_back(id);
    }
    if (equal.empty()) return std::nullopt;
    return equal[ground.random.below(equal.size())];
  }
  [[nodiscard]] std::optional<BrokerId> choose(const CallOperation& operation) {
    const auto is_bootstrap = [](BrokerId id, const Node&) { return id < no_broker; };
    const bool may_bootstrap =
        asks_bootstrap || ground.settings.recovery == RecoveryStrategy::rebootstrap;
    if (!asks_bootstrap) {
      const auto chosen =
          best(operation, [](BrokerId, const Node& node) { return node.is_of_cluster; });
      if (chosen) return chosen;
    }
    return may_bootstrap ? best(operation, is_bootstrap) : std::nullopt;
  }
  // `last` says why the one before could not be asked.
  void begin_any(CallOperation& operation, std::optional<ClientError> last) {
    const auto chosen = choose(operation);
    if (!chosen) {
      end(operation, last ? std::move(*last)
                          : client_error(Failure::unknown_broker,
                                         "no broker is known, and no bootstrap server is given"));
      return;
    }
    operation.tried.push_back(*chosen);
    operation.broker = *chosen;
    operation.any_owner = this;
    operation.on_unconnected = [](CallOperation& failed, void* owner, ClientError why) {
      static_cast<State*>(owner)->begin_any(failed, std::move(why));
    };
    connection(*chosen, nodes.at(*chosen), operation.options.lane).begin(operation);
  }

  void set_address(Node& node, const HostPort& address) {
    node.address = address;
    for (const auto& lane : node.lanes) {
      if (lane != nullptr) lane->set_address(address);
    }
  }
  // Those that are not of the cluster and have nothing under way.
  void drop_unused() {
    std::erase_if(nodes, [&](const auto& entry) {
      const auto& [id, node] = entry;
      return id > no_broker && !node.is_of_cluster && node.is_unused();
    });
  }
  void disconnect(Node& node, const ClientError& why) {
    for (const auto& lane : node.lanes) {
      if (lane != nullptr) lane->end_all(why);
    }
  }

  ConnectionGround ground;
  std::map<BrokerId, Node> nodes;
  bool asks_bootstrap = true;
};

Brokers::Brokers(Executor& executor, Network& network, Resolver& resolver,
                 const CommonSettings& settings, Logger logger, Random random)
    : state_(std::make_unique<State>(executor, network, resolver, settings, logger, random)) {}

Brokers::~Brokers() {
  check(state_->ground.tasks.running() == 0, "Brokers end after close()");
}

std::optional<std::int16_t> BrokerVersions::highest(protocol::ApiKey api, std::int16_t lowest,
                                                    std::int16_t limit) const {
  const auto key = static_cast<std::int16_t>(api);
  const auto theirs = std::ranges::lower_bound(apis, key, {}, &Api::key);
  if (theirs == apis.end() || theirs->key != key) return std::nullopt;
  const protocol::ApiInfo& ours = protocol::api_info(api);
  const std::int16_t high = std::min({theirs->max, protocol::advertised_version_max(ours), limit});
  const std::int16_t low = std::max({theirs->min, ours.version_min, lowest});
  if (high < low) return std::nullopt;
  return high;
}

std::int16_t BrokerVersions::feature_level(std::string_view name) const {
  const auto found = std::ranges::find(features, name, &Feature::name);
  return found == features.end() ? std::int16_t{0} : found->level;
}

void Brokers::begin(CallOperation& operation) {
  if (state_->ground.is_closing) {
    state_->end(operation, client_error(Failure::closed, "the client is closed"));
    return;
  }
  Node* node = state_->find(operation.broker);
  if (node == nullptr) {
    state_->end(operation, client_error(Failure::unknown_broker,
                                        formatted("broker {} is not known", operation.broker),
                                        Persistence::not_persisted, operation.broker));
    return;
  }
  state_->connection(operation.broker, *node, operation.options.lane).begin(operation);
}

void Brokers::begin_any(CallOperation& operation) {
  if (state_->ground.is_closing) {
    state_->end(operation, client_error(Failure::closed, "the client is closed"));
    return;
  }
  state_->begin_any(operation, std::nullopt);
}

Task<ClientResult<std::shared_ptr<const BrokerVersions>>> Brokers::versions(BrokerId broker,
                                                                            CallOptions options) {
  const auto known = [&]() -> std::shared_ptr<const BrokerVersions> {
    const Connection* connection = state_->find(broker, options.lane);
    return connection != nullptr && connection->is_ready() ? connection->versions() : nullptr;
  };
  if (auto versions = known()) co_return versions;
  // Whatever it answers: with the connection come the versions.
  const protocol::ApiVersionsRequest request{.client_software_name = "millrace-cpp",
                                             .client_software_version = MILLRACE_CLIENT_VERSION};
  const auto asked = co_await call(broker, request, options);
  if (!asked) co_return failure(asked.error());
  if (auto versions = known()) co_return versions;
  co_return failure(client_error(Failure::disconnected, "the connection was lost again"));
}

std::shared_ptr<const BrokerVersions> Brokers::known_versions(BrokerId broker) const {
  for (const Lane lane : lanes) {
    const Connection* connection = state_->find(broker, lane);
    if (connection != nullptr && connection->versions() != nullptr) return connection->versions();
  }
  return nullptr;
}

void Brokers::update(std::span<const BrokerEndpoint> brokers) {
  for (auto& [id, node] : state_->nodes) node.is_of_cluster = false;
  for (const BrokerEndpoint& broker : brokers) {
    if (broker.id < BrokerId(0)) continue;
    Node& node = state_->nodes[broker.id];
    node.is_of_cluster = true;
    state_->set_address(node, broker.address);
  }
  if (!brokers.empty()) state_->asks_bootstrap = false;
  state_->drop_unused();
}

void Brokers::learn(const BrokerEndpoint& broker) {
  if (broker.id < BrokerId(0)) return;
  Node* node = state_->find(broker.id);
  if (node == nullptr) {
    if (state_->nodes.size() >= learned_brokers_max) {
      state_->drop_unused();
      if (state_->nodes.size() >= learned_brokers_max) return;
    }
    node = &state_->nodes[broker.id];
  }
  state_->set_address(*node, broker.address);
}

bool Brokers::knows(BrokerId broker) const {
  return state_->find(broker) != nullptr;
}

bool Brokers::is_connected(BrokerId broker, Lane lane) const {
  const Connection* connection = state_->find(broker, lane);
  return connection != nullptr && connection->is_ready();
}

MonotonicTime Brokers::not_before(BrokerId broker, Lane lane) const {
  const Connection* connection = state_->find(broker, lane);
  const MonotonicTime now = state_->ground.now();
  return connection == nullptr ? now : std::max(now, connection->not_before());
}

std::size_t Brokers::in_flight(BrokerId broker, Lane lane) const {
  const Connection* connection = state_->find(broker, lane);
  return connection == nullptr ? 0 : connection->load();
}

const BrokersCounters& Brokers::counters() const {
  return state_->ground.counters;
}

void Brokers::list_metrics(std::string_view kind, MetricList& to) const {
  std::size_t connections = 0;
  for (const auto& [id, node] : state_->nodes) {
    for (const auto& lane : node.lanes) connections += lane != nullptr && lane->is_ready() ? 1 : 0;
  }
  state_->ground.meters.list(kind, connections, to);
}

void Brokers::disconnect(BrokerId broker, std::string_view why) {
  if (Node* node = state_->find(broker)) {
    state_->disconnect(
        *node, client_error(Failure::disconnected, std::string(why), Persistence::unknown, broker));
  }
}

void Brokers::rebootstrap() {
  state_->asks_bootstrap = true;
}

Task<void> Brokers::close(MonotonicTime deadline) {
  ConnectionGround& ground = state_->ground;
  ground.is_closing = true;
  for (auto& [id, node] : state_->nodes) {
    state_->disconnect(node, client_error(Failure::closed, "the client is closed"));
  }
  co_await ground.tasks.wait();
  const auto strays = ground.strays;
  while (strays->running > 0) {
    if (!co_await strays->ended.wait(deadline)) break;
  }
}

ClientError Brokers::malformed(const AnsweredCall& answered, std::string_view message,
                               const protocol::DecodeError& error) {
  ClientError why = client_error(Failure::malformed_answer,
                                 formatted("broker {} sent a {} version {} that cannot be read: {}",
                                           answered.broker, message, answered.version, error),
                                 Persistence::unknown, std::max(answered.broker, no_broker));
  if (Node* node = state_->find(answered.broker)) {
    for (const auto& lane : node->lanes) {
      if (lane != nullptr) lane->end_if(answered.connection, why);
    }
  }
  return why;
}

void Brokers::throttled(const AnsweredCall& answered, std::int32_t milliseconds) {
  const Duration pause = std::min<Duration>(std::chrono::milliseconds{milliseconds}, throttle_max);
  if (Node* node = state_->find(answered.broker)) {
    for (const auto& lane : node->lanes) {
      if (lane != nullptr) lane->pause_until(answered.connection, state_->ground.now() + pause);
    }
  }
}

}  // namespace millrace::client
