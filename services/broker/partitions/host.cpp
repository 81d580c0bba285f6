module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.partitions;

import millrace.config;
import millrace.metadata;
import millrace.protocol.compression;
import millrace.runtime.shard;
import millrace.storage.manager;
import :host;
import :partition;
import :shard_partitions;

namespace millrace::broker {

// Made, used and destroyed on its shard.
struct PartitionHost::OnShard {
  OnShard(PartitionHost& host, std::size_t index)
      : shard(*host.shards_[index].shard),
        crossing(shard),
        manager({shard.loop(), *host.shards_[index].files, *host.shards_[index].buffers,
                 decompressor, crossing, shard.index(), host.home().index(),
                 static_cast<std::uint32_t>(host.shards_.size()), host.registry_, host.log_,
                 host.options_.seed, nullptr, host.options_.opening_goes_on},
                host.directories_, host.options_.manager),
        partitions({shard.loop(), decompressor}, manager, host.options_.self, shard.index(),
                   static_cast<std::uint32_t>(host.shards_.size()), host.options_.server,
                   host.log_) {
    partitions.on_leadership(
        [this, &host](LeadershipChange change) { host.tell(*this, std::move(change)); });
  }

  Shard& shard;
  storage::ShardCrossing crossing;
  protocol::Decompressor decompressor;
  storage::LogManager manager;
  Partitions partitions;
  TaskGroup telling;
};

PartitionHost::PartitionHost(std::vector<HostShard> shards, HostOptions options, Random& random,
                             telemetry::Registry& registry, storage::DirectoryObserver& observer,
                             Logger log)
    : shards_(std::move(shards)),
      options_(std::move(options)),
      registry_(registry),
      log_(std::move(log)),
      crossing_(home()),
      directories_(home().loop(), *shards_.front().files, crossing_, random,
                   options_.manager.directories, log_, observer),
      on_shards_(shards_.size()) {}

PartitionHost::~PartitionHost() {
  for (const auto& each : on_shards_) {
    check(each == nullptr, "a host of partitions is stopped before it goes");
  }
}

Task<void> PartitionHost::make(std::size_t index) {
  co_await home().call(shards_[index].shard->index(), [this, index](Shard&) {
    on_shards_[index] = std::make_unique<OnShard>(*this, index);
  });
}

Task<storage::OpeningReport> PartitionHost::open_on(std::size_t index) {
  const auto count = static_cast<std::uint32_t>(shards_.size());
  const ShardIndex here = shards_[index].shard->index();
  co_return co_await home().call(here, [this, index, count, here](Shard&) {
    OnShard& on = *on_shards_[index];
    return on.manager.open(
        [count, here](const storage::TopicPartition& partition) {
          return shard_of(partition.topic, partition.partition, count) == here;
        },
        [&on](const std::string& topic) { return on.partitions.config_of(topic); });
  });
}

Task<storage::StorageResult<storage::OpeningReport>> PartitionHost::open(std::string cluster_id) {
  if (auto opened = co_await directories_.open({std::move(cluster_id), options_.self}); !opened) {
    co_return failure(opened.error());
  }
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    co_await make(i);
    partitions_.push_back(&on_shards_[i]->partitions);
  }
  storage::OpeningReport report;
  TaskGroup opening;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    opening.start(
        [](PartitionHost& host, std::size_t index, storage::OpeningReport& all) -> Task<void> {
          const storage::OpeningReport part = co_await host.open_on(index);
          all.opened += part.opened;
          all.failed += part.failed;
          all.recovered += part.recovered;
          all.scanned_bytes += part.scanned_bytes;
          all.cut_bytes += part.cut_bytes;
          all.dropped_segments += part.dropped_segments;
        }(*this, i, report));
  }
  co_await opening.wait();
  co_return report;
}

// `function` gives a Task<Applied> for the Partitions of each shard.
template <class Function>
Task<Applied> PartitionHost::on_all(Function function) {
  Applied applied;
  TaskGroup working;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    working.start(
        [](PartitionHost& host, std::size_t index, Function& work, Applied& all) -> Task<void> {
          const Applied part = co_await host.home().call(
              host.shards_[index].shard->index(),
              [&host, index, &work](Shard&) { return work(host.on_shards_[index]->partitions); });
          all.made += part.made;
          all.removed += part.removed;
          all.failed += part.failed;
        }(*this, i, function, applied));
  }
  co_await working.wait();
  co_return applied;
}

Task<Applied> PartitionHost::apply(std::shared_ptr<const metadata::Image> image,
                                   const metadata::Delta& delta) {
  co_return co_await on_all([&](Partitions& partitions) { return partitions.apply(image, delta); });
}

Task<Applied> PartitionHost::caught_up() {
  co_return co_await on_all([](Partitions& partitions) { return partitions.caught_up(); });
}

Task<void> PartitionHost::set_server_config(std::shared_ptr<const config::ServerConfig> server) {
  const storage::ManagerOptions options = storage::manager_options(*server);
  options_.server = server;
  static_cast<void>(co_await on_all([&](Partitions& partitions) -> Task<Applied> {
    co_await partitions.set_server_config(server);
    partitions.manager().set_options(options);
    co_return Applied{};
  }));
}

// --- Leadership ---

void PartitionHost::tell(OnShard& from, LeadershipChange change) {
  if (!on_leadership_) return;
  if (from.shard.index() == home().index()) {
    on_leadership_(change);
    return;
  }
  // Calls of one shard to another begin in their order.
  from.telling.start(bring_home(from, std::move(change)));
}

Task<void> PartitionHost::bring_home(OnShard& from, LeadershipChange change) {
  co_await from.shard.call(home().index(), [&](Shard&) { on_leadership_(change); });
}

// --- Ending ---

Task<std::vector<bool>> PartitionHost::stop_on(std::size_t index) {
  co_return co_await home().call(shards_[index].shard->index(),
                                 [this, index](Shard&) -> Task<std::vector<bool>> {
                                   OnShard& on = *on_shards_[index];
                                   co_await on.partitions.stop();
                                   co_await on.telling.wait();
                                   std::vector<bool> clean = co_await on.manager.stop();
                                   on_shards_[index].reset();
                                   co_return clean;
                                 });
}

Task<storage::StorageResult<void>> PartitionHost::stop(BrokerEpoch epoch) {
  std::vector<bool> clean(directories_.count(), true);
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (on_shards_[i] == nullptr) {
      clean.assign(clean.size(), false);
      continue;
    }
    const std::vector<bool> of_shard = co_await stop_on(i);
    for (std::size_t d = 0; d < clean.size(); ++d) clean[d] = clean[d] && of_shard[d];
  }
  partitions_.clear();
  co_return co_await directories_.close(std::move(clean), epoch);
}

}  // namespace millrace::broker
