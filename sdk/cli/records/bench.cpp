module;
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/config.hpp"
#include "millrace/consumer.hpp"
#include "millrace/producer.hpp"

module millrace.cli.records;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

// How long nothing may come before a measurement is given up.
constexpr std::chrono::seconds patience{30};

double seconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double>(SteadyClock::now() - begin).count();
}

std::int64_t microseconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - begin).count();
}

std::string in_megabytes(double bytes) {
  char text[64] = {};
  std::snprintf(text, sizeof text, "%.1f MB/s", bytes / 1e6);
  return text;
}

// In JSON with the whole histogram; a line of TSV has no room for it.
void add_latency(Answer& answer, const Histogram& histogram, Format format) {
  if (format == Format::json) {
    answer.rows_name = "latency_histogram";
    answer.columns = {{"up_to_us"}, {"records"}};
    for (const auto& [upper_bound, count] : histogram.doublings())
      answer.rows.push_back({upper_bound, count});
  }
  if (histogram.count() == 0) {
    for (const char* name : {"latency_mean_us", "latency_p50_us", "latency_p99_us",
                             "latency_p999_us", "latency_max_us"})
      answer.fields.emplace_back(name, Cell());
    return;
  }
  const std::int64_t p50 = histogram.quantile(0.5);
  const std::int64_t p99 = histogram.quantile(0.99);
  const std::int64_t p999 = histogram.quantile(0.999);
  answer.fields.insert(answer.fields.end(), {{"latency_mean_us", histogram.mean()},
                                             {"latency_p50_us", p50},
                                             {"latency_p99_us", p99},
                                             {"latency_p999_us", p999},
                                             {"latency_max_us", histogram.max()}});
  answer.sentences.push_back(joined("latency: half within ", p50, " us, 99% within ", p99,
                                    " us, 99.9% within ", p999, " us, at most ", histogram.max(),
                                    " us"));
  for (std::string& line : split(histogram.bars(), '\n'))
    if (!line.empty()) answer.sentences.push_back(std::move(line));
}

void add_rate(Answer& answer, std::int64_t records, std::int64_t bytes, double seconds) {
  const double safe_seconds = std::max(seconds, 1e-9);
  const double rate = static_cast<double>(records) / safe_seconds;
  answer.fields.insert(answer.fields.end(),
                       {{"records", records},
                        {"bytes", bytes},
                        {"seconds", seconds},
                        {"records_per_second", rate},
                        {"bytes_per_second", static_cast<double>(bytes) / safe_seconds}});
  char text[160] = {};
  std::snprintf(text, sizeof text, "%lld records in %.3f s: %.0f records/s, ",
                static_cast<long long>(records), seconds, rate);
  answer.sentences.push_back(text + in_megabytes(static_cast<double>(bytes) / safe_seconds));
}

// One record in so many has its way timed: a clock for each would be measured too.
constexpr std::uint64_t timed_one_in = 64;
constexpr std::size_t timed_max = std::size_t{1} << 16U;  // under way at a time

// Outcomes, counted on the producer's thread.
struct Delivered {
  std::atomic<std::int64_t> good = 0;
  std::atomic<std::int64_t> bad = 0;
  std::vector<SteadyClock::time_point> begun = std::vector<SteadyClock::time_point>(timed_max);
  std::mutex mutex;  // of what follows
  Histogram histogram;
  Failures failures;

  void take(std::uint64_t tag, const v1::Result<v1::Delivery>& outcome) {
    if (!outcome) {
      ++bad;
      const std::lock_guard lock(mutex);
      if (failures.empty()) failures.push_back(failure_of(outcome.error()));
      return;
    }
    if (tag % timed_one_in == 0) {
      const std::lock_guard lock(mutex);
      histogram.add(microseconds_since(begun[tag / timed_one_in % timed_max]));
    }
    ++good;
  }
};

// Bytes that compress as text does, and not better.
std::string payload(const Arguments& arguments) {
  std::string text(static_cast<std::size_t>(arguments.number_or("size", 100)), ' ');
  std::uint32_t state = 1;
  for (char& letter : text) {
    state = state * 1664525U + 1013904223U;
    letter = static_cast<char>('a' + (state >> 24U) % 26);
  }
  return text;
}

// The time at which a record was sent, within it.
std::string stamped(std::string value, SteadyClock::time_point time) {
  const auto count = static_cast<std::int64_t>(time.time_since_epoch().count());
  value.resize(std::max(value.size(), sizeof count));
  std::memcpy(value.data(), &count, sizeof count);
  return value;
}

std::optional<SteadyClock::time_point> stamp_of(std::string_view value) {
  std::int64_t count = 0;
  if (value.size() < sizeof count) return std::nullopt;
  std::memcpy(&count, value.data(), sizeof count);
  return SteadyClock::time_point(SteadyClock::duration(count));
}

