// A Kafka cluster in the process.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/abi.hpp"
#include "millrace/mock/api.hpp"
#include "millrace/record.hpp"
#include "millrace/records.hpp"
#include "millrace/result.hpp"

namespace millrace::inline v1::mock {

struct ClusterOptions {
  std::int32_t brokers = 1;  // their numbers count from 1
  std::string host = "127.0.0.1";
  std::uint16_t first_port = 0;  // of broker 1, then one after the other; 0: any that are free
  bool auto_create_topics = false;
  std::int32_t partitions = 1;  // of topics that are created without saying how many
  // Records of all partitions together; what would pass it is refused with KAFKA_STORAGE_ERROR.
  std::size_t stored_bytes_max = 512U << 20U;
  // How long the first members of a group wait for more.
  std::chrono::milliseconds initial_rebalance_delay{0};
  std::uint64_t seed = 1;  // of ids and of garbage
};

struct TopicOptions {
  std::int32_t partitions = 1;
  std::int16_t replication_factor = 0;  // 0: as many as there are brokers, at most three
  std::map<std::string, std::string> configs = {};
};

enum class FaultKind : std::uint8_t {
  error,        // nothing is done, and all that was asked for is refused with Fault::error
  delay,        // done and answered as usual, but only after Fault::delay
  drop_before,  // nothing is done, and the connection breaks
  drop_after,   // done, and the connection breaks instead of an answer
  silence,      // nothing is done and nothing answered; the connection stays
  cut_short,    // done; half of the answer is sent, then the connection breaks
  garbage,      // done; the body of the answer is replaced by as many random bytes
  wrong_id,     // done; the answer names another request
};

// For Fault::times: until clear_faults().
inline constexpr std::uint32_t always = UINT32_MAX;

// One thing that goes wrong for requests of one API.
struct Fault {
  Api api = Api::api_versions;
  FaultKind kind = FaultKind::error;
  ErrorCode error = ErrorCode::unknown_server_error;
  std::chrono::milliseconds delay{0};
  std::uint32_t times = 1;
  std::optional<std::int32_t> broker = {};  // any if not given
};

// A request that came in, whatever became of it.
struct Request {
  std::int32_t broker = -1;
  Api api = Api::api_versions;
  std::int16_t version = 0;
  std::string client_id;
  std::uint64_t connection = 0;  // counted from 1
  std::chrono::steady_clock::time_point time = {};
  std::vector<std::byte> body;
};

// Brokers that listen on ports of this machine and answer requests as Kafka does, from memory:
// topics, records, offsets, groups. What a test says goes wrong, goes wrong. Owns a thread. All
// functions may be called from any thread, but for moving and destroying.
//
// A mistake of the test, such as a topic that is not there, throws Failed with a sentence; so does
// any call in a child of a fork().
class MILLRACE_API Cluster {
 public:
  explicit Cluster(const ClusterOptions& options = {});
  Cluster(Cluster&&) noexcept;
  Cluster& operator=(Cluster&&) noexcept;
  // Connections break.
  ~Cluster();

  // For bootstrap.servers: "127.0.0.1:40001,127.0.0.1:40002".
  [[nodiscard]] const std::string& bootstrap() const noexcept;

  // --- What is in it. ---
  void create_topic(std::string_view name, std::int32_t partitions = 1);
  void create_topic(std::string_view name, const TopicOptions& options);
  void delete_topic(std::string_view name);
  [[nodiscard]] std::int32_t leader(const TopicPartition& partition) const;  // -1: none
  [[nodiscard]] std::int64_t start_offset(const TopicPartition& partition) const;
  [[nodiscard]] std::int64_t end_offset(const TopicPartition& partition) const;
  [[nodiscard]] std::vector<OwnedRecord> records(const TopicPartition& partition) const;
  // Those that are no part of a transaction which is open or was aborted.
  [[nodiscard]] std::vector<OwnedRecord> committed_records(const TopicPartition& partition) const;
  // As if somebody had produced it.
  void append(const TopicPartition& partition, const Record& record);
  // The same as one batch; their topics, partitions and offsets do not count.
  void append(const TopicPartition& partition, const std::vector<OwnedRecord>& records);

  // --- What happens to it. ---
  // The connections of the broker break, nobody can connect, others lead its partitions.
  void kill_broker(std::int32_t broker);
  // At the address that it had. It leads what has no leader.
  void restart_broker(std::int32_t broker);
  // The broker need not be a replica.
  void move_leader(const TopicPartition& partition, std::int32_t to);
  // As retention does: records before the offset are gone.
  void delete_before(const TopicPartition& partition, std::int64_t offset);
  // As an unclean election does: records from the offset on are lost.
  void lose_from(const TopicPartition& partition, std::int64_t offset);
  // As a coordinator does whose patience is over: aborts, and shuts the producer out. False where
  // the id has no open transaction.
  bool time_out_transaction(std::string_view transactional_id);
  // Of a group or transactional id; without it a rule of the mock decides.
  void set_coordinator(std::string_view id, std::int32_t broker);
  // Every connection that there is breaks: to all brokers, or to one.
  void break_connections();
  void break_connections(std::int32_t broker);

  // --- What goes wrong. ---
  void fail_next(Api api, ErrorCode error, std::uint32_t times = 1);
  void delay(Api api, std::chrono::milliseconds by, std::uint32_t times = always);
  // Requests are done, and the connection breaks instead of the answer.
  void lose_answers(Api api, std::uint32_t times = 1);
  // Everything else that can go wrong.
  void inject(const Fault& fault);
  void clear_faults();
  // Faults that have not been used up.
  [[nodiscard]] std::size_t faults_left() const;
  // As an older broker, which knows other versions or does not have the API at all.
  void set_versions(Api api, std::int16_t version_min, std::int16_t version_max);
  void withdraw(Api api);

  // --- What was asked of it: the newest 100,000, with bodies as long as all take no more than
  // 64 MiB. ---
  [[nodiscard]] std::vector<Request> requests() const;
  [[nodiscard]] std::size_t request_count(Api api) const;
  void clear_requests();
  [[nodiscard]] std::size_t connection_count() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::inline v1::mock
