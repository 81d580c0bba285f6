// A mock cluster on a simulated network, and a client that knows frames and nothing else.
#pragma once

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.mock;
import millrace.protocol;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.protocol.framing;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::mock {

inline constexpr std::size_t client_frame_bytes_max = 64 * mebibyte;

// An answer with what it has views of.
template <class Response>
struct Got {
  protocol::Frame frame;
  std::unique_ptr<protocol::Arena> arena;
  Response message;
};

// One connection to a broker of the mock. Nothing is checked that the test does not check; what
// breaks gives nothing.
class RawClient {
 public:
  RawClient(Network& network, BufferPool& pool) : network_(network), pool_(pool) {}

  Task<bool> connect(SocketAddress address) {
    auto stream = co_await network_.connect(address);
    if (!stream) co_return false;
    stream_ = *std::move(stream);
    splitter_.emplace(pool_, client_frame_bytes_max);
    co_return true;
  }
  void close() {
    if (stream_) stream_->close();
  }

  template <class Request>
  Task<bool> send(const Request& request, std::int16_t version) {
    const auto frame =
        protocol::encode_request(pool_, CorrelationId(++sent_), "raw", request, version);
    EXPECT_TRUE(frame.has_value()) << to_string(frame.error());
    if (!frame) co_return false;
    std::vector<std::byte> bytes;
    frame->for_each_piece([&](const protocol::RecordChunk& piece) {
      bytes.insert(bytes.end(), piece.memory, piece.memory + piece.size);
    });
    co_return co_await send_bytes(bytes);
  }
  Task<bool> send_bytes(ByteView bytes) {
    const std::array<ByteView, 1> pieces = {bytes};
    const auto written = co_await stream_->write(pieces);
    co_return written.has_value();
  }

  // The next frame; nothing when the connection ended or `deadline` came.
  Task<std::optional<protocol::Frame>> receive(MonotonicTime deadline = no_deadline) {
    for (;;) {
      auto frame = splitter_->next();
      if (!frame) co_return std::nullopt;
      if (*frame) co_return std::move(**frame);
      const auto count = co_await stream_->read(splitter_->receive_space(), deadline);
      if (!count || *count == 0) co_return std::nullopt;
      splitter_->received(*count);
    }
  }

  template <class Response, class Request>
  Task<std::optional<Got<Response>>> call(const Request& request, std::int16_t version) {
    if (!co_await send(request, version)) co_return std::nullopt;
    auto frame = co_await receive();
    if (!frame) co_return std::nullopt;
    co_return decoded<Response>(*std::move(frame), version);
  }

  template <class Response>
  [[nodiscard]] std::optional<Got<Response>> decoded(protocol::Frame frame, std::int16_t version) {
    Got<Response> got{std::move(frame), std::make_unique<protocol::Arena>(64 * mebibyte), {}};
    const auto header = protocol::read_response_header(
        got.frame.bytes(), protocol::api_info(Response::api_key), version);
    if (!header || header->correlation_id != CorrelationId(sent_)) return std::nullopt;
    const auto size = decode(got.message, header->body, version, *got.arena);
    if (!size || *size != header->body.size()) return std::nullopt;
    return got;
  }

 private:
  Network& network_;
  BufferPool& pool_;
  std::unique_ptr<ByteStream> stream_;
  std::optional<protocol::FrameSplitter> splitter_;
  std::int32_t sent_ = 0;
};

inline constexpr std::int16_t none = 0;
inline constexpr std::int16_t number(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

// A batch with one record for each value.
inline std::vector<std::byte> batch_of(const std::vector<std::string>& values,
                                       const protocol::BatchOptions& options = {}) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  builder.start(options);
  for (const std::string& value : values) {
    EXPECT_TRUE(builder.append({.value = as_bytes(value), .timestamp = Timestamp(1)}).has_value());
  }
  const auto batch = builder.finish();
  EXPECT_TRUE(batch.has_value());
  return {batch->begin(), batch->end()};
}

// One partition of one topic in a Produce request. Stays in place while it is sent.
struct ProduceOne {
  ProduceOne(Uuid id, std::string_view name, std::int32_t partition, ByteView batch,
             std::int16_t acks = -1) {
    part.index = partition;
    part.records = protocol::Records(batch);
    topic.name = name;
    topic.topic_id = id;
    topic.partition_data = {&part, 1};
    message.acks = acks;
    message.timeout_ms = 1000;
    message.topic_data = {&topic, 1};
  }
  ProduceOne(const ProduceOne&) = delete;
  ProduceOne& operator=(const ProduceOne&) = delete;

  protocol::ProduceRequest::PartitionProduceData part;
  protocol::ProduceRequest::TopicProduceData topic;
  protocol::ProduceRequest message;
};

struct FetchOne {
  FetchOne(Uuid id, std::string_view name, std::int32_t partition, std::int64_t offset) {
    part.partition = partition;
    part.fetch_offset = offset;
    part.partition_max_bytes = mebibyte;
    topic.topic = name;
    topic.topic_id = id;
    topic.partitions = {&part, 1};
    message.max_wait_ms = 500;
    message.min_bytes = 1;
    message.topics = {&topic, 1};
  }
  FetchOne(const FetchOne&) = delete;
  FetchOne& operator=(const FetchOne&) = delete;

  protocol::FetchRequest::FetchPartition part;
  protocol::FetchRequest::FetchTopic topic;
  protocol::FetchRequest message;
};

// A cluster and what it stands on. The pool outlives frames that a test keeps.
class MockMachine {
 public:
  explicit MockMachine(const Options& options = {}, std::uint64_t seed = 1)
      : executor(seed), network(executor, {.seed = seed}) {
    auto started = Cluster::start(executor, network, options);
    check(started.has_value(), "a mock starts on a simulated network");
    cluster = *std::move(started);
  }
  ~MockMachine() {
    run(cluster->close());
    executor.run_until_idle();
  }

  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended.has_value()) << ended.error().message;
  }

  [[nodiscard]] SocketAddress address(std::int32_t broker = 1) const {
    return cluster->address(BrokerId(broker));
  }
  [[nodiscard]] Uuid id_of(std::string_view topic) const {
    return cluster->topic_id(topic).value_or(Uuid{});
  }
  [[nodiscard]] MonotonicTime now() const { return executor.clock().now(); }

  SimulatedExecutor executor;
  SimulatedNetwork network;
  BufferPool pool;
  std::unique_ptr<Cluster> cluster;
};

}  // namespace millrace::mock
