// A consumer as a program, for tests with real brokers: says on standard output what it is assigned
// and what it reads.
//   consumer_probe BOOTSTRAP read TOPIC RECORDS [NAME=VALUE ...]     so many, from the beginning
//   consumer_probe BOOTSTRAP group TOPIC [NAME=VALUE ...]            until SIGTERM
//   consumer_probe BOOTSTRAP matching PATTERN [NAME=VALUE ...]       the same; the broker matches
// A member of a group works, and polls no more, from SIGUSR1 until SIGUSR2.
#include <charconv>
#include <chrono>
#include <coroutine>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.base;
import millrace.client.consumer;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {
namespace {

volatile std::sig_atomic_t is_over = 0;
volatile std::sig_atomic_t is_working = 0;

void say(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

class SayingListener final : public RebalanceListener {
 public:
  Task<void> assigned(Partitions partitions) override { return tell("assigned", partitions); }
  Task<void> revoked(Partitions partitions) override { return tell("revoked", partitions); }
  Task<void> lost(Partitions partitions) override { return tell("lost", partitions); }

 private:
  static Task<void> tell(std::string line, Partitions partitions) {
    for (const TopicPartition& partition : partitions) line += " " + to_string(partition);
    say(line);
    co_return;
  }
};

struct Arguments {
  std::string bootstrap;
  std::string mode;
  std::string topic;
  std::uint64_t records = 0;
  Properties properties;
};

std::optional<Arguments> arguments_from(const std::vector<std::string>& words) {
  if (words.size() < 4) return std::nullopt;
  Arguments arguments{words[1], words[2], words[3], 0, {}};
  std::size_t next = 4;
  if (arguments.mode == "read") {
    if (words.size() < 5) return std::nullopt;
    const std::string& number = words[next++];
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), arguments.records);
    if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  } else if (arguments.mode != "group" && arguments.mode != "matching") {
    return std::nullopt;
  }
  arguments.properties = {{"bootstrap.servers", arguments.bootstrap},
                          {"auto.offset.reset", "earliest"}};
  for (; next < words.size(); ++next) {
    const auto equals = words[next].find('=');
    if (equals == std::string::npos) return std::nullopt;
    arguments.properties.emplace_back(words[next].substr(0, equals),
                                      words[next].substr(equals + 1));
  }
  return arguments;
}

Task<void> work(Executor& executor) {
  if (is_working != 0) say("works");
  while (is_working != 0 && is_over == 0) {
    co_await sleep_until(executor, executor.clock().now() + std::chrono::milliseconds(10));
  }
}

// Reads until so many records have come; gives how long it took.
Task<bool> read(ConsumerClient& client, Executor& executor, Arguments arguments) {
  const auto end = [&] { return executor.clock().now() + std::chrono::minutes(3); };
  const auto topic = co_await client.topic(arguments.topic, end());
  if (!topic) {
    say("error " + to_string(topic.error()));
    co_return false;
  }
  Partitions all;
  for (const PartitionView& partition : (*topic)->partitions) {
    all.push_back({arguments.topic, partition.index});
  }
  if (const auto assigned = client.assign(all); !assigned) {
    say("error " + to_string(assigned.error()));
    co_return false;
  }
  const MonotonicTime start = executor.clock().now();
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  while (records < arguments.records) {
    const auto polled = co_await client.poll(end());
    if (!polled || polled->empty()) {
      say(polled ? "error nothing comes" : "error " + to_string(polled.error()));
      co_return false;
    }
    for (const ConsumedRecord& record : *polled) bytes += record.value.size();
    records += polled->size();
  }
  const double seconds = std::chrono::duration<double>(executor.clock().now() - start).count();
  say(formatted("read {} records, {} bytes in {:.3f} s: {:.0f} records/s, {:.1f} MB/s", records,
                bytes, seconds, static_cast<double>(records) / seconds,
                static_cast<double>(bytes) / seconds / 1e6));
  co_return true;
}

Task<bool> consume(ConsumerClient& client, Executor& executor, Arguments arguments) {
  SayingListener listener;
  const auto subscribed = arguments.mode == "group"
                              ? client.subscribe({arguments.topic}, &listener)
                              : client.subscribe_broker_pattern(arguments.topic, &listener);
  if (!subscribed) {
    say("error " + to_string(subscribed.error()));
    co_return false;
  }
  while (is_over == 0) {
    co_await work(executor);
    const auto polled =
        co_await client.poll(executor.clock().now() + std::chrono::milliseconds(100));
    if (!polled) {
      say("error " + to_string(polled.error()));
      if (polled.error().fatal) break;
      continue;
    }
    std::string lines;
    for (const ConsumedRecord& record : *polled) {
      lines +=
          formatted("record {} {} {}\n", record.partition, record.offset, as_text(record.value));
    }
    if (!lines.empty()) say(lines.substr(0, lines.size() - 1));
  }
  co_await client.close(executor.clock().now() + std::chrono::minutes(1));
  say("closed");
  co_return true;
}

int run(const Arguments& arguments) {
  const auto settings = consumer_settings(arguments.properties);
  if (!settings) {
    for (const std::string& problem : settings.error()) say("error " + problem);
    return 2;
  }
  const SystemClock clock;
  const Logger logger(make_stderr_log_sink(LogFormat::plain), "probe");
  ClientThread thread("probe", logger);
  if (const auto started = thread.start(); !started) {
    say("error " + started.error().message);
    return 1;
  }
  const bool worked = thread.run([&]() -> Task<bool> {
    ConsumerClient client(
        *settings, thread.executor(), thread.network(), thread.resolver(), logger,
        Random(static_cast<std::uint64_t>(clock.now().time_since_epoch().count())));
    const bool done = arguments.mode == "read"
                          ? co_await read(client, thread.executor(), arguments)
                          : co_await consume(client, thread.executor(), arguments);
    co_await client.close(clock.now() + std::chrono::minutes(1));
    co_return done;
  });
  thread.stop();
  return worked ? 0 : 1;
}

}  // namespace
}  // namespace millrace::client

int main(int count, char** words) {
  std::signal(SIGTERM, [](int) { millrace::client::is_over = 1; });
  std::signal(SIGUSR1, [](int) { millrace::client::is_working = 1; });
  std::signal(SIGUSR2, [](int) { millrace::client::is_working = 0; });
  const auto arguments =
      millrace::client::arguments_from(std::vector<std::string>(words, words + count));
  if (!arguments) {
    millrace::client::say(
        "usage: consumer_probe BOOTSTRAP read TOPIC RECORDS | group TOPIC | matching PATTERN "
        "[NAME=VALUE ...]");
    return 2;
  }
  return millrace::client::run(*arguments);
}
