// Records per second of the producer against a real broker, beside librdkafka in the same run, in
// turns: broker and client share the machine. A program of its own:
//   sdk_producer_bench [--bootstrap=HOST:PORT] [--records=N] [--bytes=N] [--rounds=N]
//                      [--batch=BYTES] [--linger=MS] [--acks=0|1|all] [--only=ours|librdkafka]
// Without an address it starts a cluster of the programs beside it, in a directory that it removes.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "local_cluster.hpp"
#include "sdk_producer_bench.hpp"

import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.runtime;

namespace {

using namespace millrace;
using namespace millrace::bench;
using namespace millrace::client;

void must(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

class Counter final : public DeliverySink {
 public:
  void delivered(std::uint64_t, const DeliveryReport& report) noexcept override {
    must(report.error == nullptr, report.error == nullptr ? "" : report.error->message);
    ++count;
  }
  std::uint64_t count = 0;
};

void produce_with_ours(const ProducerLoad& load) {
  Properties properties = {
      {"bootstrap.servers", load.bootstrap},
      {"batch.size", load.batch_bytes},
      {"linger.ms", load.linger_ms},
      {"acks", load.acks},
  };
  const auto settings = producer_settings(properties);
  must(settings.has_value(), settings ? "" : settings.error().front());
  const SystemClock clock;
  const Logger log(make_stderr_log_sink(LogFormat::plain), "bench");
  ClientThread thread("producer", log);
  must(thread.start().has_value(), "no thread");
  std::unique_ptr<ProducerClient> producer;
  Counter counter;
  thread.run([&]() -> Task<bool> {
    producer =
        std::make_unique<ProducerClient>(*settings, thread.executor(), thread.mailbox(),
                                         thread.network(), thread.resolver(), log, Random(1));
    co_return true;
  });
  const std::string value(load.record_bytes, 'x');
  const RecordToSend record{.topic = load.topic, .value = as_bytes(std::string_view(value))};
  for (std::uint64_t i = 0; i < load.records; ++i) {
    const auto sent = producer->send(record, &counter, i, FullBuffer::wait);
    must(sent.has_value(), sent ? "" : sent.error().message);
  }
  thread.run([&]() -> Task<bool> {
    co_await producer->close(clock.now() + std::chrono::minutes(1));
    producer.reset();
    co_return true;
  });
  thread.stop();
  must(counter.count == load.records, "records without an outcome");
}

double own_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Options {
  std::string bootstrap;
  std::string only;
  int rounds = 3;
  ProducerLoad load = {.records = 4'000'000,
                       .record_bytes = 100,
                       .batch_bytes = "1000000",
                       .linger_ms = "5",
                       .acks = "1"};
};

Options options_from(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const auto at = word.find('=');
    const std::string_view name = word.substr(0, at);
    const std::string value(at == std::string_view::npos ? "" : word.substr(at + 1));
    if (name == "--bootstrap") {
      options.bootstrap = value;
    } else if (name == "--records") {
      options.load.records = std::stoull(value);
    } else if (name == "--bytes") {
      options.load.record_bytes = std::stoull(value);
    } else if (name == "--rounds") {
      options.rounds = std::stoi(value);
    } else if (name == "--batch") {
      options.load.batch_bytes = value;
    } else if (name == "--linger") {
      options.load.linger_ms = value;
    } else if (name == "--acks") {
      options.load.acks = value;
    } else if (name == "--only") {
      options.only = value;
    } else {
      must(false, "unknown: " + std::string(word));
    }
  }
  return options;
}

struct Client {
  const char* name;
  void (*produce)(const ProducerLoad&);
  std::vector<double> rates = {};
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace

int main(int count, char** words) {
  Options options = options_from(count, words);
  std::optional<LocalCluster> cluster;
  if (options.bootstrap.empty()) {
    const auto programs = std::filesystem::canonical("/proc/self/exe").parent_path().parent_path();
    cluster.emplace(programs / "millrace");
    options.bootstrap = cluster->bootstrap();
  }
  options.load.bootstrap = options.bootstrap;
  std::vector<Client> clients;
  if (options.only != "librdkafka") clients.push_back({"ours", produce_with_ours});
  if (options.only != "ours") {
    if (has_librdkafka()) {
      clients.push_back({"librdkafka", produce_with_librdkafka});
    } else {
      std::printf("librdkafka is not installed: left out\n");
    }
  }
  std::printf("%-10s %12s %10s %14s %14s\n", "client", "records/s", "MB/s", "client ns/rec",
              "broker ns/rec");
  for (int round = 0; round < options.rounds; ++round) {
    for (Client& client : clients) {
      options.load.topic = std::string("bench-") + client.name + "-" + std::to_string(round) + "-" +
                           std::to_string(::getpid());
      const double own = own_cpu_seconds();
      const double broker = cluster ? cluster->cpu_seconds() : 0;
      const auto begin = std::chrono::steady_clock::now();
      client.produce(options.load);
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      const auto records = static_cast<double>(options.load.records);
      client.rates.push_back(records / seconds);
      std::printf("%-10s %12.0f %10.0f %14.0f %14.0f\n", client.name, client.rates.back(),
                  client.rates.back() * static_cast<double>(options.load.record_bytes) / 1e6,
                  (own_cpu_seconds() - own) / records * 1e9,
                  cluster ? (cluster->cpu_seconds() - broker) / records * 1e9 : 0);
      std::fflush(stdout);
    }
  }
  if (clients.size() == 2) {
    std::printf("ratio of medians, ours to librdkafka: %.2f\n",
                median(clients[0].rates) / median(clients[1].rates));
  }
  return 0;
}
