// What a client without rights is told, and that it goes on when it is given them, against a
// cluster that is running:
//   sdk_authorisation_check BOOTSTRAP WHAT
// Prints what it shall be allowed, a line each ("topic orders Write"), or no more ("remove topic
// orders Write"), and goes on when it reads a line. The topics "WHAT-open" and "WHAT-closed" are
// there. Says what was wrong and ends with 1; with 2 where it does not know WHAT.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "authorisation_check.hpp"
#include "check.hpp"
#include "millrace/millrace.hpp"

namespace {

using namespace std::chrono_literals;
using namespace millrace_check;
using millrace::Config;
using millrace::Consumer;
using millrace::Delivery;
using millrace::ErrorCode;
using millrace::Offsets;
using millrace::Producer;
using millrace::RecordView;
using millrace::Result;
using millrace::TopicPartition;

constexpr int records_each = 100;

// Nothing that it is told depends on these: a refusal is told at once, or the check never ends.
Config producing(const Config& config) {
  return config + Config{{"delivery.timeout.ms", "3600000"}, {"max.block.ms", "3600000"}};
}

// Sends them one after the other without waiting; each has its outcome once.
std::vector<Result<Delivery>> send_all(Producer& producer, const std::string& topic) {
  std::vector<Result<Delivery>> outcomes;
  std::vector<int> times(records_each);
  for (int i = 0; i < records_each; ++i) {
    producer.send({.topic = topic, .value = std::to_string(i)},
                  [&outcomes, &times, i](const Result<Delivery>& outcome) {
                    ++times[static_cast<std::size_t>(i)];
                    outcomes.push_back(outcome);
                  });
  }
  need(producer.flush(1h), "flush");
  for (const int count : times) need(count == 1, "a record has its outcome not once");
  return outcomes;
}

void need_not_persisted(const std::vector<Result<Delivery>>& outcomes, ErrorCode code,
                        const std::string& name) {
  for (const auto& outcome : outcomes) {
    need_refusal(outcome, code, name);
    need(outcome.error().persisted() == millrace::Persisted::no,
         "perhaps persisted: " + outcome.error().message());
  }
}

Result<Delivery> send_one(Producer& producer, const std::string& topic) {
  return producer.send({.topic = topic, .value = "0"}).get();
}

std::int64_t end_of(const Config& config, const std::string& topic) {
  millrace::Admin admin(config);
  const auto found = admin.list_offsets({{{topic, 0}, millrace::OffsetSpec::latest()}}).get();
  need(found.at(0).second, "the end of " + topic);
  return found.at(0).second->offset;
}

void check_producer(const Config& config, const std::string& open, const std::string& closed) {
  Producer producer(producing(config));
  need_not_persisted(send_all(producer, open), ErrorCode::topic_authorization_failed, open);
  // It knows the topic, and may write to none: it has no id.
  allow("topic " + open + " Describe");
  await([&] { return send_one(producer, open); }, ErrorCode::cluster_authorization_failed,
        {ErrorCode::topic_authorization_failed});
  need_not_persisted(send_all(producer, open), ErrorCode::cluster_authorization_failed, open);
  // That needs none.
  Producer without_id(producing(config) + Config{{"enable.idempotence", "false"}});
  need_not_persisted(send_all(without_id, open), ErrorCode::topic_authorization_failed, open);
  need(end_of(config, open) == 0, "something was written without the right to");

  allow("topic " + open + " Write");
  await([&] { return send_one(producer, open); }, ErrorCode::none,
        {ErrorCode::cluster_authorization_failed, ErrorCode::topic_authorization_failed});
  await([&] { return send_one(without_id, open); }, ErrorCode::none,
        {ErrorCode::topic_authorization_failed});
  for (const auto& outcome : send_all(producer, open)) need(outcome, "a record with all rights");

  // One of two.
  allow("topic " + closed + " Describe");
  await([&] { return producer.partition_count(closed, 1h); }, ErrorCode::none,
        {ErrorCode::topic_authorization_failed});
  for (int i = 0; i < records_each; ++i) {
    auto refused = producer.send({.topic = closed, .value = "x"});
    auto taken = producer.send({.topic = open, .value = "x"});
    need_not_persisted({refused.get()}, ErrorCode::topic_authorization_failed, closed);
    need(taken.get(), "a record beside one that is refused");
  }
  need(end_of(config, open) == 2 * records_each + 2, "not each record that was told is there once");
  need(end_of(config, closed) == 0, "something was written without the right to");

  // It is taken away, and given back.
  allow("remove topic " + open + " Write");
  // Its id is from before.
  await([&] { return send_one(producer, open); }, ErrorCode::topic_authorization_failed,
        {ErrorCode::none});
  const auto end = end_of(config, open);
  need_not_persisted(send_all(producer, open), ErrorCode::topic_authorization_failed, open);
  allow("topic " + open + " Write");
  await([&] { return send_one(producer, open); }, ErrorCode::none,
        {ErrorCode::topic_authorization_failed});
  for (const auto& outcome : send_all(producer, open)) need(outcome, "a record with all rights");
  need(end_of(config, open) == end + records_each + 1, "not each record is there once");
}

void check_transactions(const Config& config, const std::string& open, const std::string& closed) {
  const std::string id = open + "-id";
  const Config transactional = producing(config) + Config{{"transactional.id", id}};
  const auto begun = [&] {
    Producer producer(transactional);
    return producer.init_transactions();
  };
  const auto refused = begun();
  need_code(refused, ErrorCode::transactional_id_authorization_failed, id);
  need(refused.error().is_fatal(), "a producer without its id goes on");
  allow("transactional-id " + id + " Write");
  await(begun, ErrorCode::none, {ErrorCode::transactional_id_authorization_failed});

  Producer producer(transactional);
  for (const auto& [topic, right] :
       {std::pair{open, ""}, std::pair{open, "Describe"}, std::pair{closed, "Describe"}}) {
    if (*right != '\0') {
      allow("topic " + topic + " " + right);
      await([&, &name = topic] { return producer.partition_count(name, 1h); }, ErrorCode::none,
            {ErrorCode::topic_authorization_failed});
    }
    auto transaction = producer.begin();
    need(transaction.begun(), "begin");
    need_refusal(transaction.send({.topic = topic, .value = "x"}).get(),
                 ErrorCode::topic_authorization_failed, topic);
    const auto committed = transaction.commit();
    need_code(committed, ErrorCode::topic_authorization_failed, topic);
    need(committed.error().needs_abort() && !committed.error().is_fatal(),
         "a transaction that lacks a record: " + committed.error().message());
    need(transaction.abort(), "abort");
  }
  {
    auto transaction = producer.begin();
    need(transaction.begun(), "begin");
    const auto sent = transaction.send_offsets({.group_id = open + "-group"}, {{{open, 0}, 1}});
    need_code(sent, ErrorCode::group_authorization_failed, open + "-group");
    need(sent.error().needs_abort() && !sent.error().is_fatal(), sent.error().message());
    need(transaction.abort(), "abort");
  }
  allow("topic " + open + " Write");
  await(
      [&] {
        auto transaction = producer.begin();
        need(transaction.begun(), "begin");
        transaction.add({.topic = open, .value = "x"});
        auto committed = transaction.commit();
        if (!committed) need(transaction.abort(), "abort");
        return committed;
      },
      ErrorCode::none, {ErrorCode::topic_authorization_failed});
}

void fill(const Config& config, const std::string& topic) {
  allow("topic " + topic + " Write");
  Producer producer(producing(config));
  await([&] { return send_one(producer, topic); }, ErrorCode::none,
        {ErrorCode::topic_authorization_failed, ErrorCode::cluster_authorization_failed});
  for (int i = 1; i < records_each; ++i) {
    need(producer.send({.topic = topic, .value = std::to_string(i)}).get(), "send to " + topic);
  }
}

// Takes the records of the topic: each once and in order. Gives how many there are with these.
int counted(const millrace::Records& records, const std::string& topic, int count) {
  for (const RecordView record : records) {
    need(record.topic() == topic && record.value_text() == std::to_string(count),
         "another record came: " + std::string(record.value_text()));
    ++count;
  }
  return count;
}

// Polls until all records of the topic have come, and the other one was refused.
void expect_beside(Consumer& consumer, const std::string& topic, const std::string& refused) {
  int count = 0;
  bool is_refused = false;
  while (count < records_each || !is_refused) {
    const auto batch = consumer.poll(1s);
    if (batch) {
      count = counted(*batch, topic, count);
    } else {
      need_refusal(batch, ErrorCode::topic_authorization_failed, refused);
      is_refused = true;
    }
  }
}

// The same of one that was refused until now.
void expect_after_refusals(Consumer& consumer, const std::string& topic) {
  int count = 0;
  while (count < records_each) {
    const auto batch = consumer.poll(1s);
    if (batch) {
      count = counted(*batch, topic, count);
    } else {
      need(count == 0, "refused after records: " + batch.error().message());
      need_refusal(batch, ErrorCode::topic_authorization_failed, "");
    }
  }
}

Config earliest(const Config& config) {
  return config + Config{{"auto.offset.reset", "earliest"}, {"enable.auto.commit", "false"}};
}

void check_consumer(const Config& config, const std::string& open, const std::string& closed) {
  constexpr auto refusal = ErrorCode::topic_authorization_failed;
  const TopicPartition one{open, 0};
  Consumer consumer(earliest(config));
  need(consumer.assign({one}), "assign");
  // Again and again, and not once only.
  for (int i = 0; i < 3; ++i) need_refusal(consumer.poll(1h), refusal, open);
  need_refusal(consumer.position(one, 1h), refusal, open);
  need_refusal(consumer.beginning_offsets({one}, 1h), refusal, open);
  need_refusal(consumer.end_offsets({one}, 1h), refusal, open);
  need_refusal(consumer.offsets_for_times({{one, millrace::Timestamp(0ms)}}, 1h), refusal, open);
  // Who may write may ask for offsets, and not read.
  fill(config, open);
  await([&] { return consumer.position(one); }, ErrorCode::none, {refusal});
  need(consumer.end_offsets({one}).value().at(one) == records_each, "end_offsets");
  for (int i = 0; i < 3; ++i) need_refusal(consumer.poll(1h), refusal, open);
  allow("topic " + open + " Read");
  // The first refusals may be from before; nothing is missing after them.
  expect_after_refusals(consumer, open);

  // One of two, with a group and without; known to the one that asks, and not.
  allow("group " + open + "-group Read");
  const Config grouped = earliest(config) + Config{{"group.id", open + "-group"}};
  await([&] { return Consumer(grouped).committed({one}); }, ErrorCode::none,
        {ErrorCode::group_authorization_failed});
  for (const bool is_known : {false, true}) {
    if (is_known) {
      allow("topic " + closed + " Describe");
      await([&] { return consumer.end_offsets({{closed, 0}}); }, ErrorCode::none, {refusal});
    }
    for (const auto& by : {earliest(config), grouped}) {
      Consumer both(by);
      need(both.assign({one, {closed, 0}}), "assign");
      expect_beside(both, open, closed);
    }
  }
}

void check_group(const Config& config, const std::string& protocol, const std::string& open,
                 const std::string& closed) {
  const std::string group = open + "-group";
  const TopicPartition one{open, 0};
  const Config member =
      earliest(config) + Config{{"group.id", group}, {"group.protocol", protocol}};
  Consumer consumer(member);
  need(consumer.subscribe({open}), "subscribe");
  // Of the topic, too, which it may not see either.
  await([&] { return consumer.poll(1h); }, ErrorCode::topic_authorization_failed,
        {ErrorCode::group_authorization_failed});
  await([&] { return consumer.poll(1h); }, ErrorCode::group_authorization_failed,
        {ErrorCode::topic_authorization_failed});
  need_refusal(consumer.committed({one}, 1h), ErrorCode::group_authorization_failed, group);

  allow("group " + group + " Read");
  await([&] { return consumer.poll(1h); }, ErrorCode::topic_authorization_failed,
        {ErrorCode::group_authorization_failed});
  // No silence where the topic is unknown to it.
  for (int i = 0; i < 3; ++i)
    need_refusal(consumer.poll(1h), ErrorCode::topic_authorization_failed, "");
  fill(config, open);
  allow("topic " + open + " Read");
  expect_after_refusals(consumer, open);
  need(consumer.commit(), "commit");
  const auto refused = consumer.commit({{{closed, 0}, 1}});
  need_code(refused, ErrorCode::topic_authorization_failed, closed);
  need(consumer.committed({one}).value() == Offsets{{one, records_each}}, "what was committed");
  allow("remove topic " + open + " Read");
  await([&] { return consumer.commit({{one, 7}}); }, ErrorCode::topic_authorization_failed,
        {ErrorCode::none});
  need(consumer.close(), "close");

  allow("topic " + open + " Read");
  Consumer one_of_them(member);
  need(one_of_them.assign({one}), "assign");
  await([&] { return one_of_them.commit(Offsets{{one, 0}}); }, ErrorCode::none,
        {ErrorCode::topic_authorization_failed});
  need(one_of_them.close(), "close");
  if (protocol == "consumer") return;
  // One of two; a broker that assigns takes no member that may not see all of them.
  Consumer both(member);
  need(both.subscribe({closed, open}), "subscribe");
  expect_beside(both, open, closed);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const Config config{{"bootstrap.servers", arguments[1]}};
  const std::string what = arguments[2];
  const std::string open = what + "-open";
  const std::string closed = what + "-closed";
  if (what == "producer") {
    check_producer(config, open, closed);
  } else if (what == "transactions") {
    check_transactions(config, open, closed);
  } else if (what == "consumer") {
    check_consumer(config, open, closed);
  } else if (what == "classic" || what == "managed") {
    check_group(config, what == "classic" ? what : "consumer", open, closed);
  } else {
    return 2;
  }
  std::printf("well\n");
}