// Reads all partitions of the topic, from the place on. It has asked their leaders, so that its
// connections are there before a clock runs.
std::optional<v1::Consumer> reader_of(ClientSession& session, const v1::Config& config,
                                      const std::string& topic, const Place& from,
                                      std::int64_t& available, Failures& failures) {
  const auto described = session.topic(topic, failures);
  if (!described) return std::nullopt;
  auto consumer = v1::Consumer::open(config, session.options());
  if (!consumer) {
    failures.push_back(failure_of(consumer.error()));
    return std::nullopt;
  }
  const auto bounds = bounds_of(*consumer, partitions_of(*described), session.timeout(), failures);
  const auto offsets =
      bounds ? offsets_at(*consumer, *bounds, from, session.timeout(), failures) : std::nullopt;
  if (!offsets) return std::nullopt;
  auto done = consumer->assign(partitions_of(*described));
  for (const auto& [partition, offset] : *offsets) {
    available += bounds->at(partition).end - offset;
    if (done) done = consumer->seek(partition, offset);
  }
  if (!done) {
    failures.push_back(failure_of(done.error()));
    return std::nullopt;
  }
  return *std::move(consumer);
}

// Sends a record and receives it: what the first one has to wait for is no latency. A signal ends
// the program meanwhile.
bool warm_up(v1::Producer& producer, v1::Consumer& consumer, const std::string& topic,
             Failures& failures) {
  const auto sent = producer.send({.topic = topic, .value = "warm"}).get();
  if (!sent) {
    failures.push_back(failure_of(sent.error()));
    return false;
  }
  const auto begin = SteadyClock::now();
  while (SteadyClock::now() - begin < patience) {
    const auto batch = consumer.poll(std::chrono::milliseconds(100));
    if (!batch && !batch.error().is_retriable()) {
      failures.push_back(failure_of(batch.error()));
      return false;
    }
    if (!batch) continue;
    for (const v1::RecordView& record : *batch)
      if (record.partition() == sent->partition && record.offset() == sent->offset) return true;
  }
  failures.push_back({.code = "INCOMPLETE", .message = "the first record did not come back"});
  return false;
}

// Whether all of its partitions were read to their ends, as far as brokers told them.
bool is_at_end(const v1::Consumer& consumer) {
  const auto assigned = consumer.assignment();
  const auto lags = consumer.lag();
  return assigned && lags && lags->size() == assigned->size() &&
         std::ranges::all_of(*lags, [](const auto& one) { return one.second.records() == 0; });
}

}  // namespace

Answer bench_produce(const Call& call) {
  Answer answer;
  auto session = open_for_records(call, answer.failures);
  if (!session || !ensure_topic(*session, call.arguments, answer.failures)) return answer;
  Delivered delivered;
  auto producer = v1::Producer::open(session->config(), session->options());
  if (!producer) return failed(failure_of(producer.error()));
  producer->on_delivery([&](std::uint64_t tag, const v1::Result<v1::Delivery>& outcome) {
    delivered.take(tag, outcome);
  });
  const std::int64_t records = call.arguments.number_or("records", 1'000'000);
  const std::string value = payload(call.arguments);
  const Interrupt interrupt;
  Progress progress;
  const std::string topic = call.arguments.operand(0);
  const auto begin = SteadyClock::now();
  std::int64_t sent = 0;
  for (; sent < records && !Interrupt::is_asked() && delivered.bad == 0; ++sent) {
    const auto tag = static_cast<std::uint64_t>(sent);
    if (tag % timed_one_in == 0) {
      delivered.begun[tag / timed_one_in % timed_max] = SteadyClock::now();
      if (progress.is_due())
        progress.show(joined(sent, " of ", counted(records, "record"), " sent"));
    }
    if (const auto posted = producer->post({.topic = topic, .value = value}, tag); !posted) {
      answer.failures.push_back(failure_of(posted.error()));
      break;
    }
  }
  if (const auto closed = producer->close(patience); !closed)
    answer.failures.push_back(failure_of(closed.error()));
  const double seconds = seconds_since(begin);
  const std::lock_guard lock(delivered.mutex);
  answer.failures.insert(answer.failures.end(), delivered.failures.begin(),
                         delivered.failures.end());
  const std::int64_t good = delivered.good;
  answer.fields = {{"topic", topic}, {"failed", delivered.bad.load()}};
  add_rate(answer, good, good * static_cast<std::int64_t>(value.size()), seconds);
  add_latency(answer, delivered.histogram, call.format);
  return answer;
}

