// One produce request.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.partitions.data:produce;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.protocol.api;
import millrace.protocol.produce;
import millrace.runtime;
import millrace.runtime.shard;
import :appender;
import :arena_lease;
import :data_requests;

namespace millrace::broker {

inline constexpr std::int16_t first_produce_version = 3;
inline constexpr std::int16_t first_produce_version_with_zstd = 7;
inline constexpr std::int16_t first_produce_version_with_hints = 10;
inline constexpr std::int16_t first_produce_version_with_ids = 13;

// Lies in the frame of the coroutine that answers the request.
class Produce {
 public:
  Produce(DataRequests& owner, Request request)
      : owner_(owner), request_(std::move(request)), arena_(owner) {}

  // Reads the request and submits all that can be; a sentence where the connection is to be closed.
  [[nodiscard]] std::optional<std::string> begin();
  // Until all partitions have an answer.
  [[nodiscard]] auto wait() { return countdown_.wait(); }
  [[nodiscard]] Response answer();

 private:
  using Topic = protocol::ProduceRequest::TopicProduceData;
  using Answer = protocol::ProduceResponse;

  void add_topic(const Topic& topic);
  // Why nothing of this topic is written, for all its partitions.
  [[nodiscard]] ErrorCode refusal_of(std::string_view topic) const;
  void submit();
  task_detail::Detached submit_to(ShardIndex shard);
  [[nodiscard]] static Task<void> append_on(DataRequests& there, Produce& produce);
  void tell_of_refused_batches() const;
  void fill(Answer::PartitionProduceResponse& response, ProducePart& part);

  DataRequests& owner_;
  Request request_;
  ArenaLease arena_;
  protocol::ProduceRequest message_;
  ProduceTerms terms_;
  ErrorCode refused_ = ErrorCode::none;  // all of it
  std::vector<ProducePart> parts_;       // in the order of the request
  Countdown countdown_;
};

}  // namespace millrace::broker
