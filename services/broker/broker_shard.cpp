module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

module millrace.broker;

import millrace.base;
import millrace.broker.cluster;
import millrace.broker.connections;
import millrace.broker.coordination;
import millrace.broker.fetching;
import millrace.broker.partitions;
import millrace.broker.partitions.data;
import millrace.broker.requests;
import millrace.broker.requests.configs;
import millrace.config;
import millrace.metadata;
import millrace.protocol.batch;
import millrace.runtime;
import millrace.runtime.files;
import millrace.runtime.shard;
import millrace.runtime.streams;

namespace millrace::broker {

struct BrokerShard::Requests {
  Requests(BrokerShard& owner, const RequestGround& ground)
      : data({.here = owner.shard_,
              .buffers = owner.buffers_,
              .all = ground.data,
              .partitions = *ground.host.partitions()[owner.shard_.index().value()],
              .directories = ground.host.directories(),
              .home = home_shard,
              .authorizer = owner.shared_.authorizer,
              .quotas = owner.shared_.quotas,
              .registry = owner.shared_.registry,
              .log = owner.shared_.log,
              .check = owner.shared_.config->get<"millrace.produce.check">() == "full"
                           ? protocol::CheckDepth::records
                           : protocol::CheckDepth::header}),
        fetches({.here = owner.shard_,
                 .grounds = ground.fetches,
                 .buffers = owner.buffers_,
                 .authorizer = owner.shared_.authorizer,
                 .quotas = owner.shared_.quotas,
                 .bytes_max = bytes_max_of(*owner.shared_.config),
                 .sessions_max = sessions_max_of(*owner.shared_.config, owner.shard_.shard_count()),
                 .seed = ground.seed + owner.shard_.index().value()}),
        groups(owner.shard_, home_shard, ground.gateway, owner.shared_.quotas, owner.buffers_),
        image(owner.shared_.images.at(owner.shard_.index())),
        controller(owner.shard_, home_shard, ground.link),
        data_port(data),
        fetch_port(fetches),
        group_port(groups),
        dispatcher({.pool = owner.buffers_,
                    .executor = owner.shard_.loop(),
                    .images = image,
                    .configs = owner.configs_,
                    .authorizer = owner.shared_.authorizer,
                    .quotas = owner.shared_.quotas,
                    .controller = controller,
                    .self = owner.shared_.self},
                   {data_port, fetch_port, group_port}, owner.shared_.log) {}

  static std::uint64_t bytes_max_of(const config::ServerConfig& config) {
    return static_cast<std::uint64_t>(config.get<"fetch.max.bytes">().value());
  }
  // Of the broker's slots each shard has its part, and one at least if there are any.
  static std::size_t sessions_max_of(const config::ServerConfig& config, std::uint32_t shards) {
    const auto all =
        static_cast<std::size_t>(config.get<"max.incremental.fetch.session.cache.slots">());
    return (all + shards - 1) / shards;
  }

  DataRequests data;
  FetchRequests fetches;
  GroupRequests groups;
  ImageOfShard image;
  ControllerOfShard controller;
  DataOfShard data_port;
  FetchOfShard fetch_port;
  GroupsOfShard group_port;
  Dispatcher dispatcher;
};

BrokerShard::BrokerShard(Shard& shard, BrokerShared& shared)
    : shard_(shard),
      shared_(shared),
      configs_(shared.config, shared.self, shard.clock(), shared.log) {}

BrokerShard::~BrokerShard() = default;

Result<void> BrokerShard::open(FileSystemKind kind, FilePool& pool) {
  auto files = make_file_system(kind, shard_.loop(), pool);
  if (!files) return failure(files.error());
  files_ = std::move(*files);
  network_ = std::make_unique<TcpNetwork>(shard_.socket_loop(), shared_.log);
  auto memory = LocalRequestMemory::create(shared_.memory, shard_.clock(), shard_.loop().mailbox(),
                                           shared_.registry, shard_.index());
  if (!memory) return failure(memory.error());
  memory_ = std::move(*memory);
  auto connections = ShardConnections::create(
      {shard_.loop(), *network_, buffers_, *memory_, handler_}, connection_options(*shared_.config),
      shared_.registry, shard_.index(), shared_.log);
  if (!connections) return failure(connections.error());
  connections_ = std::move(*connections);
  return {};
}

void BrokerShard::make_requests(const RequestGround& ground) {
  requests_ = std::make_unique<Requests>(*this, ground);
  handler_.set(&requests_->dispatcher);
}

void BrokerShard::take(const std::shared_ptr<const metadata::Image>& image) {
  configs_.update(image);
  shared_.images.at(shard_.index()).set(image);
}

void BrokerShard::stop_waiting() {
  if (requests_) requests_->fetches.stop_waiting();
}

Task<void> BrokerShard::stop() {
  handler_.set(nullptr);
  if (!requests_) co_return;
  co_await requests_->dispatcher.stop();
  co_await requests_->group_port.stop();
  co_await requests_->fetches.stop();
  requests_.reset();
}

}  // namespace millrace::broker