Answer bench_consume(const Call& call) {
  Answer answer;
  auto session = open_for_records(call, answer.failures);
  std::int64_t available = 0;
  auto consumer = session ? reader_of(*session, session->config(), call.arguments.operand(0), {},
                                      available, answer.failures)
                          : std::nullopt;
  if (!consumer) return answer;
  const std::int64_t wanted = std::min(available, call.arguments.number_or("records", 1'000'000));
  const Interrupt interrupt;
  Progress progress;
  std::int64_t records = 0;
  std::int64_t bytes = 0;
  const auto begin = SteadyClock::now();
  auto last = begin;
  while (records < wanted && !Interrupt::is_asked()) {
    const auto batch = consumer->poll(std::chrono::milliseconds(100));
    const bool is_over = SteadyClock::now() - last > session->timeout();
    if (!batch && (is_over || !batch.error().is_retriable())) {
      answer.failures.push_back(failure_of(batch.error()));
      break;
    }
    if (!batch || batch->empty()) {
      // Compaction leaves fewer records than offsets: then the end has come.
      if (batch && is_at_end(*consumer)) break;
      if (!is_over) continue;
      answer.failures.push_back(
          {.code = "INCOMPLETE",
           .message = joined("only ", records, " of ", counted(wanted, "record"), " came")});
      break;
    }
    last = SteadyClock::now();
    for (const v1::RecordView& record : *batch) {
      ++records;
      bytes += static_cast<std::int64_t>(record.key().size() + record.value().size());
    }
    if (progress.is_due())
      progress.show(joined(records, " of ", counted(wanted, "record"), " received"));
  }
  answer.fields = {{"topic", call.arguments.operand(0)}};
  add_rate(answer, records, bytes, std::chrono::duration<double>(last - begin).count());
  return answer;
}

Answer bench_latency(const Call& call) {
  Answer answer;
  auto session = open_for_records(call, answer.failures);
  if (!session || !ensure_topic(*session, call.arguments, answer.failures)) return answer;
  const std::string topic = call.arguments.operand(0);
  std::int64_t available = 0;
  // Settings of -X are those of the producer.
  auto consumer = reader_of(*session, session->shared_config(), topic, {.kind = Place::Kind::end},
                            available, answer.failures);
  if (!consumer) return answer;
  Delivered delivered;
  auto producer = v1::Producer::open(session->config(), session->options());
  if (!producer) return failed(failure_of(producer.error()));
  producer->on_delivery([&](std::uint64_t, const v1::Result<v1::Delivery>& outcome) {
    delivered.take(1, outcome);  // how long that takes is not asked here
  });
  const std::int64_t records = call.arguments.number_or("records", 10'000);
  const std::string of_all = joined(" of ", counted(records, "record"));
  const auto interval =
      std::chrono::nanoseconds(1'000'000'000 / call.arguments.number_or("rate", 1000));
  const std::string value = payload(call.arguments);
  if (!warm_up(*producer, *consumer, topic, answer.failures)) return answer;
  const Interrupt interrupt;
  std::atomic<bool> is_over = false;
  std::thread sending([&] {
    auto next = SteadyClock::now();
    for (std::int64_t sent = 0; sent < records && !is_over && delivered.bad == 0; ++sent) {
      std::this_thread::sleep_until(next);
      // When it should have been sent: a stall is not hidden by waiting with what follows.
      const std::string text = stamped(value, next);
      next += interval;
      if (const auto posted = producer->post({.topic = topic, .value = text}); !posted) {
        delivered.take(1, posted.error());
        break;
      }
    }
  });
  Histogram histogram;
  Progress progress;
  auto last = SteadyClock::now();
  while (histogram.count() < records && !Interrupt::is_asked() && delivered.bad == 0 &&
         SteadyClock::now() - last < patience) {
    const auto batch = consumer->poll(std::chrono::milliseconds(100));
    if (!batch) {
      if (batch.error().is_retriable()) continue;
      answer.failures.push_back(failure_of(batch.error()));
      break;
    }
    if (!batch->empty()) last = SteadyClock::now();
    for (const v1::RecordView& record : *batch)
      if (const auto stamp = stamp_of(record.value_text()))
        histogram.add(microseconds_since(*stamp));
    if (progress.is_due()) progress.show(joined(histogram.count(), of_all));
  }
  is_over = true;
  sending.join();
  if (const auto closed = producer->close(patience); !closed)
    answer.failures.push_back(failure_of(closed.error()));
  const std::lock_guard lock(delivered.mutex);
  answer.failures.insert(answer.failures.end(), delivered.failures.begin(),
                         delivered.failures.end());
  if (histogram.count() < records && answer.failures.empty() && !Interrupt::is_asked())
    answer.failures.push_back(
        {.code = "INCOMPLETE",
         .message = joined("only ", histogram.count(), of_all, " came back")});
  answer.fields = {{"topic", topic}, {"records", histogram.count()}};
  answer.sentences = {joined(counted(histogram.count(), "record"), " sent and received")};
  add_latency(answer, histogram, call.format);
  return answer;
}

}  // namespace millrace::cli
