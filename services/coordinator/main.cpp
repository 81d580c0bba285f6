// millrace-coordinator: coordinates the groups whose state the broker on this machine leads.
#include <array>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

import millrace.base;
import millrace.config;
import millrace.coordinator;
import millrace.groups;
import millrace.ipc.channel;
import millrace.runtime;
import millrace.runtime.process;
import millrace.runtime.shard;
import millrace.telemetry;

namespace millrace {
namespace {

// What runs on the shard, and is touched there only.
struct OnShard {
  OnShard(Shard& shard, std::uint64_t seed, const groups::Options& options,
          telemetry::Registry& registry, std::string path, const Logger& log)
      : random(seed),
        service(
            shard.loop(), random, buffers, options, coordinator::Metrics(registry, shard.index()),
            [&loop = shard.loop(), path = std::move(path)] { return ipc::connect(loop, path); },
            log) {}

  Random random;
  BufferPool buffers;
  coordinator::Service service;
  TaskGroup tasks;
};

Result<void> serve(Process& process) {
  const std::string path(process.config().get<"millrace.coordinator.socket">());
  if (path.empty()) {
    return failure(ErrorKind::invalid_argument,
                   "millrace.coordinator.socket is not set: it names the socket of the broker");
  }
  const auto options = coordinator::group_options(process.config());
  if (!options) return failure(options.error());

  const ShardIndex home(0);
  std::unique_ptr<OnShard> on_shard;
  process.shards().run_on(home, [&](Shard& shard) {
    on_shard = std::make_unique<OnShard>(shard, fresh_seed(), *options, process.metrics(), path,
                                         process.log());
    on_shard->tasks.start(on_shard->service.run());
  });
  process.ready(formatted("coordinating for the broker at {}", path));
  process.wait_for_stop();
  process.shards().run_on(home, [&](Shard&) -> Task<void> {
    on_shard->service.stop();
    co_await on_shard->tasks.wait();
    on_shard.reset();
  });
  return {};
}

}  // namespace
}  // namespace millrace

int main(int argument_count, char** arguments) {
  using namespace millrace;
  const ProcessOptions options{
      .command_line = {.name = "millrace-coordinator",
                       .description =
                           "Coordinates the consumer groups of the broker on this machine.",
                       .version = MILLRACE_VERSION},
  };
  return run_process(argument_count, arguments, options, serve);
}
