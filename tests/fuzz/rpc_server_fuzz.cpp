// A stranger on a connection to a controller. The first byte of the input says whether it begins as
// a client does, and whether the rest is one message of Cap'n Proto or any bytes. Whatever it is,
// the server closes the connection when the stranger has ended, and serves the next one.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../ipc/rpc/kj.hpp"

#include <capnp/rpc.capnp.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/controller.capnp.h"

import millrace.base;
import millrace.ipc.rpc;
import millrace.runtime;
import millrace.runtime.shard;

namespace {

using namespace millrace;
using namespace millrace::rpc;

// Answers at once, and keeps nothing.
class Controller final : public ControllerService {
 public:
  Task<HelloReply> on(Hello) override {
    HelloReply reply;
    reply.controller_id = NodeId(1);
    reply.leader_id = NodeId(1);
    co_return reply;
  }
  Task<RegisterBrokerReply> on(RegisterBroker) override { co_return RegisterBrokerReply{}; }
  Task<HeartbeatReply> on(Heartbeat) override { co_return HeartbeatReply{}; }
  Task<FollowMetadataReply> on(FollowMetadata) override { co_return FollowMetadataReply{}; }
  Task<ForwardReply> on(Forward request) override {
    ForwardReply reply;
    reply.body = std::move(request.body);
    co_return reply;
  }
  Task<AllocateProducerIdsReply> on(AllocateProducerIds) override {
    co_return AllocateProducerIdsReply{};
  }
  Task<DescribeQuorumReply> on(DescribeQuorum) override { co_return DescribeQuorumReply{}; }
  void on(RaftMessage) override {}
};

class Silence final : public LogSink {
 public:
  void write(LogLevel, std::string_view, std::string_view) override {}
};

struct Machine {
  SystemClock clock;
  Logger log{std::make_shared<Silence>(), "rpc"};
  std::unique_ptr<RpcThread> thread = RpcThread::start().value();
  std::unique_ptr<ShardLoop> loop = ShardLoop::make(clock).value();
  Controller controller;
  std::unique_ptr<ControllerServer> server =
      ControllerServer::start(*thread, *loop, controller, {.host = "127.0.0.1"}, log).value();
};

Machine& machine() {
  // For all inputs of the program; it ends with it.
  static Machine& one = *new Machine;
  return one;
}

using Bytes = std::vector<std::uint8_t>;

void add(Bytes& to, capnp::MessageBuilder& message) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  to.insert(to.end(), words.asBytes().begin(), words.asBytes().end());
}

void add_greeting(Bytes& to) {
  capnp::MallocMessageBuilder bootstrap;
  bootstrap.initRoot<capnp::rpc::Message>().initBootstrap().setQuestionId(0);
  add(to, bootstrap);
  capnp::MallocMessageBuilder message;
  auto call = message.initRoot<capnp::rpc::Message>().initCall();
  call.setQuestionId(1);
  call.initTarget().initPromisedAnswer().setQuestionId(0);
  call.setInterfaceId(capnp::typeId<wire::Controller>());
  call.setMethodId(0);
  auto hello = call.initParams().getContent().initAs<wire::Controller::HelloParams>().initRequest();
  hello.setNodeId(101);
  hello.initRpcVersion().setMajor(version_major);
  add(to, message);
}

// One segment of that many words.
void add_frame(Bytes& to, std::span<const std::uint8_t> body) {
  const auto words = static_cast<std::uint32_t>(body.size() / sizeof(capnp::word));
  to.insert(to.end(), sizeof words, 0);
  for (std::size_t i = 0; i < sizeof words; ++i) {
    to.push_back(static_cast<std::uint8_t>(words >> (8 * i)));
  }
  to.insert(to.end(), body.begin(), body.begin() + words * sizeof(capnp::word));
}

Task<void> visit(Machine& here, const Bytes& bytes) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(here.server->port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  check(::connect(socket, to, sizeof address) == 0, "the server takes connections");
  // The system takes that much at once; a server that has closed already need not.
  static_cast<void>(::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  ::shutdown(socket, SHUT_WR);
  while (true) {
    std::array<char, 4096> got{};
    const auto count = ::recv(socket, got.data(), got.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN)) break;
    if (count < 0) {
      co_await sleep_until(*here.loop, here.clock.now() + std::chrono::microseconds{100});
    }
  }
  ::close(socket);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> rest(data + 1, size - 1);
  Bytes bytes;
  if ((data[0] & 1) != 0) add_greeting(bytes);
  if ((data[0] & 2) != 0) {
    add_frame(bytes, rest);
  } else {
    bytes.insert(bytes.end(), rest.begin(), rest.end());
  }
  machine().loop->run(visit(machine(), bytes));
  return 0;
}
