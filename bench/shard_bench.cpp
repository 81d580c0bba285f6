// Calls between shards, and an echo over TCP: our streams beside a bare epoll loop, which is the
// floor, and beside Asio with coroutines. The client is the same for all three; what counts is the
// CPU time of the thread that serves.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <vector>

import millrace.runtime.shard;
import millrace.runtime.streams;

namespace {

using namespace millrace;

constexpr std::size_t message_bytes = 100;
constexpr std::size_t buffer_bytes = 4096;

// A thread that listens on a port and echoes until all its connections have ended.
class Server {
 public:
  virtual ~Server() = default;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] double cpu_seconds() {
    clockid_t clock{};
    pthread_getcpuclockid(thread_.native_handle(), &clock);
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }
  void join() { thread_.join(); }

 protected:
  std::uint16_t port_ = 0;
  std::thread thread_;
};

int listening_socket(std::uint16_t& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener, 1024) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    std::abort();
  }
  port = ntohs(address.sin_port);
  return listener;
}

class BareServer final : public Server {
 public:
  explicit BareServer(std::size_t connections) {
    const int listener = listening_socket(port_);
    thread_ = std::thread([listener, connections] { serve(listener, connections); });
  }

 private:
  static void serve(int listener, std::size_t connections) {
    const int epoll = ::epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    std::array<epoll_event, 256> events;
    std::array<std::byte, buffer_bytes> buffer;
    for (std::size_t ended = 0; ended < connections;) {
      const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i) {
        const int socket = events[static_cast<std::size_t>(i)].data.fd;
        if (socket == listener) {
          event.data.fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
          if (event.data.fd >= 0) ::epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
          continue;
        }
        const ssize_t read = ::recv(socket, buffer.data(), buffer.size(), 0);
        if (read > 0) {
          if (::send(socket, buffer.data(), static_cast<std::size_t>(read), MSG_NOSIGNAL) != read) {
            std::abort();
          }
        } else if (read == 0) {
          ::close(socket);
          ++ended;
        }
      }
    }
    ::close(epoll);
    ::close(listener);
  }
};

class StreamServer final : public Server {
 public:
  explicit StreamServer(std::size_t connections) {
    std::atomic<std::uint16_t> port = 0;
    thread_ = std::thread([&port, connections] {
      const SystemClock clock;
      const auto loop = ShardLoop::make(clock).value();
      TcpNetwork network(*loop, Logger(std::make_shared<MemoryLogSink>(), "bench"));
      loop->run(serve(network, connections, port));
    });
    port.wait(0);
    port_ = port;
  }

 private:
  static Task<void> echo(std::unique_ptr<ByteStream> stream) {
    std::array<std::byte, buffer_bytes> buffer;
    for (;;) {
      const auto read = co_await stream->read(buffer);
      if (!read || *read == 0) co_return;
      const std::array<ByteView, 1> pieces = {ByteView(buffer).first(*read)};
      if (!co_await stream->write(pieces)) co_return;
    }
  }
  static Task<void> serve(Network& network, std::size_t connections,
                          std::atomic<std::uint16_t>& port) {
    ListenOptions options;
    options.backlog = 1024;
    const auto listener =
        network.listen(address_from_string("127.0.0.1", Port{0}).value(), options).value();
    port = listener->address().port.value();
    port.notify_all();
    TaskGroup group;
    for (std::size_t i = 0; i < connections; ++i) {
      group.start(echo(network.adopt(std::move(*co_await listener->accept())).value()));
    }
    co_await group.wait();
  }
};

class AsioServer final : public Server {
 public:
  explicit AsioServer(std::size_t connections) {
    std::atomic<std::uint16_t> port = 0;
    thread_ = std::thread([&port, connections] {
      boost::asio::io_context context(1);
      co_spawn(context, serve(connections, port), boost::asio::detached);
      context.run();
    });
    port.wait(0);
    port_ = port;
  }

 private:
  using Tcp = boost::asio::ip::tcp;

