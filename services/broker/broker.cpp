module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.broker;

import millrace.base;
import millrace.broker.cluster;
import millrace.broker.connections;
import millrace.broker.coordination;
import millrace.broker.partitions;
import millrace.config;
import millrace.ipc.channel;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.runtime;
import millrace.runtime.files;
import millrace.runtime.process;
import millrace.runtime.shard;
import millrace.storage.manager;

namespace millrace::broker {
Broker::Broker(Process& process)
    : process_(process),
      log_(process.log()),
      config_(std::make_shared<const config::ServerConfig>(process.config())),
      self_(config_->get<"node.id">()),
      random_(fresh_seed()),
      images_(process.shards().count()) {}

Broker::~Broker() = default;

template <class Function>
void Broker::on_each_shard(Function function) {
  for (std::uint32_t i = 0; i < process_.shards().count(); ++i) {
    process_.shards().run_on(ShardIndex(i), [&](Shard& shard) { return function(shard, i); });
  }
}

Result<void> Broker::start() {
  auto controllers = controllers_of(*config_);
  if (!controllers) return failure(controllers.error());
  controllers_ = std::move(*controllers);
  if (auto made = make_shards(); !made) return made;
  if (auto listening = listen(); !listening) return listening;
  auto rpc = rpc::RpcThread::start("rpc");
  if (!rpc) return failure(rpc.error());
  rpc_ = std::move(*rpc);
  const Result<void> listening = process_.shards().run_on(home_shard, [&](Shard&) {
    make_link();
    make_host();
    return listen_to_coordinator();
  });
  if (!listening) return listening;
  return process_.shards().run_on(home_shard, [&](Shard&) { return join(); });
}

Result<void> Broker::make_shards() {
  const auto choice = choose_file_system(file_system_setting_of(*config_));
  if (!choice) return failure(choice.error());
  log_.info("{}", choice->reason);
  auto pool = FilePool::start(process_.clock());
  if (!pool) return failure(pool.error());
  pool_ = std::move(*pool);
  const ConnectionOptions connections = connection_options(*config_);
  auto memory = RequestMemory::create(request_memory_bytes, connections.frame_bytes_max,
                                      process_.shards().count());
  if (!memory) return failure(memory.error());
  memory_ = std::move(*memory);
  shared_.emplace(BrokerShared{config_, self_, process_.metrics(), authorizer_, quotas_, *memory_,
                               images_, log_});
  shards_.resize(process_.shards().count());
  Result<void> opened;
  on_each_shard([&](Shard& shard, std::uint32_t i) {
    shards_[i] = std::make_unique<BrokerShard>(shard, *shared_);
    if (opened) opened = shards_[i]->open(choice->kind, *pool_);
  });
  return opened;
}

Result<void> Broker::listen() {
  auto plan = plan_listeners(*config_);
  if (!plan) return failure(plan.error());
  return process_.shards().run_on(home_shard, [&](Shard& shard) -> Result<void> {
    std::vector<ShardConnections*> connections;
    for (const auto& each : shards_) connections.push_back(&each->connections());
    auto listeners = Listeners::listen(shard, shards_.front()->network(), std::move(*plan),
                                       std::move(connections), process_.metrics(), log_);
    if (!listeners) return failure(listeners.error());
    listeners_ = std::move(*listeners);
    return {};
  });
}

void Broker::make_link() {
  client_ = std::make_unique<rpc::ControllerClient>(
      *rpc_, home().loop(),
      rpc::ControllerClientOptions{.controllers = controllers_,
                                   .hello = {.node_id = rpc::NodeId(self_.value()),
                                             .kind = rpc::NodeKind::broker,
                                             .software_version = MILLRACE_VERSION},
                                   .seed = random_.next()},
      log_);
  ClusterLinkOptions options;
  options.broker_id = self_;
  options.incarnation = storage::random_uuid(random_);
  options.endpoints = endpoints_of(listeners_->endpoints());
  options.rack = config_->get<"broker.rack">();
  options.software_version = MILLRACE_VERSION;
  options.heartbeat_interval = config_->get<"broker.heartbeat.interval.ms">();
  options.session_timeout = config_->get<"broker.session.timeout.ms">();
  options.controlled_shutdown = config_->get<"controlled.shutdown.enable">();
  link_ = std::make_unique<ClusterLink>(home().loop(), *client_, options, log_);
}

void Broker::make_host() {
  topics_.emplace(images_.at(home_shard));
  std::vector<HostShard> host_shards;
  for (const auto& each : shards_) {
    host_shards.push_back({&each->shard(), &each->files(), &each->buffers()});
  }
  host_ = std::make_unique<PartitionHost>(
      std::move(host_shards),
      HostOptions{self_, config_, storage_options_of(*config_, descriptor_limit()), random_.next(),
                  [this] { process_.extend_timeout(opening_timeout); }},
      random_, process_.metrics(), *this, log_);
  host_->on_leadership([this](const LeadershipChange& change) { take_leadership(change); });
  state_.emplace(home(), *host_);
}

Result<void> Broker::listen_to_coordinator() {
  const std::string path = config_->get<"millrace.coordinator.socket">();
  if (path.empty()) {
    log_.warning("millrace.coordinator.socket is not set: this broker coordinates no groups");
    return {};
  }
  auto listener = ipc::ChannelListener::listen(home().loop(), log_, path);
  if (!listener) {
    return failure(Error{ErrorKind::io, "millrace.coordinator.socket=" + path + ": " +
                                            ipc::describe(listener.error())});
  }
  coordinators_ = std::move(*listener);
  return {};
}

std::string Broker::address() const {
  if (!listeners_) return "";
  const ListenerEndpoint& first = listeners_->endpoints().front();
  return first.advertised_host + ":" + std::to_string(first.advertised_port.value());
}

void Broker::directory_failed(const storage::LogDirectory& directory) {
  // One that could not be read has none.
  if (!directory.id().is_zero()) offline_directories_.push_back(directory.id());
  if (link_) link_->directories_offline(offline_directories_);
}

void Broker::all_directories_failed() {
  log_.error("all log directories have failed: nothing can be stored any more, the broker stops");
  failed_ = true;
  process_.request_stop();
}

Result<void> Broker::stop() {
  Result<void> closed;
  if (link_) process_.shards().run_on(home_shard, [&](Shard&) { return leave(); });
  on_each_shard([&](Shard&, std::uint32_t i) -> Task<void> {
    if (i < shards_.size() && shards_[i]) co_await shards_[i]->stop();
  });
  if (host_) {
    closed = process_.shards().run_on(home_shard, [&](Shard&) { return close_partitions(); });
  }
  process_.shards().run_on(home_shard, [&](Shard&) {
    gateway_.reset();
    coordinators_.reset();
    host_.reset();
    link_.reset();
    client_.reset();
    listeners_.reset();
  });
  rpc_.reset();
  on_each_shard([&](Shard&, std::uint32_t i) {
    if (i < shards_.size()) shards_[i].reset();
  });
  if (pool_) pool_->stop();
  if (closed && failed_) return failure(ErrorKind::io, "all log directories have failed");
  return closed;
}

}  // namespace millrace::broker
