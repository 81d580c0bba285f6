module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "millrace/admin.hpp"
#include "millrace/consumer.hpp"

module millrace.cli.records;

import millrace.cli.frame;
import millrace.cli.session;

namespace millrace::cli {
namespace {

constexpr std::chrono::milliseconds poll_time{100};
// How often a group's progress is committed while records come.
constexpr std::chrono::seconds commit_interval{5};

// What is printed of a record.
class Printer {
 public:
  static std::optional<Printer> make(const Call& call, Failures& failures) {
    Printer printer;
    printer.format_ = call.format;
    const bool has_format = call.arguments.has("format");
    if (has_format && call.format != Format::table) {
      failures.push_back(usage_failure("--format and --output exclude each other"));
      return std::nullopt;
    }
    auto parsed = RecordFormat::parse(call.arguments.text_or("format", "%v\\n"));
    if (auto* wrong = std::get_if<Failure>(&parsed)) {
      failures.push_back(std::move(*wrong));
      return std::nullopt;
    }
    printer.text_ = std::get<RecordFormat>(std::move(parsed));
    return printer;
  }

  std::string_view heading() const { return format_ == Format::tsv ? tsv_heading : ""; }
  void print(Output& output, const v1::OwnedRecord& record) {
    if (format_ == Format::json) {
      output.write(json_line_of(record));
    } else if (format_ == Format::tsv) {
      output.write(tsv_line_of(record));
    } else {
      line_.clear();
      text_.append(line_, record);
      output.write(line_);
    }
  }

 private:
  Format format_ = Format::table;
  RecordFormat text_;
  std::string line_;
};

// What is read, from where, and where that ends. Both may be still to come: reading begins at the
// end of what is there then.
struct Plan {
  v1::Offsets from;
  std::optional<v1::Offsets> to;
  PartitionBounds bounds;
};

// The consumer asks the leaders: then its connections are there when it is to read.
std::optional<Plan> plan_of(ClientSession& session, const Call& call, const v1::Consumer& consumer,
                            const Place& from, const std::optional<Place>& to, Failures& failures) {
  std::vector<v1::TopicPartition> partitions;
  for (const v1::DescribedTopic& topic : session.topics(call.arguments.operands(), failures)) {
    const auto chosen = chosen_partitions(topic, call.arguments, failures);
    if (!chosen) return std::nullopt;
    partitions.insert(partitions.end(), chosen->begin(), chosen->end());
  }
  if (!failures.empty()) return std::nullopt;
  const auto bounds = bounds_of(consumer, partitions, session.timeout(), failures);
  const auto begin =
      bounds ? offsets_at(consumer, *bounds, from, session.timeout(), failures) : std::nullopt;
  if (!begin) return std::nullopt;
  // One that is still to come is waited for.
  const auto as_asked = [](v1::Offsets& offsets, const Place& place) {
    if (place.kind != Place::Kind::offset) return;
    for (auto& [partition, offset] : offsets) offset = std::max(offset, place.number);
  };
  Plan plan{.from = *begin, .to = {}, .bounds = *bounds};
  as_asked(plan.from, from);
  if (to) {
    plan.to = offsets_at(consumer, *bounds, *to, session.timeout(), failures);
    if (!plan.to) return std::nullopt;
    as_asked(*plan.to, *to);
  }
  return plan;
}

class Receiving {
 public:
  Receiving(v1::Consumer& consumer, const ClientSession& session, Printer& printer,
            std::int64_t count_max, bool is_in_group)
      : consumer_(consumer),
        timeout_(session.timeout()),
        printer_(printer),
        count_max_(count_max),
        is_in_group_(is_in_group) {
    output_.write(printer.heading());
    if (!is_in_group) return;
    consumer.on_revoked([this](const auto& partitions) { hand_over(partitions); });
    consumer.on_lost([this](const auto& partitions) { forget(partitions); });
  }
  Receiving(const Receiving&) = delete;  // the consumer calls it
  Receiving& operator=(const Receiving&) = delete;

  void begin_at(v1::Offsets from) { from_ = std::move(from); }
  void stop_at(v1::Offsets to) { to_ = std::move(to); }

  Answer run() {
    while (!is_over()) {
      const auto batch = consumer_.poll(poll_time);
      if (!batch) {
        if (!may_go_on(batch.error())) break;
        continue;
      }
      failing_since_.reset();
      if (batch->empty() && !Output::has_reader()) break;
      for (const v1::RecordView& record : *batch) {
        if (count_ == count_max_) break;
        take(record);
      }
      if (to_) finish_partitions();
      output_.flush();
      commit_if_due();
      if (progress_.is_due()) progress_.show(counted(count_, "record"));
    }
    return end();
  }

