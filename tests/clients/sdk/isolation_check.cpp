// What a consumer sees of transactions that run at the same time, against a cluster that is
// running:
//   sdk_isolation_check BOOTSTRAP TOPIC
// TOPIC has no records, and one partition. Prints what is seen with isolation.level=read_committed
// at the end, a value a line. Says what was wrong and ends with 1.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "check.hpp"
#include "millrace/millrace.hpp"

namespace {

using millrace::Config;
using millrace::Consumer;
using millrace::Producer;
using millrace::RecordView;
using millrace::TopicPartition;
using millrace::Transaction;
using millrace_check::need;
using Values = std::vector<std::string>;

constexpr int records_each = 10;

std::string numbered(const std::string& what, int number) {
  return what + " " + std::to_string(number);
}

Values all_of(const std::vector<std::string>& kinds) {
  Values values;
  for (const auto& kind : kinds)
    for (int i = 0; i < records_each; ++i) values.push_back(numbered(kind, i));
  return values;
}

std::string listed(const Values& values) {
  std::string list;
  for (const auto& value : values) list += value + ", ";
  return list;
}

// One reader of the partition from its beginning on, without a group.
class Reader {
 public:
  Reader(const Config& config, const std::string& topic, const std::string& isolation)
      : isolation_(isolation),
        partition_{topic, 0},
        consumer_(config +
                  Config{{"auto.offset.reset", "earliest"}, {"isolation.level", isolation}}) {
    need(consumer_.assign({partition_}), "assign");
  }

  [[nodiscard]] std::int64_t end() const {
    const auto found = consumer_.end_offsets({partition_});
    need(found, "end_offsets");
    return found->at(partition_);
  }

  [[nodiscard]] std::int64_t position() const {
    const auto position = consumer_.position(partition_);
    need(position, "position");
    return *position;
  }

  // Reads on until it is that far, which is past all of these: exactly these. It may be farther, as
  // brokers write the end of a transaction after they have answered.
  void expect(const Values& wanted, std::int64_t end) {
    Values found;
    while (position() < end) add(found, std::chrono::seconds{1});
    // More than there should be would come now.
    add(found, std::chrono::seconds{1});
    need(found == wanted, isolation_ + " gave: " + listed(found) + "and not: " + listed(wanted));
    seen_.insert(seen_.end(), found.begin(), found.end());
  }
  // The same, and it goes no further.
  void expect_up_to(std::int64_t end, const Values& wanted) {
    expect(wanted, end);
    need(position() == end, isolation_ + " stands at " + std::to_string(position()) + " and not " +
                                std::to_string(end));
  }

  [[nodiscard]] const Values& seen() const { return seen_; }

 private:
  void add(Values& values, std::chrono::milliseconds time) {
    const auto batch = consumer_.poll(time);
    need(batch, "poll");
    for (const RecordView record : *batch) values.emplace_back(record.value_text());
  }

  std::string isolation_;
  TopicPartition partition_;
  Consumer consumer_;
  Values seen_;
};

// Where it lies.
std::int64_t send(Transaction& transaction, const std::string& topic, const std::string& value) {
  const auto sent = transaction.send({.topic = topic, .value = value}).get();
  need(sent, value);
  return sent->offset;
}

void send_all(Transaction& transaction, const std::string& topic, const std::string& what) {
  for (int i = 0; i < records_each; ++i) send(transaction, topic, numbered(what, i));
}

Transaction begun(Producer& producer) {
  auto transaction = producer.begin();
  need(transaction.begun(), "begin");
  return transaction;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const Config config{{"bootstrap.servers", arguments[1]}};
  const std::string topic = arguments[2];
  // Longer than anything here takes: nobody but the check ends a transaction.
  const Config patient = config + Config{{"transaction.timeout.ms", "600000"}};
  Producer one(patient + Config{{"transactional.id", "isolation-one"}});
  Producer other(patient + Config{{"transactional.id", "isolation-other"}});

  {
    // Two transactions whose records lie between each other's.
    auto kept = begun(one);
    auto dropped = begun(other);
    for (int i = 0; i < records_each; ++i) {
      send(kept, topic, numbered("committed", i));
      send(dropped, topic, numbered("aborted", i));
    }
    need(kept.commit(), "commit");
    need(dropped.abort(), "abort");
  }
  Reader committed(config, topic, "read_committed");
  Reader everything(config, topic, "read_uncommitted");
  {
    // What was committed after the first record of an open one waits for its end.
    auto open = begun(one);
    const auto last_stable = send(open, topic, numbered("open", 0));
    for (int i = 1; i < records_each; ++i) send(open, topic, numbered("open", i));
    auto later = begun(other);
    send_all(later, topic, "later");
    need(later.commit(), "commit of the later one");

    need(committed.end() == last_stable, "the end of what is committed is " +
                                             std::to_string(committed.end()) + " and not " +
                                             std::to_string(last_stable));
    committed.expect_up_to(last_stable, all_of({"committed"}));
    Values all;
    for (int i = 0; i < records_each; ++i) {
      all.push_back(numbered("committed", i));
      all.push_back(numbered("aborted", i));
    }
    for (auto& value : all_of({"open", "later"})) all.push_back(std::move(value));
    everything.expect(all, everything.end());

    need(open.commit(), "commit of the open one");
    committed.expect(all_of({"open", "later"}), everything.end());
  }
  {
    auto open = begun(one);
    const auto last_stable = send(open, topic, numbered("open and aborted", 0));
    auto later = begun(other);
    send_all(later, topic, "last");
    need(later.commit(), "commit of the last one");
    committed.expect_up_to(last_stable, {});
    need(open.abort(), "abort of the open one");
    committed.expect(all_of({"last"}), everything.end());
  }
  // And so for who comes when all has ended.
  Reader late(config, topic, "read_committed");
  late.expect(committed.seen(), everything.end());
  for (const auto& value : late.seen()) std::printf("%s\n", value.c_str());
}
