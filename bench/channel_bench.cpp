// A message to another process and its answer: over a channel, beside the floor, which is a pair of
// Unix sockets and system calls in a loop. The other side is a process of its own.
#include <benchmark/benchmark.h>
#include <signal.h>  // kill
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

import millrace.ipc.channel;
import millrace.runtime.shard;

namespace {

using namespace millrace;
using namespace millrace::ipc;

std::string socket_path() {
  return (std::filesystem::temp_directory_path() / ("channel-bench-" + std::to_string(::getpid())))
      .string();
}

// Gives back every message until the channel ends.
[[noreturn]] void echo(const std::string& path) {
  const SystemClock clock;
  const auto loop = ShardLoop::make(clock).value();
  const auto work = [&]() -> Task<void> {
    auto channel = co_await connect(*loop, path);
    while (channel) {
      const auto message = co_await (*channel)->receive();
      if (!message || !co_await (*channel)->send(*message)) co_return;
    }
  };
  loop->run(work());
  ::_exit(0);
}

class Peer {
 public:
  explicit Peer(const std::string& path) : process_(::fork()) {
    if (process_ == 0) echo(path);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }

 private:
  pid_t process_;
};

// Messages of so many bytes, so many of them under way at once.
void channel_round_trips(benchmark::State& state) {
  const std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
  const auto under_way = state.range(1);
  const SystemClock clock;
  const auto loop = ShardLoop::make(clock).value();
  const Logger log(std::make_shared<MemoryLogSink>(), "bench");
  const std::string path = socket_path();
  const auto listener = ChannelListener::listen(*loop, log, path).value();
  const Peer peer(path);
  const auto work = [&]() -> Task<void> {
    const auto channel = (co_await listener->accept()).value();
    for (auto _ : state) {
      for (std::int64_t i = 0; i < under_way; ++i) {
        if (!co_await channel->send(message)) state.SkipWithError("not sent");
      }
      for (std::int64_t i = 0; i < under_way; ++i) {
        if (!co_await channel->receive()) state.SkipWithError("not received");
      }
    }
  };
  loop->run(work());
  state.SetItemsProcessed(state.iterations() * under_way);
}
BENCHMARK(channel_round_trips)
    ->ArgNames({"bytes", "under_way"})
    ->Args({100, 1})
    ->Args({100, 16})
    ->Args({10'000, 1})
    ->Args({10'000, 16})
    ->UseRealTime();

void socket_round_trips(benchmark::State& state) {
  std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()) != 0) {
    state.SkipWithError("no sockets");
    return;
  }
  const pid_t peer = ::fork();
  if (peer == 0) {
    for (;;) {
      const auto count = ::recv(ends[1], message.data(), message.size(), 0);
      if (count <= 0) ::_exit(0);
      if (::send(ends[1], message.data(), static_cast<std::size_t>(count), 0) != count) ::_exit(1);
    }
  }
  for (auto _ : state) {
    if (::send(ends[0], message.data(), message.size(), 0) < 0 ||
        ::recv(ends[0], message.data(), message.size(), 0) < 0) {
      state.SkipWithError("not sent");
    }
  }
  state.SetItemsProcessed(state.iterations());
  ::kill(peer, SIGKILL);
  ::waitpid(peer, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}
BENCHMARK(socket_round_trips)->ArgNames({"bytes"})->Arg(100)->Arg(10'000)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
