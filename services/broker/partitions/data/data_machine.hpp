// Requests of clients for the data of a broker on a simulated machine.
#pragma once

#include "../../noting_quotas.hpp"
#include "../broker_machine.hpp"

// The imports come after all that includes standard headers.
import millrace.broker.connections;
import millrace.broker.partitions.data;
import millrace.protocol.framing;
import millrace.protocol.produce;
import millrace.runtime.streams;
import millrace.security;

namespace millrace::broker {

// Refuses what is called secret.
class Refusing final : public security::Authorizer {
 public:
  bool authorize(const security::Session&, security::Operation operation,
                 security::ResourceType type, std::string_view name) override {
    asked.emplace_back(operation, type);
    return name != "secret" && (type != security::ResourceType::cluster || cluster);
  }
  bool restricts() const override { return true; }

  std::vector<std::pair<security::Operation, security::ResourceType>> asked;
  bool cluster = true;
};

// A response, and the bytes that its message is a view of.
template <class Message>
struct Told {
  bool closed = false;
  bool none = false;
  std::string reason;
  std::shared_ptr<std::vector<std::byte>> bytes;
  std::shared_ptr<protocol::Arena> arena;
  Message message;
};

struct Produced {
  std::string topic = "orders";
  std::int32_t partition = 0;
  std::vector<std::byte> batch;
};

class DataMachine : public BrokerMachine {
 public:
  explicit DataMachine(std::uint64_t seed, std::uint32_t count = 3) : BrokerMachine(seed, count) {
    session->listener = "PLAINTEXT";
  }
  ~DataMachine() override {
    if (life) kill();
  }

  // The answer to a message that came by this shard.
  template <class Response, class Message>
  Told<Response> ask(Task<broker::Response> (DataRequests::*handler)(Request),
                     const Message& message, std::int16_t version, std::uint32_t shard = 0) {
    return wait(ask_later<Response>(handler, message, version, shard));
  }
  // The request is on its way when this is started.
  template <class Response, class Message>
  Task<Told<Response>> ask_later(Task<broker::Response> (DataRequests::*handler)(Request),
                                 const Message& message, std::int16_t version,
                                 std::uint32_t shard = 0) {
    return answer<Response>(handler, request_of(message, version, shard), version, shard);
  }
  template <class Response>
  Task<Told<Response>> answer(Task<broker::Response> (DataRequests::*handler)(Request),
                              Request request, std::int16_t version, std::uint32_t shard) {
    const broker::Response response = co_await (data[shard].get()->*handler)(std::move(request));
    co_return read<Response>(response, version);
  }

  // One partition each, in one request.
  Told<protocol::ProduceResponse> produce(std::vector<Produced> wanted, std::int16_t acks = 1,
                                          std::int16_t version = 12, std::uint32_t shard = 0) {
    return wait(produce_later(std::move(wanted), acks, version, shard));
  }
  Task<Told<protocol::ProduceResponse>> produce_later(std::vector<Produced> wanted,
                                                      std::int16_t acks = 1,
                                                      std::int16_t version = 12,
                                                      std::uint32_t shard = 0) {
    using Message = protocol::ProduceRequest;
    std::vector<Message::PartitionProduceData> partitions(wanted.size());
    std::vector<Message::TopicProduceData> topics(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      partitions[i].index = wanted[i].partition;
      partitions[i].records = protocol::Bytes(wanted[i].batch);
      topics[i].name = wanted[i].topic;
      topics[i].topic_id = topic_id_of(wanted[i].topic);
      topics[i].partition_data = std::span<const Message::PartitionProduceData>(&partitions[i], 1);
    }
    Message message;
    message.acks = acks;
    message.timeout_ms = timeout_ms;
    if (!transaction.empty()) message.transactional_id = transaction;
    message.topic_data = std::span<const Message::TopicProduceData>(topics);
    return ask_later<protocol::ProduceResponse>(&DataRequests::produce, message, version, shard);
  }
  // The answer for one batch.
  protocol::ProduceResponse::PartitionProduceResponse produce_one(const BatchOf& batch,
                                                                  std::int16_t acks = 1,
                                                                  std::int16_t version = 12) {
    return produce_bytes(batch_of(batch), acks, version);
  }
  protocol::ProduceResponse::PartitionProduceResponse produce_bytes(std::vector<std::byte> batch,
                                                                    std::int16_t acks = 1,
                                                                    std::int16_t version = 12) {
    last = produce({{"orders", 0, std::move(batch)}}, acks, version);
    EXPECT_FALSE(last.closed) << last.reason;
    return last.message.responses[0].partition_responses[0];
  }
  static ErrorCode code(const protocol::ProduceResponse::PartitionProduceResponse& response) {
    return static_cast<ErrorCode>(response.error_code);
  }