 private:
  bool is_over() const {
    return Interrupt::is_asked() || output_.is_broken() || count_ == count_max_ ||
           (to_ && to_->empty());
  }

  void take(const v1::RecordView& record) {
    const v1::TopicPartition partition{std::string(record.topic()), record.partition()};
    const auto begin = from_.find(partition);
    if (begin != from_.end() && record.offset() < begin->second) return;
    if (to_) {
      const auto end = to_->find(partition);
      if (end == to_->end() || record.offset() >= end->second) return;
    }
    printer_.print(output_, record.to_owned());
    ++count_;
    if (is_in_group_) done_[partition] = record.offset() + 1;
  }

  // Positions pass over what is no record, as markers of transactions.
  void finish_partitions() {
    const auto lag = consumer_.lag();
    if (!lag) return;
    std::vector<v1::TopicPartition> finished;
    for (const auto& [partition, end] : *to_) {
      const auto found = lag->find(partition);
      if (found != lag->end() && found->second.position >= end) finished.push_back(partition);
    }
    for (const v1::TopicPartition& partition : finished) to_->erase(partition);
    // One that goes on is passed over, record by record.
    if (!finished.empty()) static_cast<void>(consumer_.pause(finished).has_value());
  }

  // What passes is waited for as long as a call may take.
  bool may_go_on(const v1::Error& error) {
    const auto now = std::chrono::steady_clock::now();
    if (!failing_since_) failing_since_ = now;
    if (error.is_retriable() && now - *failing_since_ < timeout_) return true;
    failures_.push_back(failure_of(error));
    return false;
  }

  void commit_if_due() {
    const auto now = std::chrono::steady_clock::now();
    if (done_.empty() || now < next_commit_) return;
    next_commit_ = now + commit_interval;
    const auto committed = commit();
    if (!committed && !committed.error().is_retriable())
      failures_.push_back(failure_of(committed.error(), "committing"));
  }

  // What was printed. Only what is still ours: others have gone on with what was taken away.
  v1::Result<void> commit() {
    const auto assigned = consumer_.assignment();
    if (!assigned || output_.is_broken()) return {};
    const std::set<v1::TopicPartition> ours(assigned->begin(), assigned->end());
    std::erase_if(done_, [&](const auto& entry) { return !ours.contains(entry.first); });
    if (done_.empty()) return {};
    auto committed = consumer_.commit(done_, timeout_);
    if (committed) done_.clear();
    return committed;
  }

  // The last time: nobody would notice that it failed, but for records that come again.
  void commit_at_end() {
    const auto deadline = std::chrono::steady_clock::now() + timeout_;
    while (true) {
      const auto committed = commit();
      if (committed) return;
      if (!committed.error().is_retriable() || std::chrono::steady_clock::now() >= deadline) {
        failures_.push_back(failure_of(committed.error(), "committing"));
        done_.clear();  // or it would be said again of what is handed over
        return;
      }
      // A rebalance goes on in it. What it gives is not printed, and so not committed.
      static_cast<void>(consumer_.poll(poll_time).has_value());
    }
  }

  // Called in a poll, or while it closes: whoever gets the partitions goes on after what was
  // printed.
  void hand_over(const std::vector<v1::TopicPartition>& partitions) {
    v1::Offsets offsets;
    for (const v1::TopicPartition& partition : partitions)
      if (const auto found = done_.find(partition); found != done_.end()) offsets.insert(*found);
    forget(partitions);
    if (offsets.empty() || output_.is_broken()) return;
    if (const auto committed = consumer_.commit(offsets, timeout_); !committed)
      failures_.push_back(failure_of(committed.error(), "committing"));
  }

  void forget(const std::vector<v1::TopicPartition>& partitions) {
    for (const v1::TopicPartition& partition : partitions) done_.erase(partition);
  }

  Answer end() {
    output_.flush();
    if (is_in_group_) commit_at_end();
    if (const auto closed = consumer_.close(); !closed)
      failures_.push_back(failure_of(closed.error(), "leaving the group"));
    if (auto failure = output_.failure()) failures_.push_back(*std::move(failure));
    return {.failures = std::move(failures_), .is_printed = true};
  }

