// A controller's server and peers that are no clients of ours: they write what they like.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include "kj.hpp"

#include <capnp/rpc.capnp.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "schema/controller.capnp.h"

// This one imports modules: it comes after all that includes standard headers.
#include "rpc_machine.hpp"

namespace millrace::rpc {

class StrangerMachine : public RpcMachine {
 protected:
  // A connection that speaks no RPC.
  class RawPeer {
   public:
    explicit RawPeer(std::uint16_t port)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    }
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;
    ~RawPeer() { ::close(socket_); }

    // False if the other side has closed already.
    bool write(std::span<const std::uint8_t> bytes) const {
      while (!bytes.empty()) {
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(sent));
      }
      return true;
    }
    // As much as the system takes at once.
    std::size_t write_some(std::span<const std::uint8_t> bytes) const {
      const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }
    // Whether the other side has closed by now.
    [[nodiscard]] bool is_closed() const {
      std::array<char, 512> got{};
      const auto count = ::recv(socket_, got.data(), got.size(), MSG_DONTWAIT);
      return count == 0 || (count < 0 && errno == ECONNRESET);
    }

   private:
    int socket_;
  };

  // The messages of Cap'n Proto's own protocol, as a client writes them.
  static std::vector<std::uint8_t> bytes_of(capnp::MessageBuilder& message) {
    const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
    return {words.asBytes().begin(), words.asBytes().end()};
  }
  static std::vector<std::uint8_t> bootstrap() {
    capnp::MallocMessageBuilder message;
    message.initRoot<capnp::rpc::Message>().initBootstrap().setQuestionId(0);
    return bytes_of(message);
  }
  static std::vector<std::uint8_t> finish(std::uint32_t question) {
    capnp::MallocMessageBuilder message;
    message.initRoot<capnp::rpc::Message>().initFinish().setQuestionId(question);
    return bytes_of(message);
  }
  // Calls what the bootstrap gave.
  template <class Params, class Fill>
  static std::vector<std::uint8_t> call(std::uint32_t question, std::uint16_t method, Fill fill) {
    capnp::MallocMessageBuilder message;
    auto call = message.initRoot<capnp::rpc::Message>().initCall();
    call.setQuestionId(question);
    call.initTarget().initPromisedAnswer().setQuestionId(0);
    call.setInterfaceId(capnp::typeId<wire::Controller>());
    call.setMethodId(method);
    fill(call.initParams().getContent().initAs<Params>());
    return bytes_of(message);
  }
  static std::vector<std::uint8_t> call_hello(std::uint32_t question) {
    return call<wire::Controller::HelloParams>(question, 0, [](auto params) {
      auto hello = params.initRequest();
      hello.setNodeId(101);
      hello.initRpcVersion().setMajor(version_major);
      hello.setSoftwareVersion("0.1.0");
    });
  }
  static std::vector<std::uint8_t> call_forward(std::uint32_t question, std::uint32_t bytes) {
    return call<wire::Controller::ForwardParams>(
        question, 4, [&](auto params) { params.initRequest().initBody(bytes); });
  }
};

}  // namespace millrace::rpc
