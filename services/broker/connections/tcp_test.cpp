// Connections over TCP on this machine, on shards with threads of their own. Also proves
// descriptor_files.cpp, listeners.cpp.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "connection_machine.hpp"

import millrace.protocol.fetch;

namespace millrace::broker {
namespace {

using protocol::RecordChunk;

class TcpBroker {
 public:
  explicit TcpBroker(std::uint32_t shard_count)
      : registry(shard_count),
        shards_(Shards::start(clock, registry, options_of(shard_count)).value()),
        memory_(RequestMemory::create(request_memory_bytes_default,
                                      socket_request_bytes_max_default, shard_count)
                    .value()) {
    for (std::uint32_t i = 0; i < shard_count; ++i) {
      parts_.push_back(shards_->run_on(ShardIndex(i), [&](Shard& shard) {
        auto parts = std::make_unique<Parts>(shard.socket_loop(), log);
        parts->memory = LocalRequestMemory::create(*memory_, clock, shard.loop().mailbox(),
                                                   registry, shard.index())
                            .value();
        parts->connections = ShardConnections::create({.executor = shard.loop(),
                                                       .network = parts->network,
                                                       .pool = parts->pool,
                                                       .memory = *parts->memory,
                                                       .handler = parts->handler},
                                                      {}, registry, shard.index(), log)
                                 .value();
        return parts;
      }));
    }
  }
  ~TcpBroker() {
    if (listeners_ != nullptr) {
      shards_->run_on(home, [&](Shard&) { return listeners_->stop(); });
      shards_->run_on(home, [&](Shard&) { listeners_.reset(); });
    }
    for (std::uint32_t i = 0; i < shards_->count(); ++i) {
      shards_->run_on(ShardIndex(i), [&](Shard&) { parts_[i].reset(); });
    }
    shards_->stop();
  }
  TcpBroker(const TcpBroker&) = delete;
  TcpBroker& operator=(const TcpBroker&) = delete;

  [[nodiscard]] Result<void> listen(std::uint16_t port) {
    ListenersPlan plan;
    plan.connections_max = plan.connections_per_address_max = 100;
    ListenerPlan listener;
    listener.name = "PLAINTEXT";
    listener.host = listener.advertised_host = "127.0.0.1";
    listener.addresses = {address_from_string("127.0.0.1", Port(port)).value()};
    listener.connections_max = 100;
    plan.listeners.push_back(listener);
    std::vector<ShardConnections*> connections;
    for (const auto& parts : parts_) connections.push_back(parts->connections.get());
    return shards_->run_on(home, [&](Shard& shard) -> Result<void> {
      auto listeners =
          Listeners::listen(shard, parts_[0]->network, plan, connections, registry, log);
      if (!listeners) return failure(listeners.error());
      listeners_ = std::move(*listeners);
      listeners_->accept_all();
      return {};
    });
  }
  [[nodiscard]] std::uint16_t port() const {
    return listeners_->endpoints()[0].advertised_port.value();
  }
  // Before any request.
  template <class Setup>
  void set_up_handlers(Setup setup) {
    for (std::uint32_t i = 0; i < shards_->count(); ++i) {
      shards_->run_on(ShardIndex(i), [&](Shard&) { setup(parts_[i]->handler, parts_[i]->pool); });
    }
  }
  [[nodiscard]] std::vector<std::size_t> begun_on_each() {
    std::vector<std::size_t> begun;
    for (std::uint32_t i = 0; i < shards_->count(); ++i) {
      begun.push_back(
          shards_->run_on(ShardIndex(i), [&](Shard&) { return parts_[i]->handler.begun.size(); }));
    }
    return begun;
  }

  SystemClock clock;
  telemetry::Registry registry;
  std::shared_ptr<MemoryLogSink> sink = std::make_shared<MemoryLogSink>();
  Logger log{sink, "broker"};

 private:
  static constexpr ShardIndex home{0};