  template <class Message>
  Request request_of(const Message& message, std::int16_t version, std::uint32_t shard) {
    BufferPool scratch;
    const auto frame =
        protocol::encode_request(scratch, CorrelationId(7), client_id, message, version);
    EXPECT_TRUE(frame.has_value());
    std::vector<std::byte> bytes;
    frame->for_each_piece([&](const protocol::RecordChunk& chunk) {
      bytes.insert(bytes.end(), chunk.memory, chunk.memory + chunk.size);
    });
    auto owner = std::make_shared<Buffer>(life->pools[shard]->acquire(bytes.size() - 4));
    std::copy(bytes.begin() + 4, bytes.end(), owner->data());
    const auto received = protocol::read_request_header(owner->bytes());
    EXPECT_TRUE(received.has_value());
    Request request;
    request.context.api = received->api;
    request.context.version = version;
    request.context.correlation_id = received->correlation_id;
    request.context.client_id = received->client_id;
    request.context.session = session;
    request.context.peer = address_from_string("10.0.0.7", Port(40'123)).value();
    request.body = received->body;
    request.frame = protocol::Frame(owner->bytes(), owner);
    return request;
  }

  template <class Response>
  static Told<Response> read(const broker::Response& response, std::int16_t version) {
    Told<Response> told;
    told.closed = response.kind() == broker::Response::Kind::close;
    told.none = response.kind() == broker::Response::Kind::none;
    told.reason = response.reason();
    if (told.closed || told.none) return told;
    told.bytes = std::make_shared<std::vector<std::byte>>();
    response.frame().for_each_piece([&](const protocol::RecordChunk& chunk) {
      told.bytes->insert(told.bytes->end(), chunk.memory, chunk.memory + chunk.size);
    });
    const auto header = protocol::read_response_header(
        ByteView(*told.bytes).subspan(4), protocol::api_info(Response::api_key), version);
    EXPECT_TRUE(header.has_value());
    told.arena = std::make_shared<protocol::Arena>(std::size_t{64} * mebibyte);
    EXPECT_TRUE(decode(told.message, header->body, version, *told.arena).has_value());
    return told;
  }

  std::shared_ptr<security::Session> session = std::make_shared<security::Session>();
  Refusing authorizer;
  NotingQuotas quotas;
  std::int32_t timeout_ms = 1'000;
  std::string transaction;
  std::string client_id = "tester";
  protocol::CheckDepth depth = protocol::CheckDepth::records;
  DataRequestsOfShards all;
  std::vector<std::unique_ptr<DataRequests>> data;
  Told<protocol::ProduceResponse> last;

 protected:
  void started() override {
    all.assign(shard_count, nullptr);
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      data.push_back(std::make_unique<DataRequests>(
          DataContext{life->shards.at(ShardIndex(i)), *life->pools[i], all,
                      *life->host->partitions()[i], life->host->directories(), ShardIndex(0),
                      authorizer, quotas, life->registry, Logger(lines, "test"), depth}));
    }
  }
  void stopping() override { data.clear(); }
};

}  // namespace millrace::broker
