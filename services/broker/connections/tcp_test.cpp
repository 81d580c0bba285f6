// Connections over TCP on this machine, on shards with threads of their own. Also proves
// descriptor_files.cpp, listeners.cpp.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tcp_broker.hpp"

import millrace.protocol.fetch;

namespace millrace::broker {
namespace {

using protocol::RecordChunk;

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

TEST(TcpConnections, without_a_host_all_interfaces_are_listened_at) {
  TcpBroker broker(1);
  const auto addresses = resolve("", Port(0));
  ASSERT_TRUE(addresses.has_value());
  ASSERT_TRUE(broker.listen("", *addresses).has_value());
  EXPECT_EQ(broker.endpoint().bound.size(), 1u);
  const Client client(broker.port());
  client.send(heartbeat_bytes(1));
  EXPECT_EQ(client.receive_correlation(), 1);
}

TEST(TcpConnections, all_addresses_of_a_name_share_a_port_and_one_that_is_not_here_is_left_out) {
  TcpBroker broker(1);
  const std::vector<SocketAddress> addresses = {
      address_from_string("192.0.2.1", Port(0)).value(),  // of no machine
      address_from_string("127.0.0.1", Port(0)).value(),
      address_from_string("127.0.0.2", Port(0)).value()};
  ASSERT_TRUE(broker.listen("localhost", addresses).has_value());
  ASSERT_EQ(broker.endpoint().bound.size(), 2u);
  EXPECT_EQ(broker.endpoint().bound[0].port, broker.endpoint().bound[1].port);
  const Client client(broker.port());
  client.send(heartbeat_bytes(1));
  EXPECT_EQ(client.receive_correlation(), 1);
}

TEST(TcpConnections, an_address_of_another_machine_is_a_clear_error) {
  TcpBroker broker(1);
  const auto listening =
      broker.listen("192.0.2.1", {address_from_string("192.0.2.1", Port(9092)).value()});
  ASSERT_FALSE(listening.has_value());
  EXPECT_EQ(listening.error().message,
            "listeners: PLAINTEXT cannot listen at 192.0.2.1:9092: unreachable");
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
  ::close(file);
}

}  // namespace
}  // namespace millrace::broker
