module;
#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <chrono>
#include <coroutine>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

module millrace.runtime.shard;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;

namespace millrace {
namespace {

// Signals are for the thread that waits for them, and SIGPIPE for nobody: a broken connection is an
// error of the call that met it.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    check(::pthread_sigmask(SIG_SETMASK, &all, &before_) == 0, "a thread may block signals");
  }
  ~AllSignalsBlocked() {
    check(::pthread_sigmask(SIG_SETMASK, &before_, nullptr) == 0, "a thread may take signals");
  }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

std::vector<std::uint32_t> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<std::uint32_t> cores;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (std::uint32_t core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) cores.push_back(core);
    }
  }
  // A machine with more cores than the set has room for.
  if (cores.empty()) {
    for (std::uint32_t core = 0; core < std::thread::hardware_concurrency(); ++core) {
      cores.push_back(core);
    }
  }
  if (cores.empty()) cores.push_back(0);
  return cores;
}

Result<std::unique_ptr<Shards>> Shards::start(const Clock& clock, telemetry::Registry& registry,
                                              const ShardsOptions& options) {
  if (options.count == 0 || options.count > registry.shard_count()) {
    return failure(ErrorKind::invalid_argument, formatted("{} shards; allowed are 1 to {}",
                                                          options.count, registry.shard_count()));
  }
  std::unique_ptr<Shards> shards(new Shards(clock));
  for (std::uint32_t i = 0; i < options.count; ++i) {
    if (auto added = shards->add(registry, options, ShardIndex(i)); !added) {
      shards->is_stopped_ = true;
      return failure(added.error());
    }
  }
  for (std::uint32_t i = 0; i < options.count; ++i) {
    if (auto started = start_thread(*shards->grounds_[i], options, ShardIndex(i)); !started) {
      shards->stop();
      return failure(started.error());
    }
  }
  return shards;
}

Result<void> Shards::add(telemetry::Registry& registry, const ShardsOptions& options,
                         ShardIndex index) {
  auto stalls = telemetry::StallMetrics::create(registry, index);
  if (!stalls) return failure(stalls.error());
  auto calls = CallMetrics::create(registry, index);
  if (!calls) return failure(calls.error());
  grounds_.push_back(std::unique_ptr<Ground>(
      new Ground{.meter = telemetry::StallMeter(std::move(*stalls), options.stall_threshold),
                 .loop = nullptr,
                 .ended = false,
                 .thread = {}}));
  auto loop = ShardLoop::make(clock_, &grounds_.back()->meter);
  if (!loop) return failure(loop.error());
  grounds_.back()->loop = std::move(*loop);
  shards_.push_back(std::make_unique<Shard>(index, *grounds_.back()->loop,
                                            grounds_.back()->loop.get(), shards_, options.count,
                                            std::move(*calls)));
  return {};
}

Result<void> Shards::start_thread(Ground& ground, const ShardsOptions& options, ShardIndex index) {
  const AllSignalsBlocked inherited;
  try {
    ground.thread = std::thread([&ground] {
      ground.loop->turn_until(ground.ended);
      ground.loop->drain();
    });
  } catch (const std::system_error& error) {
    return failure(ErrorKind::io,
                   formatted("shard {} gets no thread: errno {}", index, error.code().value()));
  }
  const std::string name = formatted("shard-{}", index);
  ::pthread_setname_np(ground.thread.native_handle(), name.c_str());
  if (options.cores.empty()) return {};
  const std::uint32_t core = options.cores[index.value() % options.cores.size()];
  cpu_set_t set;
  CPU_ZERO(&set);
  if (core < CPU_SETSIZE) CPU_SET(core, &set);
  const int refused = ::pthread_setaffinity_np(ground.thread.native_handle(), sizeof set, &set);
  if (refused != 0) {
    return failure(ErrorKind::invalid_argument,
                   formatted("shard {} cannot run on core {}: errno {}", index, core, refused));
  }
  return {};
}

Shards::~Shards() {
  stop();
}

void Shards::stop() {
  if (std::exchange(is_stopped_, true)) return;
  // An answer may make a shard that was asked already call again. When two rounds find the same
  // number of calls, none was unanswered between them.
  const auto calls_when_quiet = [this] {
    std::uint64_t calls = 0;
    for (const auto& shard : shards_) {
      if (!grounds_[shard->index().value()]->thread.joinable()) continue;
      calls += run_on(shard->index(),
                      [](Shard& here) -> Task<std::uint64_t> { co_return co_await here.quiet(); });
    }
    return calls;
  };
  std::uint64_t last = calls_when_quiet();
  for (std::uint64_t calls = calls_when_quiet(); calls != last; calls = calls_when_quiet()) {
    last = calls;
  }
  for (std::size_t i = 0; i < grounds_.size(); ++i) {
    Ground& ground = *grounds_[i];
    if (!ground.thread.joinable()) continue;
    run_on(ShardIndex(static_cast<std::uint32_t>(i)), [&ground](Shard&) { ground.ended = true; });
    ground.thread.join();
  }
}

RunningTurn Shards::longest_running_turn() const {
  const MonotonicTime now = clock_.now();
  RunningTurn longest;
  for (std::size_t i = 0; i < grounds_.size(); ++i) {
    const Duration running = grounds_[i]->meter.turn_running_for(now);
    if (running > longest.running) {
      longest = {.shard = ShardIndex(static_cast<std::uint32_t>(i)), .running = running};
    }
  }
  return longest;
}

}  // namespace millrace