  static ShardsOptions options_of(std::uint32_t count) {
    ShardsOptions options;
    options.count = count;
    return options;
  }

  struct Parts {
    Parts(ShardLoop& loop, const Logger& logger) : network(loop, logger), handler(loop, pool) {}
    BufferPool pool;
    TcpNetwork network;
    TestHandler handler;
    std::unique_ptr<LocalRequestMemory> memory;
    std::unique_ptr<ShardConnections> connections;
  };

  std::unique_ptr<Shards> shards_;
  std::unique_ptr<RequestMemory> memory_;
  std::vector<std::unique_ptr<Parts>> parts_;
  std::unique_ptr<Listeners> listeners_;
};

// A client with calls that block.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(ByteView bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(count, 0);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  // The next frame without its length; empty at the end.
  [[nodiscard]] std::vector<std::byte> receive() const {
    std::array<std::byte, frame_length_bytes> length{};
    if (!fill(length)) return {};
    std::vector<std::byte> frame(
        static_cast<std::size_t>(load_big_endian<std::int32_t>(length.data())));
    if (!fill(frame)) return {};
    return frame;
  }
  [[nodiscard]] std::int32_t receive_correlation() const {
    const auto frame = receive();
    return frame.empty() ? -1 : load_big_endian<std::int32_t>(frame.data());
  }
  // Ends with a reset instead of an orderly end.
  void reset() const {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    EXPECT_EQ(::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
  }

 private:
  [[nodiscard]] bool fill(MutableBytes bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
      if (count <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }

  int socket_;
};

TEST(TcpConnections, answer_on_all_shards_at_a_port_that_the_system_chose) {
  TcpBroker broker(2);
  ASSERT_TRUE(broker.listen(0).has_value());
  ASSERT_NE(broker.port(), 0);
  std::vector<std::thread> clients;
  for (std::int32_t c = 0; c < 4; ++c) {
    clients.emplace_back([&] {
      const Client client(broker.port());
      for (std::int32_t i = 0; i < 500; ++i) {
        client.send(i % 10 == 0 ? produce_bytes(i, 200'000) : heartbeat_bytes(i));
        EXPECT_EQ(client.receive_correlation(), i);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(broker.begun_on_each(), (std::vector<std::size_t>{1000, 1000}));
}

TEST(TcpConnections, a_client_may_send_many_requests_before_it_reads) {
  TcpBroker broker(1);
  ASSERT_TRUE(broker.listen(0).has_value());
  const Client client(broker.port());
  constexpr std::int32_t count = 20'000;
  std::thread sender([&] {
    for (std::int32_t i = 0; i < count; ++i) client.send(heartbeat_bytes(i));
  });
  for (std::int32_t i = 0; i < count; ++i) ASSERT_EQ(client.receive_correlation(), i);
  sender.join();
}

TEST(TcpConnections, a_port_in_use_is_a_clear_error) {
  TcpBroker first(1);
  ASSERT_TRUE(first.listen(0).has_value());
  TcpBroker second(1);
  const auto listening = second.listen(first.port());
  ASSERT_FALSE(listening.has_value());
  EXPECT_EQ(listening.error().kind, ErrorKind::already_exists);
  EXPECT_EQ(listening.error().message,
            formatted("listeners: PLAINTEXT cannot listen at 127.0.0.1:{}: address in use; is "
                      "another broker running?",
                      first.port()));
}

TEST(TcpConnections, clients_that_break_off_harm_nobody) {
  TcpBroker broker(2);
  ASSERT_TRUE(broker.listen(0).has_value());
  const Client healthy(broker.port());
  for (std::int32_t i = 0; i < 50; ++i) {
    const Client client(broker.port());
    const auto frame = produce_bytes(i, 100'000);
    client.send(ByteView(frame).first(50'000));
    client.reset();
    healthy.send(heartbeat_bytes(i));
    ASSERT_EQ(healthy.receive_correlation(), i);
  }
}

// The list of chunks, and a descriptor that ends when the response does.
class RecordsInFile final : public ResponseHold {
 public:
  RecordsInFile(const std::array<RecordChunk, 2>& list, int descriptor)
      : chunks(list), descriptor_(descriptor) {}
  ~RecordsInFile() override { ::close(descriptor_); }

  std::array<RecordChunk, 2> chunks;

 private:
  int descriptor_;
};

std::vector<std::byte> numbered(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i % 251);
  return bytes;
}

TEST(TcpConnections, records_come_from_memory_and_from_files) {
  const std::vector<std::byte> contents = numbered(5'000'000);
  constexpr std::int64_t file_position = 1'000'001;
  constexpr std::size_t file_bytes = 3'000'000;
  TcpBroker broker(1);
  broker.set_up_handlers([&](TestHandler& handler, BufferPool& pool) {
    handler.respond_with = [&](const RequestContext& context) {
      const int file = ::memfd_create("records", MFD_CLOEXEC);
      EXPECT_EQ(::write(file, contents.data(), contents.size()),
                static_cast<ssize_t>(contents.size()));
      auto hold = std::make_unique<RecordsInFile>(
          std::array<RecordChunk, 2>{
              {{contents.data(), -1, 0, 77}, {nullptr, file, file_position, file_bytes}}},
          file);
      protocol::FetchResponse::PartitionData partition;
      partition.records = protocol::Records(std::span<const RecordChunk>(hold->chunks));
      protocol::FetchResponse::FetchableTopicResponse topic;
      topic.topic = "orders";
      topic.partitions = protocol::Array<protocol::FetchResponse::PartitionData>(&partition, 1);
      protocol::FetchResponse response;
      response.responses =
          protocol::Array<protocol::FetchResponse::FetchableTopicResponse>(&topic, 1);
      return respond(context, pool, response, std::move(hold));
    };
  });
  ASSERT_TRUE(broker.listen(0).has_value());
  const Client client(broker.port());
  for (std::int32_t i = 0; i < 3; ++i) {
    client.send(request_bytes(1, 4, i, 10));
    const std::vector<std::byte> frame = client.receive();
    ASSERT_GE(frame.size(), 77 + file_bytes);
    EXPECT_EQ(load_big_endian<std::int32_t>(frame.data()), i);
    const ByteView records = ByteView(frame).last(77 + file_bytes);
    EXPECT_TRUE(std::equal(records.begin(), records.begin() + 77, contents.begin()));
    EXPECT_TRUE(std::equal(records.begin() + 77, records.end(), contents.begin() + file_position));
  }
}

TEST(DescriptorFiles, read_in_place_and_refuse_all_else) {
  const std::vector<std::byte> contents = numbered(1000);
  const int file = ::memfd_create("records", MFD_CLOEXEC);
  ASSERT_EQ(::write(file, contents.data(), contents.size()), 1000);
  DescriptorFiles files;
  EXPECT_EQ(files.descriptor(FileHandle(file)), file);
  SimulatedExecutor executor;
  const auto ended = executor.run([](DescriptorFiles& f, int descriptor) -> Task<void> {
    std::array<std::byte, 600> buffer;
    EXPECT_EQ((co_await f.read(FileHandle(descriptor), 100, buffer)).value(), 600u);
    EXPECT_EQ(buffer[0], std::byte{100});
    EXPECT_EQ((co_await f.read(FileHandle(descriptor), 900, buffer)).value(), 100u);
    EXPECT_EQ((co_await f.read(FileHandle(-1), 0, buffer)).error().operation,
              std::string_view("read"));
    EXPECT_EQ((co_await f.set_size(FileHandle(descriptor), 0)).error().fault, IoFault::invalid);
  }(files, file));
  EXPECT_TRUE(ended.has_value());
  EXPECT_FALSE(files.map(FileHandle(file), 10).has_value());
  ::close(file);
}

}  // namespace
}  // namespace millrace::broker