  v1::Consumer& consumer_;
  const std::chrono::milliseconds timeout_;
  Printer& printer_;
  const std::int64_t count_max_;
  const bool is_in_group_;
  Output output_;
  Progress progress_;
  Failures failures_;
  v1::Offsets from_;
  std::optional<v1::Offsets> to_;
  v1::Offsets done_;  // of the group, not committed yet
  std::int64_t count_ = 0;
  std::optional<std::chrono::steady_clock::time_point> failing_since_;
  std::chrono::steady_clock::time_point next_commit_ = {};
};

// What cannot be said together.
std::optional<Failure> contradiction(const Arguments& arguments) {
  if (arguments.has("from") && arguments.has("tail"))
    return usage_failure("--from and --tail exclude each other");
  if (!arguments.has("group")) return std::nullopt;
  for (const char* option : {"to", "partitions", "tail"})
    if (arguments.has(option))
      return usage_failure(joined("--group and --", option, " exclude each other"));
  const auto from = parse_place(arguments.text_or("from", "end"), current_time());
  if (!from || (from->kind != Place::Kind::start && from->kind != Place::Kind::end))
    return usage_failure("with --group, --from is start or end",
                         "`millrace group reset-offsets` moves a group");
  return std::nullopt;
}

Answer consume_as_member(const Call& call, ClientSession& session, Printer& printer,
                         std::int64_t count) {
  Answer answer;
  if (session.topics(call.arguments.operands(), answer.failures).size() !=
      call.arguments.operands().size())
    return answer;
  const auto from = parse_place(call.arguments.text_or("from", "end"), current_time());
  const bool is_from_start = from && from->kind == Place::Kind::start;
  auto config = v1::Config{{"auto.offset.reset", is_from_start ? "earliest" : "latest"}} +
                session.config() + v1::Config{{"enable.auto.commit", "false"}};
  config.set("group.id", call.arguments.text_or("group", ""));
  auto consumer = v1::Consumer::open(config, session.options());
  if (!consumer) return failed(failure_of(consumer.error()));
  const Interrupt interrupt;
  Receiving receiving(*consumer, session, printer, count, true);
  if (const auto done = consumer->subscribe(call.arguments.operands()); !done)
    return failed(failure_of(done.error()));
  return receiving.run();
}

Answer consume_alone(const Call& call, ClientSession& session, Printer& printer,
                     std::int64_t count) {
  Answer answer;
  const std::string tail = call.arguments.text_or("tail", "");
  const auto from = place_of(
      "--from", tail.empty() ? call.arguments.text_or("from", "end") : "-" + tail, answer.failures);
  if (!from) return answer;
  std::optional<Place> to;
  if (const auto text = call.arguments.text("to")) {
    to = place_of("--to", *text, answer.failures);
    if (!to) return answer;
  }
  auto consumer = v1::Consumer::open(session.config(), session.options());
  if (!consumer) return failed(failure_of(consumer.error()));
  auto plan = plan_of(session, call, *consumer, *from, to, answer.failures);
  if (!plan) return answer;
  std::vector<v1::TopicPartition> partitions;
  for (const auto& [partition, offset] : plan->from) {
    // Where nothing is to be read, nothing needs to be fetched.
    const bool is_empty = plan->to && plan->to->at(partition) <= offset;
    if (is_empty)
      plan->to->erase(partition);
    else
      partitions.push_back(partition);
  }
  if (!partitions.empty())
    if (const auto done = consumer->assign(partitions); !done)
      return failed(failure_of(done.error()));
  for (const v1::TopicPartition& partition : partitions) {
    const Bounds& within = plan->bounds.at(partition);
    const std::int64_t begin =
        std::min(plan->from.at(partition), std::max(within.start, within.end));
    if (const auto done = consumer->seek(partition, begin); !done)
      return failed(failure_of(done.error()));
  }
  // Not before: what was asked so far ends at once by a signal, also where no broker answers.
  const Interrupt interrupt;
  Receiving receiving(*consumer, session, printer, count, false);
  receiving.begin_at(plan->from);
  if (plan->to) receiving.stop_at(*std::move(plan->to));
  return receiving.run();
}

}  // namespace

Answer consume(const Call& call) {
  if (auto wrong = contradiction(call.arguments)) return failed(*std::move(wrong));
  Answer answer;
  auto printer = Printer::make(call, answer.failures);
  auto session = printer ? open_for_records(call, answer.failures) : std::nullopt;
  if (!session) return answer;
  const std::int64_t count = call.arguments.number_or("count", -1);
  return call.arguments.has("group") ? consume_as_member(call, *session, *printer, count)
                                     : consume_alone(call, *session, *printer, count);
}

}  // namespace millrace::cli
