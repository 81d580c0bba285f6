module;
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/admin.hpp"
#include "millrace/config.hpp"
#include "millrace/producer.hpp"

module millrace.cli.records;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

// Failures that are told one by one; those above are counted.
constexpr std::size_t failures_max = 20;
// After Ctrl-C, for what was read already.
constexpr std::chrono::seconds closing_time{10};

// Outcomes of records, from the producer's thread to ours. There are never more than the producer
// has room for records, because the one that sends takes them before it sends more.
class Outcomes {
 public:
  using Outcome = v1::Result<v1::Delivery>;

  void add(const Outcome& outcome) {
    const std::lock_guard lock(mutex_);
    outcomes_.push_back(outcome);
    ++count_;
    changed_.notify_one();
  }
  std::vector<Outcome> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(outcomes_, {});
  }
  // True when there have been so many; false after a while, so that the caller can look around.
  bool wait_for(std::uint64_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(100), [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Outcome> outcomes_;
  std::uint64_t count_ = 0;
};

// What has become of the records that were sent.
class Report {
 public:
  Report(std::string topic, Format format, bool is_quiet)
      : topic_(std::move(topic)), format_(format), is_quiet_(is_quiet || format == Format::json) {
    if (format == Format::tsv && !is_quiet_) output_.write("topic\tpartition\toffset\n");
  }

  void take(const std::vector<Outcomes::Outcome>& outcomes) {
    for (const auto& outcome : outcomes) {
      if (outcome)
        delivered(*outcome);
      else
        failed(failure_of(outcome.error()));
    }
  }
  void failed(Failure failure) {
    ++failed_;
    if (failures_.size() < failures_max) failures_.push_back(std::move(failure));
  }
  // What is no record's.
  void went_wrong(Failure failure) { others_.push_back(std::move(failure)); }
  Output& output() { return output_; }
  std::int64_t delivered_count() const { return delivered_; }

  Answer answer() {
    output_.flush();
    Answer answer{.fields = {{"topic", topic_}, {"delivered", delivered_}, {"failed", failed_}},
                  .rows_name = "partitions",
                  .columns = {{"partition"}, {"records"}, {"first_offset"}, {"last_offset"}},
                  .failures = std::move(failures_),
                  .is_printed = format_ != Format::json};
    for (const auto& [partition, places] : partitions_)
      answer.rows.push_back({std::int64_t{partition}, places.records, places.first, places.last});
    const auto left = failed_ - static_cast<std::int64_t>(answer.failures.size());
    if (left > 0)
      answer.failures.push_back({.code = "MORE", .message = joined(left, " more records failed")});
    for (Failure& other : others_) answer.failures.push_back(std::move(other));
    if (auto failure = output_.failure()) answer.failures.push_back(*std::move(failure));
    return answer;
  }

 private:
  struct Places {
    std::int64_t records = 0;
    std::int64_t first = -1;
    std::int64_t last = -1;
  };

  void delivered(const v1::Delivery& delivery) {
    ++delivered_;
    Places& places = partitions_[delivery.partition];
    if (places.records++ == 0) places.first = delivery.offset;
    places.last = delivery.offset;
    if (is_quiet_) return;
    if (format_ == Format::tsv)
      output_.write(joined(tsv_of(topic_), "\t", delivery.partition, "\t", delivery.offset, "\n"));
    else if (delivery.offset < 0)
      output_.write(joined(topic_, "-", delivery.partition, "\n"));  // with acks=0 nobody tells
    else
      output_.write(joined(topic_, "-", delivery.partition, "@", delivery.offset, "\n"));
  }

  std::string topic_;
  Format format_;
  bool is_quiet_;
  Output output_;
  std::int64_t delivered_ = 0;
  std::int64_t failed_ = 0;
  std::map<std::int32_t, Places> partitions_;
  Failures failures_;
  Failures others_;
};

std::optional<InputRules> rules_of(const Arguments& arguments, Failures& failures) {
  InputRules rules{.is_json = arguments.text_or("input", "lines") == "json",
                   .key_separator = arguments.text_or("key-separator", ""),
                   .is_empty_null = arguments.has("null")};
  const auto wrong = [&](std::string message) {
    failures.push_back(usage_failure(std::move(message)));
    return std::nullopt;
  };
  if (arguments.text("key-separator") && rules.key_separator.empty())
    return wrong("--key-separator is empty");
  if (arguments.has("key") && !rules.key_separator.empty())
    return wrong("--key and --key-separator exclude each other");
  if (rules.is_json && (!rules.key_separator.empty() || arguments.has("whole")))
    return wrong("--input json has keys and lines of its own");
  rules.defaults.key = arguments.text("key");
  const auto headers = pairs_of("--header", arguments.all("header"), failures);
  if (!headers) return std::nullopt;
  for (const auto& [name, value] : *headers) rules.defaults.headers.push_back({name, value});
  if (const auto partition = arguments.number("partition"))
    rules.defaults.partition = static_cast<std::int32_t>(*partition);
  if (const auto text = arguments.text("timestamp")) {
    rules.defaults.timestamp = parse_time(*text, current_time());
    if (!rules.defaults.timestamp) return wrong(joined("--timestamp '", *text, "' is no time"));
  }
  return rules;
}

// Reads, sends and reports.
class Sending {
 public:
  Sending(v1::Producer& producer, std::string topic, const InputRules& rules, Outcomes& outcomes,
          Report& report)
      : producer_(producer),
        topic_(std::move(topic)),
        rules_(rules),
        outcomes_(outcomes),
        report_(report) {}

  void send_lines() {
    LineReader reader(STDIN_FILENO);
    while (!Interrupt::is_asked() && !report_.output().is_broken()) {
      // Who types wants to see what has become of a line before the next one.
      if (reader.would_wait()) settle();
      const auto line = reader.next();
      if (!line) break;
      if (!send_text(*line)) break;
    }
    if (reader.failure()) report_.failed(*reader.failure());
  }
  void send_whole() {
    LineReader reader(STDIN_FILENO);
    if (const auto value = reader.rest())
      send_text(*value);
    else if (reader.failure())
      report_.failed(*reader.failure());
  }
  // Waits for the outcomes of all that was sent.
  void finish() {
    while (!outcomes_.wait_for(sent_) && !Interrupt::is_asked()) show();
    if (const auto closed = producer_.close(closing_time); !closed)
      report_.went_wrong(failure_of(closed.error()));
    report_.take(outcomes_.take());
  }

 private:
  // False for a line that ends it.
  bool send_text(std::string_view text) {
    auto parsed = parse_record(text, rules_);
    ++lines_;
    if (auto* failure = std::get_if<Failure>(&parsed)) {
      failure->message += joined(" (line ", lines_, ")");
      report_.failed(std::move(*failure));
      return false;
    }
    send(std::get<InputRecord>(parsed));
    return true;
  }

  void send(const InputRecord& record) {
    std::vector<v1::Header> headers;
    for (const v1::OwnedHeader& header : record.headers)
      headers.push_back({header.key, header.value ? v1::BytesView(*header.value) : nullptr});
    const auto posted =
        producer_.post({.topic = topic_,
                        .key = record.key ? v1::BytesView(*record.key) : nullptr,
                        .value = record.value ? v1::BytesView(*record.value) : nullptr,
                        .headers = headers,
                        .partition = record.partition,
                        .timestamp = record.timestamp});
    if (posted)
      ++sent_;
    else
      report_.failed(failure_of_line(posted.error()));
    constexpr std::uint64_t lines_between = 256;
    if (lines_ % lines_between == 0) report_.take(outcomes_.take());
    show();
  }

  // What the input says is not what the command line says.
  Failure failure_of_line(const v1::Error& error) const {
    Failure failure = failure_of(error, joined("line ", lines_));
    if (failure.is_usage) failure.code = "INPUT";
    failure.is_usage = false;
    return failure;
  }

  void settle() {
    while (!outcomes_.wait_for(sent_) && !Interrupt::is_asked()) show();
    report_.take(outcomes_.take());
    report_.output().flush();
  }

  void show() {
    if (progress_.is_due())
      progress_.show(joined(sent_, " sent, ", report_.delivered_count(), " delivered"));
  }

  v1::Producer& producer_;
  const std::string topic_;
  const InputRules& rules_;
  Outcomes& outcomes_;
  Report& report_;
  Progress progress_;
  std::uint64_t sent_ = 0;
  std::uint64_t lines_ = 0;
};

// Of --partition, where it is given: the producer would wait for one that is to come.
bool has_partition(ClientSession& session, const Arguments& arguments, Failures& failures) {
  const auto wanted = arguments.text("partition");
  if (!wanted) return true;
  const auto topic = session.topic(arguments.operand(0), failures);
  Arguments chosen;
  chosen.add("partitions", *wanted);
  return topic && chosen_partitions(*topic, chosen, failures);
}

}  // namespace

Answer produce(const Call& call) {
  Answer answer;
  const auto rules = rules_of(call.arguments, answer.failures);
  auto session = rules ? open_for_records(call, answer.failures) : std::nullopt;
  if (!session || !ensure_topic(*session, call.arguments, answer.failures) ||
      !has_partition(*session, call.arguments, answer.failures))
    return answer;
  Outcomes outcomes;  // outlives the producer, which tells it
  auto config = v1::Config().set("max.block.ms", session->timeout()) + session->config();
  auto producer = v1::Producer::open(config, session->options());
  if (!producer) return failed(failure_of(producer.error()));
  producer->on_delivery([&outcomes](std::uint64_t, const v1::Result<v1::Delivery>& outcome) {
    outcomes.add(outcome);
  });
  const Interrupt interrupt;
  Report report(call.arguments.operand(0), call.format, call.arguments.has("quiet"));
  {
    Sending sending(*producer, call.arguments.operand(0), *rules, outcomes, report);
    if (call.arguments.has("whole"))
      sending.send_whole();
    else
      sending.send_lines();
    sending.finish();
  }
  return report.answer();
}

}  // namespace millrace::cli
