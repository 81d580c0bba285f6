// A gateway, a coordinator, and a log for its partitions, in one simulation.
#pragma once

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.broker.connections;
import millrace.broker.coordination;
import millrace.coordinator;
import millrace.groups;
import millrace.ipc.channel;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.protocol.groups;
import millrace.protocol.partitioner;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.security;
import millrace.telemetry;

namespace millrace::broker {

using protocol::ApiKey;
using protocol::ErrorCode;

inline constexpr std::int32_t state_partitions = 3;

inline Uuid topic_id(std::uint8_t number) {
  Uuid id;
  id.bytes[15] = std::byte{number};
  return id;
}

class FakeTopics final : public GroupTopics {
 public:
  [[nodiscard]] std::optional<coordination::KnownTopic> find(std::string_view name) const override {
    for (const auto& topic : topics) {
      if (topic.name == name) return topic;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::optional<coordination::KnownTopic> find(const Uuid& id) const override {
    for (const auto& topic : topics) {
      if (topic.id == id) return topic;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::int32_t state_partitions() const override { return count; }
  [[nodiscard]] std::vector<coordination::KnownTopic> all(std::size_t topics_max) const override {
    const auto shown = static_cast<std::ptrdiff_t>(std::min(topics_max, topics.size()));
    return {topics.begin(), topics.begin() + shown};
  }

  std::vector<coordination::KnownTopic> topics{{"orders", topic_id(1), 4},
                                               {"bills", topic_id(2), 2}};
  std::int32_t count = broker::state_partitions;
};

// Logs that take their time. What is appended is in order; the high watermark follows after a
// random delay. An append may fail, and be in the log or not.
class FakeStore final : public StateStore {
 public:
  struct Batch {
    std::vector<std::byte> bytes;
    Offset next;
  };
  struct Log {
    LeaderEpoch epoch = no_leader_epoch;
    std::vector<Batch> batches;
    Offset end{0};
    Offset high_watermark{0};
  };

  FakeStore(Executor& executor, std::uint64_t seed) : executor_(executor), random_(seed) {}

  [[nodiscard]] Task<Result<StateBatches, ErrorCode>> read(PartitionIndex partition,
                                                           LeaderEpoch epoch, Offset from,
                                                           std::size_t bytes_max) override {
    co_await pause();
    const Log& log = logs[partition];
    if (log.epoch != epoch) co_return failure(ErrorCode::not_leader_or_follower);
    StateBatches read{{}, from, log.end};
    for (const Batch& batch : log.batches) {
      if (batch.next <= from || batch.next > log.high_watermark) continue;
      if (!read.bytes.empty() && read.bytes.size() + batch.bytes.size() > bytes_max) break;
      read.bytes.insert(read.bytes.end(), batch.bytes.begin(), batch.bytes.end());
      read.next = batch.next;
    }
    ++reads;
    co_return read;
  }
  [[nodiscard]] Task<Result<void, ErrorCode>> append(PartitionIndex partition, LeaderEpoch epoch,
                                                     std::vector<std::byte> batch) override {
    Log& log = logs[partition];
    const bool fails = fail_next > 0 || random_.chance(failures);
    if (fail_next > 0) --fail_next;
    const bool is_taken = log.epoch == epoch && (!fails || random_.chance(0.5));
    Offset end = log.end;
    if (is_taken) {
      const auto header = protocol::read_batch_header(batch);
      check(header.has_value(), "what is appended is a batch");
      protocol::rewrite_base_offset_and_epoch(batch, log.end, epoch);
      end = log.end = log.end.plus(header->last_offset_delta + 1);
      log.batches.push_back({std::move(batch), end});
      ++appends;
    }
    co_await pause();
    while (is_held) co_await pause();
    if (!is_taken) co_return failure(ErrorCode::not_leader_or_follower);
    log.high_watermark = std::max(log.high_watermark, end);
    if (fails) co_return failure(ErrorCode::request_timed_out);
    co_return Result<void, ErrorCode>();
  }

  std::map<PartitionIndex, Log> logs;
  Duration delay_max = std::chrono::milliseconds{5};
  double failures = 0;
  int fail_next = 0;
  bool is_held = false;  // nothing gets below a high watermark
  std::uint64_t appends = 0;
  std::uint64_t reads = 0;

 private:
  [[nodiscard]] Task<void> pause() {
    const Duration delay(static_cast<Duration::rep>(
        random_.below(static_cast<std::uint64_t>(delay_max.count()) + 1)));
    co_await sleep_until(executor_, executor_.clock().now() + delay + Duration{1});
  }

  Executor& executor_;
  Random random_;
};

// Keeps what it was asked, and refuses what the test says.
class RecordingAuthorizer final : public security::Authorizer {
 public:
  [[nodiscard]] bool authorize(const security::Session&, security::Operation operation,
                               security::ResourceType type, std::string_view name) override {
    const std::string question = std::string(security::name_of(operation)) + " " +
                                 std::string(security::name_of(type)) + " " + std::string(name);
    asked.push_back(question);
    return !refused.contains(question);
  }
  [[nodiscard]] bool restricts() const override { return true; }

  std::vector<std::string> asked;  // "READ GROUP g"
  std::set<std::string> refused;
};

// An answer, and the bytes that its message looks into.
template <class Response>
struct Answered {
  bool is_closed = false;
  std::string reason;
  std::vector<std::byte> body;
  std::unique_ptr<protocol::Arena> arena;
  Response message;
};

template <class Request>
std::vector<std::byte> body_of(const Request& request, std::int16_t version) {
  const auto size = measure(request, version);
  check(size.has_value(), "a test's request can be encoded");
  std::vector<std::byte> body(size->inline_bytes);
  protocol::Writer writer(body, {});
  write(request, version, writer);
  return body;
}

class Cluster {
 public:
  explicit Cluster(std::uint64_t seed = 1, groups::Options options = quick())
      : executor(seed),
        store(executor, seed + 1),
        sink(std::make_shared<MemoryLogSink>()),
        gateway(executor, topics, store, authorizer,
                GatewayMetrics(registry, telemetry::ShardIndex(0)), {.broker = BrokerId(1)},
                Logger(sink, "gateway")),
        options_(options),
        random_(seed + 2) {
    for (std::int32_t i = 0; i < state_partitions; ++i) lead(PartitionIndex(i), LeaderEpoch(0));
  }
  ~Cluster() { stop(); }

  static groups::Options quick() {
    groups::Options options;
    options.initial_rebalance_delay = groups::Milliseconds(100);
    return options;
  }

  void lead(PartitionIndex partition, LeaderEpoch epoch) {
    store.logs[partition].epoch = epoch;
    gateway.partition_led(partition, epoch);
  }
  void lose(PartitionIndex partition) {
    store.logs[partition].epoch = no_leader_epoch;
    gateway.partition_lost(partition);
  }

  // A coordinator starts, or the one that runs dies and another one starts.
  void start_coordinator() {
    kill_coordinator();
    service_ = std::make_unique<coordinator::Service>(
        executor, random_, buffers_, options_,
        coordinator::Metrics(registry, telemetry::ShardIndex(0)), [this] { return connect(); },
        Logger(sink, "coordinator"));
    service_tasks_.start(service_->run());
  }
  void kill_coordinator() {
    if (!service_) return;
    service_->stop();
    check(executor.run(waited(service_tasks_)).has_value(), "a coordinator ends");
    service_.reset();
  }
  void pass(Duration time) { executor.advance(time); }
  // Until all partitions can be asked.
  void settle() { pass(std::chrono::milliseconds{500}); }

  void stop() {
    kill_coordinator();
    if (std::exchange(is_stopped_, true)) return;
    check(executor.run(gateway.stop()).has_value(), "a gateway ends");
    check(executor.run(waited(serving_)).has_value(), "and what it serves");
    check(executor.run(waited(clients)).has_value(), "and its clients");
  }

  template <class Response, class Request>
  Task<void> send(Request request, std::int16_t version, Answered<Response>& answered,
                  bool& ended) {
    const auto body = body_of(request, version);
    auto answer = co_await gateway.ask({.api = Request::api_key,
                                        .version = version,
                                        .session = &session,
                                        .client_id = "app",
                                        .client_host = "/127.0.0.1",
                                        .body = body,
                                        .connection = {0, ConnectionId(1)}});
    answered.is_closed = answer.close;
    answered.reason = std::move(answer.reason);
    answered.body = std::move(answer.body);
    answered.arena = std::make_unique<protocol::Arena>(request_arena_bytes_max);
    if (!answered.is_closed) {
      const auto read = decode(answered.message, answered.body, version, *answered.arena);
      check(read.has_value() && *read == answered.body.size(), "an answer can be read, all of it");
    }
    ended = true;
  }
  // Asks and waits, for at most a minute.
  template <class Response, class Request>
  Answered<Response> ask(Request request, std::int16_t version) {
    Answered<Response> answered;
    bool ended = false;
    clients.start(send<Response>(std::move(request), version, answered, ended));
    for (int i = 0; !ended && i < 60'000; ++i) pass(std::chrono::milliseconds{1});
    check(ended, "a request is answered");
    return answered;
  }

  SimulatedExecutor executor;
  FakeTopics topics;
  FakeStore store;
  telemetry::Registry registry{1};
  RecordingAuthorizer authorizer;
  security::Session session;
  std::shared_ptr<MemoryLogSink> sink;
  GroupGateway gateway;
  TaskGroup clients;
  bool is_reachable = true;

 private:
  static Task<void> waited(TaskGroup& group) { co_await group.wait(); }

  Task<ipc::ChannelResult<std::unique_ptr<ipc::Channel>>> connect() {
    co_await yield(executor);
    if (!is_reachable || is_stopped_) {
      co_return failure(ipc::ChannelError{ipc::ChannelFault::unreachable, 0, "connect"});
    }
    auto ends = ipc::make_channel_pair(executor, {.seed = random_.next()});
    serving_.start(gateway.serve(std::move(ends.first)));
    co_return std::move(ends.second);
  }

  groups::Options options_;
  Random random_;
  BufferPool buffers_;
  TaskGroup service_tasks_;
  TaskGroup serving_;
  std::unique_ptr<coordinator::Service> service_;
  bool is_stopped_ = false;
};

// A member of a group, as a client library is one.
struct Member {
  std::string group = "g";
  std::string id;
  std::int32_t generation = -1;
  bool leads = false;
  std::vector<std::string> members;
};

inline protocol::JoinGroupRequest join_of(
    const Member& member, const protocol::JoinGroupRequest::JoinGroupRequestProtocol& protocol) {
  protocol::JoinGroupRequest request;
  request.group_id = member.group;
  request.session_timeout_ms = 10'000;
  request.rebalance_timeout_ms = 20'000;
  request.member_id = member.id;
  request.protocol_type = "consumer";
  request.protocols = {&protocol, 1};
  return request;
}

inline const protocol::JoinGroupRequest::JoinGroupRequestProtocol range_protocol{
    "range", protocol::empty_bytes};

}  // namespace millrace::broker
