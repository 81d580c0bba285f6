// Our client under the loads of bench/sdk, by its public interface and the shared library, as
// applications have it. Prints lines "MEASURE VALUE".
#include <millrace/millrace.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <thread>

#include "../allocations.hpp"
#include "load.hpp"

namespace {

using namespace std::chrono_literals;
using namespace millrace::bench;

millrace::Config config_of(const Load& load) {
  millrace::Config config{{"bootstrap.servers", load.bootstrap}};
  for (const auto& [name, value] : load.settings) config.set(name, std::string_view(value));
  return config;
}

template <class T>
T value_of(millrace::Result<T> result) {
  must(result.has_value(), result ? "" : result.error().message());
  return std::move(*result);
}

void must_succeed(const millrace::Result<void>& result) {
  must(result.has_value(), result ? "" : result.error().message());
}

void create(const Load& load) {
  millrace::Admin admin(config_of(load));
  const auto created = admin
                           .create_topics({{.name = load.topic,
                                            .partitions = static_cast<std::int32_t>(load.first)}})
                           .get();
  for (const auto& [topic, outcome] : created) {
    must(outcome.has_value(), outcome ? "" : topic + ": " + outcome.error().message());
  }
}

void produce(const Load& load) {
  millrace::Producer producer(config_of(load));
  std::atomic<std::uint64_t> delivered = 0;
  producer.on_delivery([&](std::uint64_t, const millrace::Result<millrace::Delivery>& outcome) {
    must(outcome.has_value(), outcome ? "" : outcome.error().message());
    delivered.fetch_add(1, std::memory_order_relaxed);
  });
  const std::string value(load.second, 'x');
  const millrace::Record record{.topic = load.topic, .value = value};
  const std::uint64_t warm = load.first / warm_up_divisor;
  std::uint64_t taken_before = 0;
  const Stopwatch watch;
  for (std::uint64_t i = 0; i < load.first; ++i) {
    if (i == warm) taken_before = allocations();
    must_succeed(producer.post(record));
  }
  const std::uint64_t taken = allocations() - taken_before;
  must_succeed(producer.flush(patience));
  tell_rate(load.first, load.first * load.second, watch.seconds());
  tell("allocations/record", static_cast<double>(taken) / static_cast<double>(load.first - warm));
  must_succeed(producer.close(patience));
  must(delivered == load.first, "records without an outcome");
}

void consume(const Load& load) {
  millrace::Consumer consumer(config_of(load) +
                              millrace::Config{{"auto.offset.reset", "earliest"}});
  const Stopwatch watch;
  must_succeed(consumer.assign({{load.topic, 0}}));
  const std::uint64_t warm = load.first / warm_up_divisor;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::uint64_t counted_from = 0;
  std::uint64_t taken_before = 0;
  while (records < load.first) {
    const millrace::Records batch = value_of(consumer.poll(patience));
    must(!batch.empty(), "nothing comes");
    for (const millrace::RecordView record : batch) bytes += record.value().size();
    records += batch.size();
    if (counted_from == 0 && records >= warm) {
      counted_from = records;
      taken_before = allocations();
    }
  }
  const std::uint64_t taken = allocations() - taken_before;
  tell_rate(records, bytes, watch.seconds());
  if (records > counted_from) {
    tell("allocations/record",
         static_cast<double>(taken) / static_cast<double>(records - counted_from));
  }
}

void latency(const Load& load) {
  millrace::Producer producer(config_of(load));
  millrace::Consumer consumer(
      {{"bootstrap.servers", load.bootstrap}, {"auto.offset.reset", "earliest"}});
  must_succeed(consumer.assign({{load.topic, 0}}));
  Latencies latencies(load.first);
  std::thread receiver([&] {
    while (!latencies.complete()) {
      const millrace::Records batch = value_of(consumer.poll(patience));
      must(!batch.empty(), "nothing comes");
      for (const millrace::RecordView record : batch) latencies.received(record.value_text());
    }
  });
  std::array<char, latency_record_bytes> value{};
  producer.on_delivery([&](std::uint64_t, const millrace::Result<millrace::Delivery>& outcome) {
    must(outcome.has_value(), outcome ? "" : outcome.error().message());
  });
  const double rate = send_paced(load.first, load.second, [&] {
    stamp(value);
    must_succeed(producer.post(
        {.topic = load.topic, .value = std::string_view(value.data(), value.size())}));
  });
  receiver.join();
  tell("records/s", rate);
  latencies.tell_percentiles();
}

// Says "flowing" once records are delivered, and goes on sending, whatever becomes of the broker.
void flood(const Load& load) {
  const double before = status_mebibytes("VmRSS:");
  millrace::Producer producer(
      config_of(load) + millrace::Config{{"buffer.memory", std::to_string(load.first)}},
      {.log_level = millrace::LogLevel::error});
  std::atomic<std::uint64_t> delivered = 0;
  std::atomic<std::uint64_t> failed = 0;
  producer.on_delivery([&](std::uint64_t, const millrace::Result<millrace::Delivery>& outcome) {
    outcome ? ++delivered : ++failed;
  });
  const std::string value(latency_record_bytes, 'x');
  const millrace::Record record{.topic = load.topic, .value = value};
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
  const auto post = [&] {
    const bool is_taken = producer.post(record, 0, millrace::WhenFull::fail).has_value();
    ++(is_taken ? taken : refused);
    // So that its own thread has a core, and the records a chance to fail.
    if (!is_taken) std::this_thread::sleep_for(100us);
  };
  while (delivered == 0) post();
  std::puts("flowing");
  std::fflush(stdout);
  for (const Stopwatch watch; watch.seconds() < static_cast<double>(load.second);) post();
  tell("MB more", status_mebibytes("VmHWM:") - before);
  // What it says is that not all were sent, which is so here.
  static_cast<void>(producer.close(1ms));
  must(delivered + failed == taken, "records without an outcome");
  tell("taken", static_cast<double>(taken));
  tell("refused", static_cast<double>(refused));
  tell("failed", static_cast<double>(failed.load()));
}

}  // namespace

int main(int count, char** words) {
  const Load load = load_from(count, words);
  if (load.mode == "create") {
    create(load);
  } else if (load.mode == "produce") {
    produce(load);
  } else if (load.mode == "consume") {
    consume(load);
  } else if (load.mode == "latency") {
    latency(load);
  } else if (load.mode == "flood") {
    flood(load);
  } else {
    must(false, "not a mode: " + load.mode);
  }
  return 0;
}
