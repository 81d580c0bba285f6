// The requests of clients for the data of partitions, all but Fetch.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.broker.partitions.data:data_requests;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.security;
import millrace.storage.manager;
import millrace.telemetry;
import :metrics;

export namespace millrace::broker {

// Partitions of one request that are looked at on one shard at a time, where each may take long.
inline constexpr std::size_t partitions_at_a_time_max = 16;
// Memory for messages that is kept for the next requests.
inline constexpr std::size_t kept_arenas_max = 32;

class DataRequests;
// By shard: each enters itself, and all are there before the first request.
using DataRequestsOfShards = std::vector<DataRequests*>;

// What the requests of one shard stand on; outlives them.
struct DataContext {
  Shard& here;
  BufferPool& buffers;
  DataRequestsOfShards& all;             // with a place for each shard
  Partitions& partitions;                // of this shard
  storage::LogDirectories& directories;  // used on their home
  ShardIndex home;
  security::Authorizer& authorizer;
  security::Quotas& quotas;
  telemetry::Registry& registry;
  protocol::CheckDepth check = protocol::CheckDepth::records;  // millrace.produce.check
};

// Answers requests of the connections of one shard, on its thread; partitions lie on any shard, and
// a request sends one message to each shard on which it has any. Ends when no request is under way.
//
// A body that cannot be read closes the connection, as in Kafka.
class DataRequests {
 public:
  explicit DataRequests(const DataContext& context);
  DataRequests(const DataRequests&) = delete;
  DataRequests& operator=(const DataRequests&) = delete;
  ~DataRequests();

  // The bytes of the request's frame are changed in place: offsets, leader epochs, timestamps. All
  // batches are on their way to their logs, in the order of these calls, before the first
  // suspension.
  [[nodiscard]] Task<Response> produce(Request request);
  [[nodiscard]] Task<Response> list_offsets(Request request);
  [[nodiscard]] Task<Response> delete_records(Request request);
  [[nodiscard]] Task<Response> offset_for_leader_epoch(Request request);
  [[nodiscard]] Task<Response> describe_log_dirs(Request request);
  [[nodiscard]] Task<Response> describe_producers(Request request);

  [[nodiscard]] const DataMetrics& metrics() const { return metrics_; }

 private:
  friend class ArenaLease;
  friend class Produce;
  template <class Item>
  friend class Scatter;

  [[nodiscard]] bool may(const Request& request, security::Operation operation,
                         std::string_view topic) const;
  [[nodiscard]] Partitions& partitions() { return context_.partitions; }
  [[nodiscard]] const metadata::Image& image() const { return *context_.partitions.image(); }

  DataContext context_;
  DataMetrics metrics_;
  protocol::Decompressor decompressor_;
  protocol::Compressor compressor_;
  std::vector<std::unique_ptr<protocol::Arena>> arenas_;  // not in use
};

}  // namespace millrace::broker
