// All partitions of a broker, on all its shards.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

export module millrace.broker.partitions:host;

import millrace.base;
import millrace.config;
import millrace.metadata;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.storage.manager;
import millrace.telemetry;
import :partition;
import :shard_partitions;

export namespace millrace::broker {

// What each shard brings; all of it is used on that shard only, and outlives the host.
struct HostShard {
  Shard* shard = nullptr;
  FileSystem* files = nullptr;
  BufferPool* buffers = nullptr;
};

struct HostOptions {
  BrokerId self = no_broker;
  std::shared_ptr<const config::ServerConfig> server;
  storage::ManagerOptions manager;  // manager_options(*server)
  std::uint64_t seed = 0;           // of the managers; another one in each process
  // Opening the logs takes long, and goes on; on any shard.
  std::function<void()> opening_goes_on = {};
};

// Belongs to the home shard, which is the first one, and is used there. Owns the log directories,
// and for each shard its manager and its Partitions. open() comes first and stop() last, also after
// an open() that failed.
class PartitionHost {
 public:
  PartitionHost(std::vector<HostShard> shards, HostOptions options, Random& random,
                telemetry::Registry& registry, storage::DirectoryObserver& observer, Logger log);
  PartitionHost(const PartitionHost&) = delete;
  PartitionHost& operator=(const PartitionHost&) = delete;
  ~PartitionHost();

  // Called on the home shard with each change of a partition of an internal topic, in their order.
  // Set before open().
  void on_leadership(std::function<void(const LeadershipChange&)> listener) {
    on_leadership_ = std::move(listener);
  }

  // Opens the directories and, on each shard, the logs that belong there. Fails where the server
  // must not start: a directory of another cluster or in use, all devices bad.
  [[nodiscard]] Task<storage::StorageResult<storage::OpeningReport>> open(std::string cluster_id);
  // Partitions::apply() on all shards. Each image once, in order; one at a time.
  [[nodiscard]] Task<Applied> apply(std::shared_ptr<const metadata::Image> image,
                                    const metadata::Delta& delta);
  // Partitions::caught_up() on all shards, when the image that was applied last is the cluster's
  // as of now; once, and before the broker asks to be unfenced.
  [[nodiscard]] Task<Applied> caught_up();
  [[nodiscard]] Task<void> set_server_config(std::shared_ptr<const config::ServerConfig> server);
  // When no request is under way any more: closes all logs in order.
  [[nodiscard]] Task<storage::StorageResult<void>> stop(BrokerEpoch epoch);

  // After open(), by shard; each is to be touched on its own shard.
  [[nodiscard]] const PartitionsOfShards& partitions() const { return partitions_; }
  [[nodiscard]] storage::LogDirectories& directories() { return directories_; }

 private:
  struct OnShard;

  [[nodiscard]] Task<void> make(std::size_t index);
  [[nodiscard]] Task<storage::OpeningReport> open_on(std::size_t index);
  void tell(OnShard& from, LeadershipChange change);
  [[nodiscard]] Task<void> bring_home(OnShard& from, LeadershipChange change);
  [[nodiscard]] Task<std::vector<bool>> stop_on(std::size_t index);
  template <class Function>
  [[nodiscard]] Task<Applied> on_all(Function function);

  [[nodiscard]] Shard& home() { return *shards_.front().shard; }

  std::vector<HostShard> shards_;
  HostOptions options_;
  telemetry::Registry& registry_;
  Logger log_;
  storage::ShardCrossing crossing_;
  storage::LogDirectories directories_;
  std::function<void(const LeadershipChange&)> on_leadership_;
  std::vector<std::unique_ptr<OnShard>> on_shards_;
  PartitionsOfShards partitions_;
};

}  // namespace millrace::broker
