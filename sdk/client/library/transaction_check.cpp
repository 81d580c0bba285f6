// What transactions promise, against a cluster that is running:
//   client_transaction_check BOOTSTRAP FROM TO
// FROM and TO are topics without records, with one partition. Afterwards TO has the records
// "committed 0" to "committed 9" for who reads what is committed, and others that were aborted.
// Says what was wrong and ends with 1.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "millrace/millrace.hpp"

namespace {

using millrace::Config;
using millrace::Consumer;
using millrace::Delivery;
using millrace::Future;
using millrace::GroupMembership;
using millrace::Producer;
using millrace::Records;
using millrace::Result;
using millrace::TopicPartition;
using millrace::Transaction;

constexpr int records_each = 10;

void need(bool is_so, const std::string& what) {
  if (is_so) return;
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

template <class T>
void need(const Result<T>& result, const std::string& what) {
  need(result.has_value(), what + ": " + (result ? "" : result.error().message()));
}

void send(Transaction& transaction, const std::string& topic, const std::string& what) {
  need(transaction.begun(), "begin");
  std::vector<Future<Result<Delivery>>> sent;
  for (int i = 0; i < records_each; ++i)
    sent.push_back(transaction.send({.topic = topic, .value = what + " " + std::to_string(i)}));
  for (auto& one : sent) need(one.get(), what);
}

Consumer member_of(const Config& config, const std::string& topic) {
  Consumer consumer(config + Config{{"group.id", "transaction-check"},
                                    {"auto.offset.reset", "earliest"},
                                    {"enable.auto.commit", "false"},
                                    {"isolation.level", "read_committed"}});
  need(consumer.subscribe({topic}), "subscribe");
  return consumer;
}

Records first_records(Consumer& consumer) {
  for (;;) {
    auto batch = consumer.poll(std::chrono::seconds{1});
    need(batch, "poll");
    if (!batch->empty()) return *std::move(batch);
  }
}

void check_aborts(Producer& producer, const std::string& topic) {
  {
    auto transaction = producer.begin();
    send(transaction, topic, "aborted");
    need(transaction.abort(), "abort");
  }
  {
    auto transaction = producer.begin();
    send(transaction, topic, "out of scope");
  }
  auto transaction = producer.begin();
  need(transaction.begun(), "begin after an end of scope");
  need(transaction.commit(), "commit of nothing");
}

void check_offsets(Producer& producer, const Config& config, const std::string& topic) {
  Consumer consumer = member_of(config, topic);
  auto batch = first_records(consumer);
  const TopicPartition partition{topic, 0};
  const auto committed = [&] {
    auto found = consumer.committed({partition});
    need(found, "committed");
    return found->contains(partition) ? found->at(partition) : -1;
  };
  for (const bool commits : {false, true}) {
    auto transaction = producer.begin();
    need(transaction.send_offsets(consumer, batch), "send_offsets");
    if (commits)
      need(transaction.commit(), "commit of offsets");
    else
      need(transaction.abort(), "abort of offsets");
    const auto expected = commits ? batch.next_offsets().at(partition) : -1;
    need(committed() == expected,
         "offsets are " + std::to_string(committed()) + " and not " + std::to_string(expected));
  }
  auto transaction = producer.begin();
  const auto refused = transaction.send_offsets(
      GroupMembership{.group_id = "transaction-check", .generation = 99, .member_id = "nobody"},
      {{partition, 0}});
  need(!refused && refused.error().needs_abort(), "offsets of who is no member were taken");
  need(!transaction.commit(), "a commit without its offsets was taken");
  need(transaction.abort(), "abort after a refusal");
}

void check_fencing(Producer& producer, const Config& config, const std::string& topic) {
  auto zombie = producer.begin();
  send(zombie, topic, "zombie");
  Producer current(config);
  need(current.init_transactions(), "init_transactions");
  zombie.add({.topic = topic, .value = "zombie late"});
  const auto refused = zombie.commit();
  need(!refused, "a producer that was replaced committed");
  const auto aborted = zombie.abort();
  need((refused.error().is_fatal() || !aborted) &&
           (refused.error().is_fatal() || aborted.error().is_fatal()),
       "a producer that was replaced can go on: " + refused.error().message());
  auto transaction = current.begin();
  need(transaction.begun(), "begin of the one that is there");
  need(transaction.commit(), "commit of the one that is there");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  const Config config{{"bootstrap.servers", arguments[1]}};
  const Config transactional = config + Config{{"transactional.id", "transaction-check"}};
  const std::string from = arguments[2];
  const std::string to = arguments[3];
  {
    Producer filling(config);
    for (int i = 0; i < records_each; ++i)
      need(filling.send({.topic = from, .value = std::to_string(i)}).get(), "send");
  }
  Producer producer(transactional);
  check_aborts(producer, to);
  {
    auto transaction = producer.begin();
    send(transaction, to, "committed");
    need(transaction.commit(), "commit");
  }
  check_offsets(producer, config, from);
  check_fencing(producer, transactional, to);
  std::printf("well\n");
}
