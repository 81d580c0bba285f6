// The way of a request through a broker's connection and back, with a handler that does nothing:
// beside a bare loop of recv and write, which is the floor. The client is the same for both; what
// counts is the CPU time of the thread that serves, for each request and for each gigabyte.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

import millrace.base;
import millrace.broker.connections;
import millrace.protocol.produce;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.telemetry;

namespace {

using namespace millrace;
using namespace millrace::broker;

constexpr std::size_t answer_bytes = 16;
constexpr std::int64_t in_flight = 5;  // as Kafka's producer

void must(bool holds) {
  if (!holds) std::abort();
}

double thread_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

class Handler final : public RequestHandler {
 public:
  explicit Handler(BufferPool& pool) : pool_(pool) {}
  Task<Response> handle(Request request) override {
    co_return respond(request.context, pool_, protocol::ProduceResponse{});
  }

 private:
  BufferPool& pool_;
};

int connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const int on = 1;
  must(::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
  return socket;
}

void send_all(int socket, const std::vector<std::byte>& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::send(socket, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    must(count > 0);
    done += static_cast<std::size_t>(count);
  }
}

void receive_all(int socket, std::size_t bytes) {
  std::array<std::byte, 4096> buffer;
  while (bytes > 0) {
    const ssize_t count = ::recv(socket, buffer.data(), std::min(bytes, buffer.size()), 0);
    must(count > 0);
    bytes -= static_cast<std::size_t>(count);
  }
}

// Produce, version 3, of this size with its length.
std::vector<std::byte> produce_frame(std::size_t bytes) {
  std::vector<std::byte> frame(bytes);
  store_big_endian(frame.data(), static_cast<std::int32_t>(bytes - 4));
  store_big_endian(frame.data() + 6, std::int16_t{3});
  return frame;  // correlation id 0, an empty client id
}

// A client with requests in flight; gives nothing but time to the server.
void drive(benchmark::State& state, std::uint16_t port) {
  const int socket = connect_to(port);
  const auto frame = produce_frame(static_cast<std::size_t>(state.range(0)));
  for (std::int64_t i = 0; i < in_flight; ++i) send_all(socket, frame);
  for (auto _ : state) {
    receive_all(socket, answer_bytes);
    send_all(socket, frame);
  }
  receive_all(socket, answer_bytes * in_flight);
  ::close(socket);
}

void report(benchmark::State& state, double cpu_seconds) {
  const auto requests = static_cast<double>(state.iterations());
  const double gigabytes = requests * static_cast<double>(state.range(0)) / 1e9;
  state.counters["server_us_per_request"] = cpu_seconds * 1e6 / requests;
  state.counters["server_s_per_gb"] = cpu_seconds / gigabytes;
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

// recv of all that there is, and an answer for each whole frame.
void serve_bare(int listener, std::size_t frame_bytes, double& cpu_seconds) {
  const int socket = ::accept(listener, nullptr, nullptr);
  std::vector<std::byte> buffer(std::max(frame_bytes, std::size_t{65536}));
  const std::array<std::byte, answer_bytes> answer{};
  const double before = thread_cpu_seconds();
  for (std::size_t received = 0;;) {
    const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    for (received += static_cast<std::size_t>(count); received >= frame_bytes;
         received -= frame_bytes) {
      must(::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL) == ssize_t{answer_bytes});
    }
  }
  cpu_seconds = thread_cpu_seconds() - before;
  ::close(socket);
}

void bare_loop(benchmark::State& state) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  must(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
       ::listen(listener, 1) == 0 &&
       ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  double cpu_seconds = 0;
  std::thread server(
      [&] { serve_bare(listener, static_cast<std::size_t>(state.range(0)), cpu_seconds); });
  drive(state, ntohs(address.sin_port));
  server.join();
  ::close(listener);
  report(state, cpu_seconds);
}

class Broker {
 public:
  Broker()
      : shards_(Shards::start(clock_, registry_, {}).value()),
        memory_(
            RequestMemory::create(request_memory_bytes_default, socket_request_bytes_max_default, 1)
                .value()) {
    shards_->run_on(home, [&](Shard& shard) {
      pool_ = std::make_unique<BufferPool>();
      network_ = std::make_unique<TcpNetwork>(shard.socket_loop(), log_);
      handler_ = std::make_unique<Handler>(*pool_);
      local_ = LocalRequestMemory::create(*memory_, clock_, shard.loop().mailbox(), registry_, home)
                   .value();
      connections_ = ShardConnections::create({.executor = shard.loop(),
                                               .network = *network_,
                                               .pool = *pool_,
                                               .memory = *local_,
                                               .handler = *handler_},
                                              {}, registry_, home, log_)
                         .value();
      ListenersPlan plan;
      plan.connections_max = plan.connections_per_address_max = 100;
      ListenerPlan listener;
      listener.name = "PLAINTEXT";
      listener.host = "127.0.0.1";
      listener.addresses = {address_from_string("127.0.0.1", Port(0)).value()};
      listener.connections_max = 100;
      plan.listeners.push_back(listener);
      listeners_ =
          Listeners::listen(shard, *network_, plan, {connections_.get()}, registry_, log_).value();
      listeners_->accept_all();
    });
  }
  ~Broker() {
    shards_->run_on(home, [&](Shard&) { return listeners_->stop(); });
    shards_->run_on(home, [&](Shard&) {
      listeners_.reset();
      connections_.reset();
      local_.reset();
      handler_.reset();
      network_.reset();
      pool_.reset();
    });
    shards_->stop();
  }
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  [[nodiscard]] std::uint16_t port() const {
    return listeners_->endpoints()[0].advertised_port.value();
  }
  [[nodiscard]] double cpu_seconds() {
    return shards_->run_on(home, [](Shard&) { return thread_cpu_seconds(); });
  }

 private:
  static constexpr ShardIndex home{0};

  SystemClock clock_;
  telemetry::Registry registry_{1};
  Logger log_{std::make_shared<MemoryLogSink>(), "bench"};
  std::unique_ptr<Shards> shards_;
  std::unique_ptr<RequestMemory> memory_;
  std::unique_ptr<BufferPool> pool_;
  std::unique_ptr<TcpNetwork> network_;
  std::unique_ptr<Handler> handler_;
  std::unique_ptr<LocalRequestMemory> local_;
  std::unique_ptr<ShardConnections> connections_;
  std::unique_ptr<Listeners> listeners_;
};

void connection(benchmark::State& state) {
  Broker broker;
  const double before = broker.cpu_seconds();
  drive(state, broker.port());
  report(state, broker.cpu_seconds() - before);
}

BENCHMARK(bare_loop)->Arg(200)->Arg(16'384)->Arg(131'072)->Arg(1'000'000)->UseRealTime();
BENCHMARK(connection)->Arg(200)->Arg(16'384)->Arg(131'072)->Arg(1'000'000)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
