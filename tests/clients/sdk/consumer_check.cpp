// What a consumer offers, against a cluster that is running:
//   sdk_consumer_check BOOTSTRAP PREFIX
// Makes topics and groups whose names begin with PREFIX, which has none yet. Says what was wrong
// and ends with 1.
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <future>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "check.hpp"
#include "millrace/millrace.hpp"

namespace {

using namespace std::chrono_literals;
using millrace::Config;
using millrace::Consumer;
using millrace::Offsets;
using millrace::Producer;
using millrace::Records;
using millrace::RecordView;
using millrace::Result;
using millrace::Timestamp;
using millrace::TopicPartition;
using millrace_check::need;
using Values = std::vector<std::string>;

constexpr int records_each = 10;
constexpr Timestamp first_time{1'700'000'000'000ms};

// Without retention: the records say that they are years old.
void create(const Config& config, const std::string& topic, std::int32_t partitions) {
  millrace::Admin admin(config);
  const auto created = admin
                           .create_topics({{.name = topic,
                                            .partitions = partitions,
                                            .replication_factor = std::int16_t{1},
                                            .configs = {{"retention.ms", "-1"}}}})
                           .get();
  for (const auto& [name, outcome] : created) need(outcome, "creation of " + name);
}

// Records "0" to "9" into the partition, a second apart.
void fill(const Config& config, const TopicPartition& to) {
  Producer producer(config);
  for (int i = 0; i < records_each; ++i)
    need(producer
             .send({.topic = to.topic,
                    .value = std::to_string(i),
                    .partition = to.partition,
                    .timestamp = first_time + i * 1s})
             .get(),
         "send to " + to.topic);
}

Config earliest(const Config& config) {
  return config + Config{{"auto.offset.reset", "earliest"}};
}

Config member_of(const Config& config, const std::string& group) {
  return earliest(config) + Config{{"group.id", group}, {"enable.auto.commit", "false"}};
}

Values numbers(int first) {
  Values values;
  for (int i = first; i < records_each; ++i) values.push_back(std::to_string(i));
  return values;
}

// Reads on until so many have come; of one partition only.
void expect(Consumer& consumer, const TopicPartition& from, const Values& wanted,
            const std::string& when) {
  Values found;
  while (found.size() < wanted.size()) {
    const auto batch = consumer.poll(1s);
    need(batch, "poll " + when);
    for (const RecordView record : *batch) {
      need(record.topic() == from.topic && record.partition() == from.partition,
           "records of another partition came " + when);
      found.emplace_back(record.value_text());
    }
  }
  need(found == wanted, "other records came " + when);
}

void check_places(const Config& config, const std::string& topic) {
  const TopicPartition one{topic, 0};
  const TopicPartition other{topic, 1};
  Consumer consumer(earliest(config));
  const auto expect_position = [&](std::int64_t wanted, const std::string& when) {
    const auto position = consumer.position(one);
    need(position, "position " + when);
    need(*position == wanted, "the position is " + std::to_string(*position) + " " + when);
  };
  need(consumer.assign({one, other}), "assign");
  need(consumer.pause({other}), "pause");
  need(consumer.paused().value() == std::vector{other}, "paused() tells of others");
  expect(consumer, one, numbers(0), "while the other one is paused");
  expect_position(records_each, "when all was read");
  need(consumer.poll(1s).value().empty(), "a paused partition gave records");
  need(consumer.pause({one}), "pause");
  need(consumer.resume({other}), "resume");
  expect(consumer, other, numbers(0), "after resume");
  need(consumer.resume({one}), "resume");

  need(consumer.seek(one, 7), "seek");
  expect_position(7, "after seek");
  expect(consumer, one, numbers(7), "after seek");
  need(consumer.seek_to_beginning(one), "seek_to_beginning");
  expect_position(0, "after seek_to_beginning");
  expect(consumer, one, numbers(0), "after seek_to_beginning");
  need(consumer.seek(one, 2), "seek");
  need(consumer.seek_to_end(one), "seek_to_end");
  expect_position(records_each, "after seek_to_end");
  need(consumer.poll(1s).value().empty(), "records came after seek_to_end");
  need(consumer.seek_to_time(one, first_time + 8s), "seek_to_time");
  expect(consumer, one, numbers(8), "after seek_to_time");

  need(consumer.beginning_offsets({one, other}).value() == Offsets{{one, 0}, {other, 0}},
       "beginning_offsets gives others");
  need(consumer.end_offsets({one, other}).value() ==
           Offsets{{one, records_each}, {other, records_each}},
       "end_offsets gives others");
  // The first one between two records, the other one after all.
  const auto found = consumer.offsets_for_times(
      {{one, first_time + 4500ms}, {other, first_time + records_each * 1s}});
  need(found, "offsets_for_times");
  need(found->at(one).offset == 5 && found->at(one).timestamp == first_time + 5s,
       "offsets_for_times found offset " + std::to_string(found->at(one).offset));
  need(!found->contains(other) || found->at(other).offset == -1,
       "offsets_for_times found a record after the last one");
}

void check_commits(const Config& config, const std::string& topic, const std::string& group) {
  const TopicPartition one{topic, 0};
  const TopicPartition other{topic, 1};
  {
    Consumer consumer(member_of(config, group));
    need(consumer.subscribe({topic}), "subscribe");
    for (std::size_t count = 0; count < 2 * records_each;) {
      const auto batch = consumer.poll(1s);
      need(batch, "poll of a member");
      count += batch->size();
    }
    need(consumer.committed({one, other}).value().empty(), "something is committed already");
    std::promise<Result<void>> done;
    consumer.commit_async([&](const Result<void>& outcome) { done.set_value(outcome); });
    need(done.get_future().get(), "commit_async");
    need(consumer.committed({one, other}).value() ==
             Offsets{{one, records_each}, {other, records_each}},
         "committed() gives others after commit_async");
    need(consumer.commit({{one, 6}}), "commit of offsets");
  }
  Consumer next(member_of(config, group));
  need(next.subscribe({topic}), "subscribe");
  expect(next, one, numbers(6), "after what was committed");
}

void check_event_fd(const Config& config, const std::string& topic) {
  Consumer consumer(earliest(config));
  const auto arrivals = consumer.event_fd();
  need(arrivals, "event_fd");
  need(consumer.assign({{topic, 0}, {topic, 1}}), "assign");
  for (std::size_t count = 0; count < 2 * records_each;) {
    pollfd watched{*arrivals, POLLIN, 0};
    need(::poll(&watched, 1, -1) >= 0 || errno == EINTR, "poll(2)");
    const auto batch = consumer.poll(0ms);
    need(batch, "poll without time");
    count += batch->size();
  }
}

void check_pattern(const Config& config, const std::string& prefix) {
  const TopicPartition first{prefix + "-matched-first", 0};
  const TopicPartition late{prefix + "-matched-late", 0};
  const TopicPartition no_match{prefix + "-not-matched", 0};
  for (const auto& each : {first, no_match}) {
    create(config, each.topic, 1);
    fill(config, each);
  }
  Consumer consumer(member_of(config, prefix + "-pattern") +
                    Config{{"metadata.max.age.ms", "1000"}});
  need(consumer.subscribe_pattern(prefix + "-matched-.*"), "subscribe_pattern");
  expect(consumer, first, numbers(0), "by a pattern");
  // The rebalance to come goes on where it was committed.
  need(consumer.commit(), "commit");
  create(config, late.topic, 1);
  fill(config, late);
  expect(consumer, late, numbers(0), "of a topic that came after the subscription");
  const auto assigned = consumer.assignment().value();
  need(std::set(assigned.begin(), assigned.end()) == std::set{first, late},
       "the pattern matches others");
}

// A member by an id that stays; counts what it is told.
struct StaticMember {
  StaticMember(const Config& config, const std::string& topic, const std::string& group,
               const std::string& id)
      : consumer(member_of(config, group) +
                 Config{{"group.instance.id", id},
                        {"session.timeout.ms", "300000"},  // longer than it is away
                        {"partition.assignment.strategy", "range"}}) {
    consumer.on_assigned([this](const std::vector<TopicPartition>&) { ++rebalances; })
        .on_revoked([this](const std::vector<TopicPartition>&) { ++rebalances; });
    need(consumer.subscribe({topic}), "subscribe");
  }
  StaticMember(const StaticMember&) = delete;
  StaticMember& operator=(const StaticMember&) = delete;

