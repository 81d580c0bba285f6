// Consumers against a mock cluster, on a simulated network and executor.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.client.consumer;
import millrace.client.core;
import millrace.mock;
import millrace.protocol.api;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

using std::literals::chrono_literals::operator""h;
using std::literals::chrono_literals::operator""min;
using std::literals::chrono_literals::operator""s;
using std::literals::chrono_literals::operator""ms;

inline TopicPartition place(std::string topic, std::int32_t partition) {
  return {std::move(topic), PartitionIndex(partition)};
}

// Writes down what a member is told, and who holds what in the whole group.
struct Holders {
  std::map<TopicPartition, std::string> of;
  std::size_t conflicts = 0;
};

class WritingListener final : public RebalanceListener {
 public:
  WritingListener(std::string who, Holders& holders) : who_(std::move(who)), holders_(holders) {}

  Task<void> assigned(Partitions partitions) override {
    for (const TopicPartition& partition : partitions) {
      const auto [holder, is_free] = holders_.of.emplace(partition, who_);
      if (!is_free) ++holders_.conflicts;
    }
    note("assigned", partitions);
    if (on_assigned) on_assigned(partitions);
    co_return;
  }
  Task<void> revoked(Partitions partitions) override {
    release(partitions);
    note("revoked", partitions);
    co_return;
  }
  Task<void> lost(Partitions partitions) override {
    release(partitions);
    note("lost", partitions);
    co_return;
  }

  std::vector<std::string> events;
  std::size_t times_revoked = 0;
  std::function<void(const Partitions&)> on_assigned;

 private:
  void note(const std::string& what, const Partitions& partitions) {
    std::string line = what;
    for (const TopicPartition& partition : partitions) line += " " + to_string(partition);
    events.push_back(line);
    if (what != "assigned") times_revoked += partitions.size();
  }
  void release(const Partitions& partitions) {
    for (const TopicPartition& partition : partitions) {
      const auto holder = holders_.of.find(partition);
      if (holder != holders_.of.end() && holder->second == who_) holders_.of.erase(holder);
    }
  }

  std::string who_;
  Holders& holders_;
};

// One consumer and the application around it.
class Application {
 public:
  Application(std::string name, const ConsumerSettings& settings, Executor& executor,
              Network& network, Resolver& resolver, Logger logger, std::uint64_t seed,
              Holders& holders)
      : listener(name, holders),
        client(settings, executor, network, resolver, std::move(logger), Random(seed)),
        executor_(executor) {}

  // Polls until `enough` says so, or the time is over. Errors are kept.
  Task<void> poll_until(std::function<bool()> enough, Duration within) {
    const MonotonicTime end = executor_.clock().now() + within;
    while (!enough() && executor_.clock().now() < end) {
      auto polled = co_await client.poll(std::min(end, executor_.clock().now() + 100ms));
      if (!polled) {
        errors.push_back(polled.error());
        if (polled.error().failure == Failure::closed || polled.error().fatal) co_return;
        // As an application that does not want to spin.
        co_await sleep_until(executor_, executor_.clock().now() + 10ms);
        continue;
      }
      take(*polled);
    }
  }
  void take(const FetchedRecords& records) {
    for (const ConsumedRecord& record : records) {
      const TopicPartition name{std::string(record.topic), record.partition};
      auto& seen = values[name];
      if (!seen.empty() && !may_repeat) {
        EXPECT_LT(seen.back().first, record.offset.value()) << to_string(name) << " out of order";
      }
      seen.emplace_back(record.offset.value(), std::string(as_text(record.value)));
    }
    count += records.size();
  }

  WritingListener listener;
  ConsumerClient client;
  std::map<TopicPartition, std::vector<std::pair<std::int64_t, std::string>>> values;
  std::size_t count = 0;
  bool may_repeat = false;
  std::vector<ClientError> errors;

 private:
  Executor& executor_;
};

