// The pieces of docs/sdk/from-librdkafka.md, which a test finds here word for word, run against a
// cluster in the process.
#include <millrace/millrace.hpp>
#include <millrace/mock.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <future>
#include <iostream>
#include <string>

namespace {

void configure(const std::string& brokers) {
  // snippet
  const millrace::Config config{{"bootstrap.servers", brokers}, {"acks", "all"}};
  millrace::Result<millrace::Producer> producer = millrace::Producer::open(config);
  if (!producer) std::cerr << producer.error() << '\n';  // all problems at once
  // end
}

void produce(const millrace::Config& config) {
  using namespace std::chrono_literals;
  // snippet
  millrace::Producer producer(config);
  producer.send(
      {.topic = "orders", .key = "alice", .value = "paid 200", .headers = {{"trace", "1"}}},
      [](const millrace::Result<millrace::Delivery>& sent) {
        if (!sent) std::cerr << sent.error() << '\n';
      });
  producer.flush(10s).value();
  // end
}

void produce_and_wait(millrace::Producer& producer) {
  // snippet
  auto sent = producer.send({.topic = "orders", .value = "paid 200"}).get();
  if (sent) std::cout << sent->partition << '@' << sent->offset << '\n';
  // end
}

void post(millrace::Producer& producer) {
  // snippet
  producer.on_delivery([](std::uint64_t tag, const millrace::Result<millrace::Delivery>& outcome) {
    if (!outcome) std::cerr << "record " << tag << ": " << outcome.error() << '\n';
  });
  for (std::uint64_t tag = 0; tag < 1000; ++tag)
    if (auto taken = producer.post({.topic = "orders", .value = "x"}, tag); !taken)
      std::cerr << taken.error() << '\n';
  // end
}

// snippet
// Goes on by itself when there is room again.
void post_all(millrace::Producer& producer, std::uint64_t tag, std::uint64_t end) {
  for (; tag < end; ++tag) {
    const millrace::Record record{.topic = "orders", .value = "x"};
    const auto taken = producer.post(record, tag, millrace::WhenFull::fail);
    if (taken) continue;
    if (taken.error().origin() != millrace::Origin::client) {  // not for want of room
      std::cerr << taken.error() << '\n';
      return;
    }
    producer.when_room(record).then([&producer, tag, end](const millrace::Result<void>& room) {
      if (room) post_all(producer, tag, end);
    });
    return;
  }
}
// end

// Has room for a small part of them.
bool post_without_waiting(const millrace::Config& config) {
  using namespace std::chrono_literals;
  constexpr std::uint64_t count = 5000;
  millrace::Producer producer(config + millrace::Config{{"buffer.memory", "32768"}});
  producer.partition_count("orders", 10s).value();
  std::atomic<std::uint64_t> delivered = 0;
  std::promise<void> all;
  producer.on_delivery([&](std::uint64_t, const millrace::Result<millrace::Delivery>& outcome) {
    if (outcome && ++delivered == count) all.set_value();
  });
  post_all(producer, 0, count);
  return all.get_future().wait_for(60s) == std::future_status::ready;
}

std::size_t consume(millrace::Consumer& consumer, std::size_t wanted) {
  using namespace std::chrono_literals;
  std::size_t received = 0;
  consumer.subscribe({"orders"}).value();
  while (received < wanted) {
    // snippet
    auto batch = consumer.poll(100ms);
    if (!batch) {
      std::cerr << batch.error() << '\n';
    } else {
      for (const auto& record : *batch)
        std::cout << record.partition() << '@' << record.offset() << ' ' << record.value_text()
                  << '\n';
      consumer.commit_async();
    }
    // end
    if (batch) received += batch->size();
  }
  return received;
}

void rebalance(millrace::Consumer& consumer) {
  // snippet
  consumer.on_assigned(
      [](const auto& partitions) { std::cout << "+" << partitions.size() << '\n'; });
  consumer.on_revoked([&consumer](const auto&) {
    if (auto done = consumer.commit(); !done) std::cerr << done.error() << '\n';
  });
  consumer.subscribe({"orders"}).value();
  // end
}

void read_without_a_group(millrace::Consumer& consumer) {
  // snippet
  consumer.assign({{"orders", 0}}).value();
  consumer.seek({"orders", 0}, 42).value();
  // end
}

void administer(const millrace::Config& config) {
  // snippet
  millrace::Admin admin(config);
  for (const auto& [topic, outcome] :
       admin.create_topics({{.name = "bills", .partitions = 6}}).get())
    if (!outcome) std::cerr << topic << ": " << outcome.error() << '\n';
  // end
}

void test_with_brokers() {
  // snippet
  millrace::mock::Cluster cluster({.brokers = 3});
  cluster.create_topic("orders", 6);
  cluster.fail_next(millrace::Api::produce, millrace::ErrorCode::not_leader_or_follower, 2);
  millrace::Producer producer({{"bootstrap.servers", cluster.bootstrap()}});
  // end
  producer.send({.topic = "orders", .value = "x"}).get().value();
}

}  // namespace

int main() {
  using namespace std::chrono_literals;
  millrace::mock::Cluster cluster;
  cluster.create_topic("orders");
  const millrace::Config config{{"bootstrap.servers", cluster.bootstrap()}};
  const millrace::Config reading =
      config + millrace::Config{{"group.id", "readers"}, {"auto.offset.reset", "earliest"}};
  configure(cluster.bootstrap());
  produce(config);
  millrace::Producer producer(config);
  post(producer);
  produce_and_wait(producer);
  producer.flush(10s).value();
  const std::size_t stored = cluster.records({"orders", 0}).size();
  millrace::Consumer consumer(reading);
  rebalance(consumer);
  if (consume(consumer, stored) != 1002) return 1;
  millrace::Consumer alone(config);
  read_without_a_group(alone);
  administer(config);
  test_with_brokers();
  if (!post_without_waiting(config)) return 1;
}
