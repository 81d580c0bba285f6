// A dispatcher on a simulated shard, with everything behind it in the hands of the test.
#pragma once

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// These import modules: they come after all that includes standard headers.
#include "test_cluster.hpp"

import millrace.base;
import millrace.broker.requests;
import millrace.config;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::broker {

using OwnedBytes = std::vector<std::byte>;
using protocol::ApiKey;
using protocol::ErrorCode;

inline std::int16_t code_of(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

inline OwnedBytes bytes_of(const protocol::OutgoingFrame& frame) {
  OwnedBytes bytes;
  frame.for_each_piece([&](const protocol::RecordChunk& piece) {
    bytes.insert(bytes.end(), piece.memory, piece.memory + piece.size);
  });
  return bytes;
}

class FakeImages final : public ImagePort {
 public:
  std::shared_ptr<const metadata::Image> current() const override { return image; }
  std::shared_ptr<const metadata::Image> image = metadata::empty_image();
};

// Keeps what it was asked, and answers what the test says.
class FakeController final : public ControllerPort {
 public:
  Task<Result<OwnedBytes, ErrorCode>> forward(rpc::Forward request) override {
    forwards.push_back(request);
    if (hold != nullptr) {
      [[maybe_unused]] const auto guard = co_await hold->lock();
    }
    co_return answer(forwards.back());
  }
  Task<Result<metadata::ProducerIdBlock, ErrorCode>> allocate_producer_ids() override {
    ++allocations;
    co_return blocks(allocations);
  }
  Task<rpc::RpcResult<rpc::DescribeQuorumReply>> describe_quorum(MonotonicTime) override {
    co_return quorum;
  }

  std::vector<rpc::Forward> forwards;
  AsyncMutex* hold = nullptr;
  std::function<Result<OwnedBytes, ErrorCode>(const rpc::Forward&)> answer =
      [](const rpc::Forward&) { return Result<OwnedBytes, ErrorCode>(OwnedBytes{}); };
  int allocations = 0;
  std::function<Result<metadata::ProducerIdBlock, ErrorCode>(int)> blocks = [](int which) {
    return metadata::ProducerIdBlock{.first = ProducerId(which * 1000), .count = 3};
  };
  rpc::RpcResult<rpc::DescribeQuorumReply> quorum;
};

// Everything behind the other ports: says by whom a request was taken.
class FakeRest final : public DataPort, public FetchPort, public GroupPort {
 public:
  Task<Response> produce(Request request) override { return taken("produce", request); }
  Task<Response> list_offsets(Request request) override { return taken("list_offsets", request); }
  Task<Response> delete_records(Request request) override {
    return taken("delete_records", request);
  }
  Task<Response> offset_for_leader_epoch(Request request) override {
    return taken("offset_for_leader_epoch", request);
  }
  Task<Response> describe_log_dirs(Request request) override {
    return taken("describe_log_dirs", request);
  }
  Task<Response> describe_producers(Request request) override {
    return taken("describe_producers", request);
  }
  Task<Response> fetch(Request request) override { return taken("fetch", request); }
  Task<Response> handle(Request request) override { return taken("group", request); }
  void connection_closing(ConnectionId connection) override { closing.push_back(connection); }

  std::string last;
  std::vector<ConnectionId> closing;

 private:
  Task<Response> taken(std::string_view by, const Request&) {
    last = by;
    co_return Response::none();
  }
};

// Keeps what it was asked; refuses what the test says, else allows.
class FakeAuthorizer final : public security::Authorizer {
 public:
  struct Asked {
    security::Operation operation;
    security::ResourceType type;
    std::string name;
    friend auto operator<=>(const Asked&, const Asked&) = default;
  };

  bool authorize(const security::Session&, security::Operation operation,
                 security::ResourceType type, std::string_view name) override {
    Asked now{.operation = operation, .type = type, .name = std::string(name)};
    const bool allowed = !refused.contains(now);
    asked.push_back(std::move(now));
    return allowed;
  }
  bool restricts() const override { return true; }

  void refuse(security::Operation operation, security::ResourceType type, std::string name) {
    refused.insert({.operation = operation, .type = type, .name = std::move(name)});
  }
  bool was_asked(Question question) const {
    return std::any_of(asked.begin(), asked.end(), [&](const Asked& one) {
      return one.operation == question.operation && one.type == question.type;
    });
  }

  std::set<Asked> refused;
  std::vector<Asked> asked;
};

class FakeQuotas final : public security::Quotas {
 public:
  struct Told {
    security::QuotaKind kind;
    std::uint64_t amount;
  };

  Duration record(const security::Session&, std::string_view, security::QuotaKind kind,
                  std::uint64_t amount, MonotonicTime) override {
    told.push_back({.kind = kind, .amount = amount});
    return throttle;
  }

  std::vector<Told> told;
  Duration throttle{};
};

inline std::shared_ptr<const ServerConfig> server_config(
    std::vector<config::PropertyEntry> entries = {}) {
  std::vector<config::Layer> layers;
  layers.push_back(config::Layer{.kind = config::SourceKind::file,
                                 .file = "server.properties",
                                 .entries = std::move(entries)});
  auto made = config::make_server_config(std::move(layers), {}, nullptr);
  check(made.has_value(), "a test gives legal settings");
  return std::make_shared<const ServerConfig>(std::move(made->config));
}

// The answer to a request, read back.
template <class Message>
struct Answered {
  OwnedBytes bytes;  // without length
  std::unique_ptr<protocol::Arena> arena =
      std::make_unique<protocol::Arena>(request_arena_bytes_max);
  Message message;
  CorrelationId correlation_id;
};

// Broker 1 of a cluster.
class Bench {
 public:
  explicit Bench(std::vector<config::PropertyEntry> settings = {})
      : configs(server_config(std::move(settings)), BrokerId(1), executor.clock(),
                Logger(log, "configs")),
        around{.pool = pool,
               .executor = executor,
               .images = images,
               .configs = configs,
               .authorizer = authorizer,
               .quotas = quotas,
               .controller = controller,
               .self = BrokerId(1)},
        dispatcher(around, {.data = rest, .fetches = rest, .groups = rest},
                   Logger(log, "requests")) {
    session->listener = "PLAINTEXT";
    session->principal.name = "alice";
  }

  void set(std::shared_ptr<const metadata::Image> image) {
    images.image = image;
    configs.update(std::move(image));
  }

  Request request(ApiKey key, std::int16_t version, ByteView body) {
    auto buffer = std::make_shared<Buffer>(pool.acquire(std::max<std::size_t>(body.size(), 1)));
    std::copy(body.begin(), body.end(), buffer->bytes().begin());
    const ByteView bytes = buffer->bytes().first(body.size());
    Request made;
    made.context.api = &protocol::api_info(key);
    made.context.version = version;
    made.context.correlation_id = CorrelationId(77);
    made.context.client_id = "client";
    made.context.session = session;
    made.context.received = executor.clock().now();
    made.context.deadline = executor.clock().now() + std::chrono::seconds{30};
    made.context.connection = ConnectionId(5);
    made.frame = protocol::Frame(bytes, std::move(buffer));
    made.body = made.frame.bytes();
    return made;
  }
  template <class Message>
  Request request(const Message& message, std::int16_t version) {
    const auto body = encode_body(message, version);
    check(body.has_value(), "a test asks in a version that has the fields");
    return request(Message::api_key, version, *body);
  }

  Response serve(Request request) {
    auto response = executor.run(dispatcher.handle(std::move(request)));
    check(response.has_value(), "a request ends");
    return std::move(*response);
  }

  // Of a frame: what is in it.
  template <class Message>
  Answered<Message> read(const Response& response, std::int16_t version) {
    check(response.kind() == Response::Kind::frame, "a test looks into an answer that is one");
    Answered<Message> answered;
    const OwnedBytes all = bytes_of(response.frame());
    answered.bytes.assign(all.begin() + 4, all.end());
    const auto& api = protocol::api_info(Message::api_key);
    const auto header = protocol::read_response_header(answered.bytes, api, version);
    check(header.has_value(), "an answer has a header");
    answered.correlation_id = header->correlation_id;
    const auto decoded = decode(answered.message, header->body, version, *answered.arena);
    check(decoded.has_value() && *decoded == header->body.size(), "an answer can be read");
    return answered;
  }

  template <class Answer, class Message>
  Answered<Answer> ask(const Message& message, std::int16_t version) {
    return read<Answer>(serve(request(message, version)), version);
  }

  std::shared_ptr<MemoryLogSink> log = std::make_shared<MemoryLogSink>();
  SimulatedExecutor executor;
  BufferPool pool;
  FakeImages images;
  FakeController controller;
  FakeRest rest;
  FakeAuthorizer authorizer;
  FakeQuotas quotas;
  std::shared_ptr<security::Session> session = std::make_shared<security::Session>();
  ConfigView configs;
  HandlerSurroundings around;
  Dispatcher dispatcher;
};

}  // namespace millrace::broker
