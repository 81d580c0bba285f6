// A whole broker: its parts, their start and their end.
module;
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

export module millrace.broker:broker;

import millrace.base;
import millrace.broker.cluster;
import millrace.broker.connections;
import millrace.broker.coordination;
import millrace.broker.fetching;
import millrace.broker.partitions;
import millrace.broker.partitions.data;
import millrace.config;
import millrace.ipc.channel;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.runtime;
import millrace.runtime.files;
import millrace.runtime.process;
import millrace.runtime.shard;
import millrace.security;
import millrace.storage.manager;
import :adapters;
import :broker_options;
import :broker_shard;

export namespace millrace::broker {

// Lives on the main thread of the process, and does its work on the shards. start() comes first,
// and stop() after it whatever came of it.
class Broker final : public storage::DirectoryObserver {
 public:
  explicit Broker(Process& process);
  ~Broker();

  // Blocks until clients are served. What is wrong is in the error, as a sentence. A request to
  // stop ends it early, without an error: then is_serving() is false.
  [[nodiscard]] Result<void> start();
  [[nodiscard]] bool is_serving() const { return serving_; }
  // "127.0.0.1:9092"
  [[nodiscard]] std::string address() const;
  // Hands leaderships over, answers what has begun, closes all logs in order.
  [[nodiscard]] Result<void> stop();

  // By the log directories, on the home shard.
  void directory_failed(const storage::LogDirectory& directory) override;
  void all_directories_failed() override;

 private:
  // --- broker.cpp: on the main thread ---
  [[nodiscard]] Result<void> make_shards();
  [[nodiscard]] Result<void> listen();
  void make_link();
  void make_host();
  [[nodiscard]] Result<void> listen_to_coordinator();
  template <class Function>
  void on_each_shard(Function function);

  // --- joining.cpp: on the home shard ---
  [[nodiscard]] Task<Result<void>> join();
  [[nodiscard]] Task<Result<Uuid>> learn_cluster();
  [[nodiscard]] MonotonicTime registration_deadline();
  [[nodiscard]] Error not_registered(Error error, MonotonicTime deadline);
  [[nodiscard]] Task<Result<void>> open_partitions(Uuid cluster_id);
  [[nodiscard]] Task<Result<void>> register_broker(Uuid cluster_id);
  [[nodiscard]] Task<void> take_image(std::shared_ptr<const metadata::Image> image,
                                      const metadata::Delta& delta);
  [[nodiscard]] Task<void> take_settings(std::shared_ptr<const metadata::Image> image);
  [[nodiscard]] Task<void> end_when_asked_to();
  [[nodiscard]] Task<void> go_on_asking_for_time();
  [[nodiscard]] Task<void> leave_cluster();
  [[nodiscard]] Task<void> stop_link();
  [[nodiscard]] Task<void> stop_client();
  void take_leadership(const LeadershipChange& change);
  [[nodiscard]] Task<void> leave();
  [[nodiscard]] Task<Result<void>> close_partitions();

  [[nodiscard]] Shard& home() { return process_.shards().at(home_shard); }

  Process& process_;
  Logger log_;
  std::shared_ptr<const config::ServerConfig> config_;
  BrokerId self_;
  Random random_;
  security::AllowAll authorizer_;
  security::NoQuotas quotas_;
  std::unique_ptr<FilePool> pool_;
  std::unique_ptr<RequestMemory> memory_;
  ShardImages images_;
  std::optional<BrokerShared> shared_;
  std::vector<std::unique_ptr<BrokerShard>> shards_;
  std::vector<rpc::ControllerAddress> controllers_;

  // On the home shard.
  std::unique_ptr<Listeners> listeners_;
  std::unique_ptr<rpc::RpcThread> rpc_;
  std::unique_ptr<rpc::ControllerClient> client_;
  std::unique_ptr<ClusterLink> link_;
  std::unique_ptr<PartitionHost> host_;
  std::optional<TopicsOfImage> topics_;
  std::optional<StateOnShards> state_;
  std::unique_ptr<ipc::ChannelListener> coordinators_;  // until the gateway has it
  std::unique_ptr<GroupGateway> gateway_;
  FetchGrounds fetch_grounds_;
  DataRequestsOfShards data_;
  std::vector<Uuid> offline_directories_;
  TaskGroup tasks_;
  bool joining_ = false;
  bool cluster_left_ = false;
  bool link_stopped_ = false;
  bool client_stopped_ = false;
  bool serving_ = false;
  std::atomic<bool> failed_ = false;
};

}  // namespace millrace::broker
