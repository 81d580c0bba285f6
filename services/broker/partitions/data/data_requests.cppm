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
// How much of compressed records is checked before others of the shard have their turn: a batch of
// a few hundred kilobytes may hold a hundred megabytes.
inline constexpr std::uint64_t checked_bytes_per_turn = 2 * mebibyte;
// Of records that are not compressed so many times as much is checked in the same time.
inline constexpr std::uint64_t plain_bytes_per_compressed = 4;
// Memory for messages that is kept for the next requests.
inline constexpr std::size_t kept_arenas_max = 32;

class Appender;
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
  Logger log;
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

  // --- For what a request does on other shards ---

  [[nodiscard]] const DataContext& context() const { return context_; }
  [[nodiscard]] const metadata::Image& image() const { return *context_.partitions.image(); }

 private:
  friend class ArenaLease;
  friend class Produce;

  [[nodiscard]] bool may(const Request& request, security::Operation operation,
                         std::string_view topic) const;
  template <class Query>
  void refuse_unauthorized(const Request& request, security::Operation operation,
                           std::vector<Query>& queries) const {
    std::string_view topic;
    bool allowed = false;
    for (std::size_t i = 0; i < queries.size(); ++i) {
      if (i == 0 || queries[i].topic != topic) {
        topic = queries[i].topic;
        allowed = may(request, operation, topic);
      }
      if (!allowed) queries[i].fail(ErrorCode::topic_authorization_failed);
    }
  }
  [[nodiscard]] static Response too_large(const Request& request);
  [[nodiscard]] static Response unreadable(const Request& request,
                                           const protocol::DecodeError& error);

  DataContext context_;
  DataMetrics metrics_;
  LimitedLogger log_;
  protocol::Decompressor decompressor_;
  protocol::Compressor compressor_;
  std::unique_ptr<Appender> appender_;
  std::vector<std::unique_ptr<protocol::Arena>> arenas_;  // not in use
};

}  // namespace millrace::broker