class ConsumerMachine {
 public:
  explicit ConsumerMachine(const mock::Options& options = {}, std::uint64_t seed = 1)
      : executor(seed, Timestamp(1'000'000)),
        network(executor, {.seed = seed}),
        resolver(executor),
        sink(std::make_shared<MemoryLogSink>()),
        random(seed) {
    // A loop that does not let time pass ends the test early.
    executor.steps_max = 5'000'000;
    auto started = mock::Cluster::start(executor, network, options);
    check(started.has_value(), "a mock starts on a simulated network");
    cluster = *std::move(started);
    for (std::int32_t broker = 1; broker <= options.brokers; ++broker) {
      settings.common.bootstrap.push_back({"127.0.0.1", cluster->address(BrokerId(broker)).port});
    }
    settings.auto_offset_reset = OffsetReset::earliest;
    settings.group_id = "group";
  }
  ~ConsumerMachine() {
    while (!applications.empty()) close(*applications.back());
    run(cluster->close());
    // Attempts to connect that no client waits for end by their timeouts.
    executor.advance(1min);
    executor.run_until_idle();
  }

  Application& start(const std::string& name = "one") {
    applications.push_back(std::make_unique<Application>(
        name, settings, executor, network, resolver, Logger(sink, name), random.next(), holders));
    return *applications.back();
  }
  Application& subscribe(const std::string& name = "one",
                         std::vector<std::string> topics = {"orders"}) {
    Application& application = start(name);
    const auto subscribed = application.client.subscribe(std::move(topics), &application.listener);
    EXPECT_TRUE(subscribed.has_value()) << subscribed.error().message;
    return application;
  }
  void close(Application& application, Duration within = 10s) {
    run(application.client.close(now() + within));
    forget(application);
  }
  void forget(Application& application) {
    std::erase_if(applications, [&](const auto& one) { return one.get() == &application; });
  }
  void run(Task<void> task) {
    const auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended.has_value()) << ended.error().message;
  }
  // All of them poll at once.
  void poll_all(std::function<bool()> enough, Duration within = 60s) {
    TaskGroup group;
    for (const auto& application : applications) {
      group.start(application->poll_until(enough, within));
    }
    run([](TaskGroup& all) -> Task<void> { co_await all.wait(); }(group));
  }
  void poll(Application& application, std::size_t count, Duration within = 60s) {
    run(application.poll_until([&] { return application.count >= count; }, within));
    EXPECT_GE(application.count, count);
  }

  void create(const std::string& topic, std::int32_t partitions) {
    const auto created = cluster->create_topic(topic, {.partitions = partitions});
    EXPECT_TRUE(created.has_value());
  }
  // One batch for every ten, with values that count on.
  void append(const std::string& topic, std::int32_t partition, std::size_t count) {
    while (count > 0) {
      std::vector<mock::StoredRecord> records;
      for (std::size_t i = std::min<std::size_t>(count, 10); i > 0; --i) {
        records.push_back({.offset = no_offset,
                           .timestamp = Timestamp(1'000 + static_cast<std::int64_t>(appended)),
                           .key = std::nullopt,
                           .value = std::to_string(appended),
                           .headers = {}});
        ++appended;
      }
      const auto done = cluster->append(topic, PartitionIndex(partition), records);
      EXPECT_TRUE(done.has_value());
      count -= records.size();
    }
  }
  [[nodiscard]] MonotonicTime now() const { return executor.clock().now(); }
  [[nodiscard]] bool was_logged(std::string_view text) const {
    return std::ranges::any_of(sink->lines(), [&](const MemoryLogSink::Line& line) {
      return line.message.find(text) != std::string::npos;
    });
  }
  template <class T>
  T await(Task<T> task) {
    auto result = executor.run(std::move(task));
    EXPECT_TRUE(result.has_value());
    return std::move(*result);
  }

  SimulatedExecutor executor;
  SimulatedNetwork network;
  FixedResolver resolver;
  std::shared_ptr<MemoryLogSink> sink;
  Random random;
  ConsumerSettings settings;
  std::unique_ptr<mock::Cluster> cluster;
  Holders holders;
  std::size_t appended = 0;
  std::vector<std::unique_ptr<Application>> applications;
};

}  // namespace millrace::client
