// What measuring costs: a store or two on the shard that measures, and the text for the one who
// looks.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "allocations.hpp"

import millrace.base;
import millrace.telemetry;

namespace {

using namespace millrace;
using namespace millrace::telemetry;

constexpr ShardIndex shard{0};

template <class Handle>
Handle handle(Registry& registry, std::string_view name) {
  return registry.add<Handle>({.name = name, .help = "For the benchmark."}, shard).value();
}

void counter_add(benchmark::State& state) {
  Registry registry(1);
  Counter counter = handle<Counter>(registry, "bench_total");
  const bench::AllocationCounter allocations(state);
  for (auto _ : state) {
    counter.add();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(counter_add)->Name("counter/add");

void gauge_set(benchmark::State& state) {
  Registry registry(1);
  Gauge gauge = handle<Gauge>(registry, "bench");
  std::int64_t value = 0;
  for (auto _ : state) {
    gauge.set(++value);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(gauge_set)->Name("gauge/set");

// Latencies as they come: most around 100 microseconds, a long tail.
std::vector<Duration> latencies() {
  std::mt19937 random(1);
  std::lognormal_distribution<double> distribution(11.5, 1.5);
  std::vector<Duration> durations(4096);
  for (Duration& duration : durations) {
    duration = Duration(static_cast<Duration::rep>(distribution(random)));
  }
  return durations;
}

void histogram_record(benchmark::State& state) {
  Registry registry(1);
  DurationHistogram histogram = handle<DurationHistogram>(registry, "bench_seconds");
  const std::vector<Duration> durations = latencies();
  std::size_t next = 0;
  const bench::AllocationCounter allocations(state);
  for (auto _ : state) {
    histogram.record(durations[next++ % durations.size()]);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(histogram_record)->Name("histogram/record");

void quantile(benchmark::State& state) {
  Distribution distribution(duration_scale);
  for (const Duration duration : latencies()) {
    distribution.record(static_cast<std::uint64_t>(duration.count()));
  }
  for (auto _ : state) benchmark::DoNotOptimize(distribution.quantile(0.99));
}
BENCHMARK(quantile)->Name("distribution/quantile");

void turn(benchmark::State& state) {
  Registry registry(1);
  StallMeter meter(StallMetrics::create(registry, shard).value());
  ManualClock clock;
  for (auto _ : state) {
    meter.turn_began(clock.now());
    clock.advance(std::chrono::microseconds{20});
    meter.turn_ended(clock.now());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(turn)->Name("stall_meter/turn");

// A handle is made and given up while the metric has this many series.
void make_handle(benchmark::State& state) {
  Registry registry(1);
  const auto family = registry
                          .add<Counter>({.name = "bench_total",
                                         .help = "For the benchmark.",
                                         .labels = {"topic", "partition"},
                                         .series_max = series_per_metric_max})
                          .value();
  std::vector<Counter> kept;
  for (int i = 0; i < state.range(0); ++i) {
    kept.push_back(family.of(shard, {"topic", std::to_string(i)}));
  }
  for (auto _ : state) benchmark::DoNotOptimize(family.of(shard, {"another-topic", "17"}));
}
BENCHMARK(make_handle)->Name("registry/handle")->Arg(0)->Arg(10'000);

// Of this thread: a machine that does other things too does not make a slice longer.
Duration cpu_time() {
  ::timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds{time.tv_sec} + Duration{time.tv_nsec};
}

// The whole text in slices of 16 KiB; "longest_slice_us" is the CPU time of the longest call, on
// average over the passes.
void expose(benchmark::State& state, const Registry& registry) {
  std::vector<std::byte> slice(16 * kibibyte);
  std::int64_t bytes = 0;
  double longest_sum = 0;
  for (auto _ : state) {
    Duration longest{};
    for (Exposition exposition(registry); !exposition.finished();) {
      const Duration began = cpu_time();
      bytes += static_cast<std::int64_t>(exposition.write(slice));
      const Duration took = cpu_time() - began;
      if (took > longest) longest = took;
    }
    longest_sum += std::chrono::duration<double, std::micro>(longest).count();
  }
  state.SetBytesProcessed(bytes);
  state.counters["longest_slice_us"] = longest_sum / static_cast<double>(state.iterations());
  state.counters["bytes"] = static_cast<double>(bytes) / static_cast<double>(state.iterations());
}

constexpr std::uint32_t exposed_shards = 8;

template <class Handle>
std::vector<Handle> on_all_shards(Registry& registry, std::string_view name, int series) {
  const auto family = registry
                          .add<Handle>({.name = name,
                                        .help = "For the benchmark.",
                                        .labels = {"topic", "partition"},
                                        .series_max = static_cast<std::size_t>(series)})
                          .value();
  std::vector<Handle> handles;
  for (std::uint32_t at = 0; at < exposed_shards; ++at) {
    for (int i = 0; i < series; ++i) {
      const std::string topic = "topic-" + std::to_string(i / 10);
      handles.push_back(family.of(ShardIndex{at}, {topic, std::to_string(i % 10)}));
    }
  }
  return handles;
}

void expose_counters(benchmark::State& state) {
  Registry registry(exposed_shards);
  const auto counters = on_all_shards<Counter>(registry, "bench_total", 10'000);
  expose(state, registry);
}
BENCHMARK(expose_counters)->Name("exposition/10000_counters_of_8_shards");

// 28 lines each: about 10,000 series for the one who stores them.
void expose_histograms(benchmark::State& state) {
  Registry registry(exposed_shards);
  auto histograms = on_all_shards<DurationHistogram>(registry, "bench_seconds", 357);
  for (DurationHistogram& histogram : histograms) histogram.record(std::chrono::milliseconds{5});
  expose(state, registry);
}
BENCHMARK(expose_histograms)->Name("exposition/357_histograms_of_8_shards");

void sample_process(benchmark::State& state) {
  Registry registry(1);
  auto metrics = ProcessMetrics::create(registry, shard).value();
  for (auto _ : state) {
    if (!metrics.sample()) state.SkipWithError("/proc cannot be read");
  }
}
BENCHMARK(sample_process)->Name("process/sample");

}  // namespace

BENCHMARK_MAIN();
