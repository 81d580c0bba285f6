// Shards write, begin and end series while others read: no number is lost, none goes back, and the
// thread sanitizer sees no race. Also proves registry.cpp, exposition.cpp.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "exposition_parser.hpp"

import millrace.base;
import millrace.telemetry;

namespace millrace::telemetry {
namespace {

using test::ExpositionParser;

constexpr std::uint32_t shards = 3;

// Runs `work` as each shard, and `watch` on this thread until all have ended.
void run_shards(const std::function<void(ShardIndex)>& work, const std::function<void()>& watch) {
  std::atomic<std::uint32_t> running = shards;
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < shards; ++i) {
    threads.emplace_back([&, i] {
      work(ShardIndex{i});
      --running;
    });
  }
  while (running > 0) {
    watch();
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(TelemetryThreads, counters_never_go_back_and_lose_nothing) {
  constexpr std::uint64_t adds = 50'000;
  Registry registry(shards);
  const Definition definition = {.name = "x_total", .help = "Help."};
  const auto family = registry.add<Counter>(definition);
  const Counter kept = family->of(ShardIndex{0});
  std::uint64_t last = 0;
  run_shards(
      [&](ShardIndex shard) {
        for (std::uint64_t i = 0; i < adds;) {
          // Now and then a shard gives its handle up and takes another.
          Counter counter = family->of(shard);
          for (std::uint64_t end = i + adds / 10; i < end; ++i) counter.add();
        }
      },
      [&] {
        const std::uint64_t now = *family->read();
        ASSERT_GE(now, last);
        last = now;
      });
  EXPECT_EQ(family->read().value(), shards * adds);
}

TEST(TelemetryThreads, histograms_are_read_while_they_are_recorded) {
  constexpr std::uint64_t records = 20'000;
  Registry registry(shards);
  const Definition definition = {.name = "wait_seconds", .help = "Help."};
  const auto family = registry.add<DurationHistogram>(definition);
  std::vector<DurationHistogram> histograms;
  for (std::uint32_t i = 0; i < shards; ++i) histograms.push_back(family->of(ShardIndex{i}));
  std::uint64_t last = 0;
  run_shards(
      [&](ShardIndex shard) {
        DurationHistogram& own = histograms[shard.value()];
        for (std::uint64_t i = 0; i < records; ++i) own.record(Duration(i * 1000));
      },
      [&] {
        const std::uint64_t now = family->read()->count();
        ASSERT_GE(now, last);
        last = now;
        // Throws when buckets fall or disagree with the count.
        const ExpositionParser parsed(exposition_text(registry));
      });
  EXPECT_EQ(family->read()->count(), shards * records);
  EXPECT_EQ(family->read()->sum(), shards * 1000 * (records * (records - 1) / 2));
  EXPECT_EQ(family->read()->max(), (records - 1) * 1000);
}

TEST(TelemetryThreads, every_exposition_is_well_formed_while_series_come_and_go) {
  constexpr int topics = 2000;
  Registry registry(shards);
  const Definition counted = {
      .name = "appended_bytes_total", .help = "Help.", .labels = {"topic"}, .series_max = 50};
  const Definition sized = {.name = "batch_size_bytes", .help = "Help.", .labels = {"topic"}};
  run_shards(
      [&](ShardIndex shard) {
        std::map<int, Counter> counters;
        for (int i = 0; i < topics; ++i) {
          const std::string topic = "topic-" + std::to_string(i % 97);
          auto counter = registry.add<Counter>(counted, shard, {topic});
          auto sizes = registry.add<Histogram>(sized, shard, {topic});
          counter->add(1);
          sizes->record(1000);
          counters.erase(i - 40);
          counters.emplace(i, std::move(*counter));
        }
      },
      [&] {
        std::string text;
        std::vector<std::byte> slice(1000);
        for (Exposition exposition(registry); !exposition.finished();) {
          text += as_text(ByteView(slice).first(exposition.write(slice)));
        }
        const ExpositionParser parsed(text);
        const auto found = parsed.metrics().find("appended_bytes_total");
        // Series may have ended and begun between slices, but not more than fit at a time.
        if (found != parsed.metrics().end()) ASSERT_LE(found->second.samples.size(), 98u);
      });
  EXPECT_FALSE(registry.add<Counter>(counted)->read({"topic-1"}));
}

}  // namespace
}  // namespace millrace::telemetry
