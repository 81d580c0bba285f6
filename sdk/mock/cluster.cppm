// A Kafka cluster in the process, for tests of clients.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.mock:cluster;

import millrace.base;
import millrace.protocol.api;
import millrace.runtime;
import millrace.runtime.streams;
import :faults;
import :options;
import :planted_group;

export namespace millrace::mock {

// A request that came in, whatever became of it.
struct LoggedRequest {
  BrokerId broker;
  ApiKey api = ApiKey::api_versions;
  std::int16_t version = 0;
  std::string client_id;
  std::uint64_t connection = 0;  // counted from 1
  MonotonicTime time{};
  std::vector<std::byte> body;
};

// A record as the mock has it.
struct StoredRecord {
  Offset offset;
  Timestamp timestamp;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

// Brokers that listen on a network and answer requests as Kafka does, from memory: topics, records,
// offsets, groups. No replication: in-sync replicas have everything at once. What a test says goes
// wrong, goes wrong.
//
// Made, used and ended on the thread of the executor, which outlives it, as the network does.
// close() is awaited before it ends. Requests of one connection are handled one after the other, as
// a broker does.
class Cluster {
 public:
  // Fails where the addresses cannot be listened on.
  [[nodiscard]] static Result<std::unique_ptr<Cluster>> start(Executor& executor, Network& network,
                                                              const Options& options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  // Ends all connections and waits for their end. Once.
  [[nodiscard]] Task<void> close();

  // "127.0.0.1:40001,127.0.0.1:40002", for bootstrap.servers.
  [[nodiscard]] std::string bootstrap() const;
  [[nodiscard]] SocketAddress address(BrokerId broker) const;

  // --- What is in it. Topics and partitions that are not there are not_found. ---
  [[nodiscard]] Result<void> create_topic(std::string_view name, const TopicOptions& options = {});
  [[nodiscard]] Result<void> delete_topic(std::string_view name);
  [[nodiscard]] Result<Uuid> topic_id(std::string_view topic) const;
  [[nodiscard]] Result<BrokerId> leader(std::string_view topic, PartitionIndex partition) const;
  [[nodiscard]] Result<LeaderEpoch> leader_epoch(std::string_view topic,
                                                 PartitionIndex partition) const;
  [[nodiscard]] Result<Offset> start_offset(std::string_view topic, PartitionIndex partition) const;
  [[nodiscard]] Result<Offset> end_offset(std::string_view topic, PartitionIndex partition) const;
  [[nodiscard]] Result<std::vector<StoredRecord>> records(std::string_view topic,
                                                          PartitionIndex partition) const;
  // Those that a reader of what is committed sees.
  [[nodiscard]] Result<std::vector<StoredRecord>> committed_records(std::string_view topic,
                                                                    PartitionIndex partition) const;
  // As if somebody had produced them, as one batch; their offsets do not count.
  [[nodiscard]] Result<void> append(std::string_view topic, PartitionIndex partition,
                                    std::span<const StoredRecord> records);

  // --- What happens to it. ---
  // The connections of the broker break, nobody can connect, others lead its partitions.
  [[nodiscard]] Result<void> kill(BrokerId broker);
  // At the address that it had. It leads what has no leader.
  [[nodiscard]] Result<void> revive(BrokerId broker);
  // The epoch goes up; the broker need not be a replica.
  [[nodiscard]] Result<void> move_leader(std::string_view topic, PartitionIndex partition,
                                         BrokerId to);
  // As retention does: records before `offset` are gone.
  [[nodiscard]] Result<void> delete_before(std::string_view topic, PartitionIndex partition,
                                           Offset offset);
  // As an unclean election does: records from `offset` on are lost, and the epoch goes up.
  [[nodiscard]] Result<void> lose_from(std::string_view topic, PartitionIndex partition,
                                       Offset offset);
  // As a coordinator does whose patience is over: aborts and shuts the producer out. False where no
  // transaction of the id is open.
  bool time_out_transaction(std::string_view transactional_id);
  // A group of a kind that the mock does not run: brokers tell of it.
  void plant_group(PlantedGroup group);
  // Groups and transactional ids; without it a rule of the mock decides.
  void set_coordinator(std::string_view key, BrokerId broker);
  // Brokers know none of their fetch sessions any more.
  void end_fetch_sessions();
  // Every connection that there is breaks.
  void drop_connections();
  void drop_connections(BrokerId broker);

  // --- What goes wrong. ---
  void inject(const Fault& fault);
  void fail_next(ApiKey api, ErrorCode error, std::uint32_t times = 1);
  void delay(ApiKey api, Duration by, std::uint32_t times = always);
  void drop_next(ApiKey api, std::uint32_t times = 1);
  void clear_faults();
  [[nodiscard]] std::size_t faults_left() const;
  // As an older broker: ApiVersions tells of it, and other versions close the connection. It
  // speaks the API.
  void set_versions(ApiKey api, std::int16_t version_min, std::int16_t version_max);
  void withdraw(ApiKey api);
  // Whether it has the API, which was not withdrawn.
  [[nodiscard]] bool speaks(ApiKey api) const;

  // --- What was asked of it: the newest logged_requests_max, with their bodies as long as these
  // take no more than logged_bytes_max together. ---
  [[nodiscard]] const std::deque<LoggedRequest>& requests() const;
  [[nodiscard]] std::size_t request_count(ApiKey api) const;
  void clear_requests();
  [[nodiscard]] std::size_t connection_count() const;

 private:
  struct Insides;
  explicit Cluster(std::unique_ptr<Insides> insides);

  std::unique_ptr<Insides> insides_;
};

}  // namespace millrace::mock