  [[nodiscard]] std::vector<TopicPartition> poll() {
    need(consumer.poll(100ms), "poll of a static member");
    return consumer.assignment().value();
  }

  int rebalances = 0;
  Consumer consumer;
};

void check_static_members(const Config& config, const std::string& topic,
                          const std::string& group) {
  StaticMember stays(config, topic, group, "stays");
  std::vector<TopicPartition> owned;
  std::int32_t generation = 0;
  {
    StaticMember goes(config, topic, group, "goes");
    while (owned.size() != 1 || stays.poll().size() != 1) owned = goes.poll();
    generation = goes.consumer.membership().value().generation;
    need(goes.consumer.close(), "close of a static member");
  }
  const int rebalances = stays.rebalances;
  const auto kept = stays.poll();
  need(kept.size() == 1 && kept != owned, "a partition moved when a static member went");

  StaticMember comes(config, topic, group, "goes");
  std::vector<TopicPartition> got;
  while (got.empty()) {
    got = comes.poll();
    static_cast<void>(stays.poll());
  }
  need(got == owned, "a static member that came back has other partitions");
  need(comes.consumer.membership().value().generation == generation &&
           stays.consumer.membership().value().generation == generation,
       "the group has another generation because a static member came back");
  need(stays.poll() == kept && stays.rebalances == rebalances,
       "others heard of a static member that came back");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const Config config{{"bootstrap.servers", arguments[1]}};
  const std::string prefix = arguments[2];
  const std::string topic = prefix + "-filled";
  create(config, topic, 2);
  fill(config, {topic, 0});
  fill(config, {topic, 1});
  check_places(config, topic);
  check_commits(config, topic, prefix + "-commits");
  check_event_fd(config, topic);
  check_pattern(config, prefix);
  check_static_members(config, topic, prefix + "-static");
  std::printf("well\n");
}
