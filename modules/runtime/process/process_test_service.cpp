// A service for lifecycle_test.cpp: it starts, serves and stops as --behave says.
#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <vector>

import millrace.runtime.process;

namespace millrace {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr std::array<OptionDefinition, 2> options = {
    OptionDefinition{.name = "behave", .value_name = "HOW", .help = "What to do"},
    OptionDefinition{.name = "deadline-ms", .value_name = "N", .help = "Time to stop"}};

// Never comes back.
void hang() {
  for (;;) std::this_thread::sleep_for(hours(1));
}

struct Hang : Callback {
  Hang() : Callback([](Callback&) { hang(); }) {}
};

Result<void> serve(Process& process) {
  const std::string how = process.command_line().values[0].value_or("serve");
  if (how == "fail") return failure(ErrorKind::io, "the disk is on fire");
  if (how == "slow-start") {
    process.status("recovering");
    while (!process.is_stop_requested()) std::this_thread::sleep_for(milliseconds(1));
    return {};
  }
  // Something that runs on every shard until it is told to end.
  const std::uint32_t shard_count = process.shards().count();
  std::atomic<bool> is_ending = false;
  std::vector<std::unique_ptr<TaskGroup>> groups;
  const auto work = [&](Shard& here) -> Task<void> {
    while (!is_ending) {
      const ShardIndex next((here.index().value() + 1) % shard_count);
      co_await here.call(next, [](Shard&) {});
      co_await sleep_until(here.loop(), here.clock().now() + milliseconds(1));
    }
  };
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    groups.push_back(std::make_unique<TaskGroup>());
    process.shards().run_on(ShardIndex(i), [&](Shard& here) { groups[i]->start(work(here)); });
  }
  Hang hanging;
  if (how == "hang-shard") process.shards().at(ShardIndex{0}).loop().mailbox().send(hanging);
  process.ready("serving " + std::to_string(shard_count) + " shards\nPID=1");
  if (how == "give-up") process.request_stop();
  process.wait_for_stop();
  if (how == "hang-stop") hang();
  is_ending = true;
  for (std::uint32_t i = 0; i < shard_count; ++i) {
    process.shards().run_on(ShardIndex(i),
                            [&](Shard&) -> Task<void> { co_await groups[i]->wait(); });
  }
  return {};
}

int run(int argument_count, const char* const* arguments) {
  ProcessOptions process_options;
  process_options.command_line = {.name = "millrace-test",
                                  .description = "A service for tests.",
                                  .version = "0.0.1",
                                  .options = options};
  for (int i = 1; i + 1 < argument_count; ++i) {
    if (std::string(arguments[i]) == "--deadline-ms") {
      process_options.stop_deadline = std::chrono::milliseconds(std::atoi(arguments[i + 1]));
    }
  }
  return run_process(argument_count, arguments, process_options, serve);
}

}  // namespace
}  // namespace millrace

int main(int argument_count, char** arguments) {
  return millrace::run(argument_count, arguments);
}