  static boost::asio::awaitable<void> echo(Tcp::socket socket) {
    std::array<std::byte, buffer_bytes> buffer;
    for (;;) {
      boost::system::error_code error;
      const std::size_t read = co_await socket.async_read_some(
          boost::asio::buffer(buffer),
          boost::asio::redirect_error(boost::asio::use_awaitable, error));
      if (error) co_return;
      co_await async_write(socket, boost::asio::buffer(buffer.data(), read),
                           boost::asio::redirect_error(boost::asio::use_awaitable, error));
      if (error) co_return;
    }
  }
  static boost::asio::awaitable<void> serve(std::size_t connections,
                                            std::atomic<std::uint16_t>& port) {
    const auto executor = co_await boost::asio::this_coro::executor;
    Tcp::acceptor acceptor(executor, {boost::asio::ip::address_v4::loopback(), 0});
    port = acceptor.local_endpoint().port();
    port.notify_all();
    for (std::size_t i = 0; i < connections; ++i) {
      Tcp::socket socket = co_await acceptor.async_accept(boost::asio::use_awaitable);
      socket.set_option(Tcp::no_delay(true));
      co_spawn(executor, echo(std::move(socket)), boost::asio::detached);
    }
  }
};

int connected_socket(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int yes = 1;
  if (::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0) {
    std::abort();
  }
  return socket;
}

// Each iteration is one message on each connection, there and back.
template <class Kind>
void echo(benchmark::State& state) {
  const auto connections = static_cast<std::size_t>(state.range(0));
  Kind server(connections);
  std::vector<int> sockets;
  for (std::size_t i = 0; i < connections; ++i) sockets.push_back(connected_socket(server.port()));
  std::array<std::byte, message_bytes> message{};
  const double before = server.cpu_seconds();
  for (auto _ : state) {
    for (const int socket : sockets) {
      if (::send(socket, message.data(), message.size(), 0) != message_bytes) std::abort();
    }
    for (const int socket : sockets) {
      if (::recv(socket, message.data(), message.size(), MSG_WAITALL) != message_bytes)
        std::abort();
    }
  }
  const double spent = server.cpu_seconds() - before;
  const auto messages = static_cast<double>(state.iterations()) * static_cast<double>(connections);
  state.SetItemsProcessed(static_cast<std::int64_t>(messages));
  state.counters["server_ns_per_message"] = spent / messages * 1e9;
  for (const int socket : sockets) ::close(socket);
  server.join();
}
BENCHMARK(echo<BareServer>)->Name("echo/bare_epoll")->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(echo<StreamServer>)->Name("echo/streams")->Arg(1)->Arg(64)->UseRealTime();
BENCHMARK(echo<AsioServer>)->Name("echo/asio")->Arg(1)->Arg(64)->UseRealTime();

// Calls to another shard: one after the other, and many at a time.
void calls(benchmark::State& state) {
  const auto at_once = static_cast<std::size_t>(state.range(0));
  const SystemClock clock;
  telemetry::Registry registry(2);
  ShardsOptions options;
  options.count = 2;
  const auto shards = Shards::start(clock, registry, options).value();
  for (auto _ : state) {
    shards->run_on(ShardIndex{0}, [&](Shard& here) -> Task<void> {
      std::uint64_t sum = 0;
      const auto call = [&]() -> Task<void> {
        for (std::size_t i = 0; i < 10'000 / at_once; ++i) {
          sum += co_await here.call(ShardIndex{1}, [i](Shard&) { return i; });
        }
      };
      TaskGroup group;
      for (std::size_t i = 0; i < at_once; ++i) group.start(call());
      co_await group.wait();
      benchmark::DoNotOptimize(sum);
    });
  }
  state.SetItemsProcessed(state.iterations() *
                          static_cast<std::int64_t>(10'000 / at_once * at_once));
}
BENCHMARK(calls)->Name("shard/calls")->Arg(1)->Arg(100)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
