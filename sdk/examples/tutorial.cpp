// The pieces of docs/sdk/tutorial.md, which a test finds here word for word, run against a cluster
// in the process.
#include <poll.h>
#include <millrace/millrace.hpp>
#include <millrace/mock.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace {

using std::literals::chrono_literals::operator""s;
using std::literals::chrono_literals::operator""ms;

constexpr std::size_t orders_wanted = 10;
constexpr auto patience = 60s;

// A step that did not do what it says ends the program.
void expect(bool holds, std::string_view what) {
  if (!holds) throw std::runtime_error(std::string(what));
}

int send(const std::string& brokers) {
  // snippet
  millrace::Producer producer({{"bootstrap.servers", brokers}, {"acks", "all"}});
  auto sent = producer.send({.topic = "orders", .key = "alice", .value = "paid 200"}).get();
  if (!sent) {
    std::cerr << sent.error() << '\n';  // which partition, what the broker said, how many tries
    return 1;
  }
  std::cout << sent->partition << '@' << sent->offset << '\n';
  // end
  return 0;
}

// A group begins with what comes after it: there are orders until enough of them were handled.
void receive(const std::string& brokers) {
  std::atomic<bool> running = true;
  std::thread writer([&] {
    millrace::Producer producer({{"bootstrap.servers", brokers}});
    while (running) {
      producer.send({.topic = "orders", .key = "bob", .value = "paid 100"}).get().value();
      std::this_thread::sleep_for(1ms);
    }
  });
  std::size_t handled = 0;
  const auto handle = [&](std::string_view key, millrace::BytesView value, const auto& headers) {
    if (key == "bob" && !value.is_null() && headers.empty()) ++handled;
    if (handled == orders_wanted) running = false;
  };
  // snippet
  millrace::Consumer consumer({{"bootstrap.servers", brokers}, {"group.id", "billing"}});
  consumer.subscribe({"orders"}).value();
  while (running) {
    auto batch = consumer.poll(100ms);
    if (!batch) {
      std::cerr << batch.error() << '\n';
      continue;
    }
    for (const auto& record : *batch) handle(record.key_text(), record.value(), record.headers());
    consumer.commit_async();
  }
  // end
  writer.join();
  std::cout << "handled\n";
}

int copy(const millrace::Config& config, millrace::Consumer& consumer) {
  const auto enrich = [](const auto& record) { return std::string(record.value_text()) + "!"; };
  const auto fail = [](const millrace::Error& error) {
    std::cerr << error << '\n';
    return 1;
  };
  // snippet
  millrace::Producer producer(config + millrace::Config{{"transactional.id", "copy-1"}});
  producer.init_transactions().value();  // shuts out who had the id, and ends what that left open
  while (auto batch = consumer.poll(1s)) {
    auto transaction = producer.begin();  // aborts when it goes out of scope uncommitted
    for (const auto& record : *batch)
      transaction.add({.topic = "paid", .key = record.key(), .value = enrich(record)});
    auto done = transaction.send_offsets(consumer, *batch);
    if (done) done = transaction.commit();
    if (done) continue;
    if (done.error().is_fatal()) return fail(done.error());
    consumer.rewind(*batch).value();  // the same again, in another transaction
  }
  // end
  return 0;
}

int copy_all(millrace::mock::Cluster& cluster, const millrace::Config& config) {
  const std::size_t wanted = cluster.records({"orders", 0}).size();
  millrace::Consumer consumer(config + millrace::Config{{"group.id", "copiers"},
                                                        {"enable.auto.commit", "false"},
                                                        {"auto.offset.reset", "earliest"}});
  consumer.subscribe({"orders"}).value();
  bool are_copied = false;
  std::thread watcher([&] {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!are_copied && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(1ms);
      are_copied = cluster.committed_records({"paid", 0}).size() == wanted;
    }
    // The consumer may not read any more: its poll() fails.
    cluster.fail_next(millrace::Api::fetch, millrace::ErrorCode::topic_authorization_failed,
                      millrace::mock::always);
  });
  const int status = copy(config, consumer);
  watcher.join();
  cluster.clear_faults();
  expect(are_copied, "not all orders were copied");
  expect(cluster.committed_records({"paid", 0}).front().value == "paid 200!", "not enriched");
  std::cout << "copied\n";
  return status;
}

void administer(const std::string& brokers) {
  // snippet
  millrace::Admin admin({{"bootstrap.servers", brokers}});
  auto created = admin.create_topics({{.name = "bills",
                                       .partitions = 6,
                                       .replication_factor = 3,
                                       .configs = {{"cleanup.policy", "compact"}}}});
  for (const auto& [topic, outcome] : created.get())
    if (!outcome) std::cerr << topic << ": " << outcome.error() << '\n';
  // end
}

// snippet
struct Order {
  std::int64_t amount = 0;
  std::string item;

  template <class Self, class Fields>
  static void json_fields(Self& order, Fields& fields) {
    fields("amount", order.amount)("item", order.item);
  }
};
// end

void send_types(const millrace::Config& config) {
  // snippet
  millrace::TypedProducer<std::string, Order> orders(config, "bills", millrace::text(),
                                                     millrace::json<Order>());
  auto sent = orders.send("alice", Order{.amount = 200, .item = "book"}).get();
  // end
  expect(sent.has_value(), "the order was not sent");
}

void watch(const millrace::Config& config, millrace::Consumer& consumer) {
  bool running = true;
  std::size_t sent = 0;
  const auto handle = [&](const millrace::Result<millrace::Records>& batch,
                          millrace::Producer& producer) {
    for (const auto& record : batch.value())
      producer.send({.topic = "paid", .value = record.value()}, [&](const auto& outcome) {
        outcome.value();
        running = ++sent < orders_wanted;
      });
  };
  // snippet
  auto events = std::make_shared<millrace::EventQueue>();  // one for any number of clients
  millrace::Producer producer(config, {.events = events});
  pollfd watched[] = {{consumer.event_fd().value(), POLLIN, 0}, {events->event_fd(), POLLIN, 0}};
  while (running && ::poll(watched, 2, -1) >= 0) {
    if (watched[0].revents != 0) handle(consumer.poll(0ms), producer);
    events->dispatch();
  }
  // end
  std::cout << "watched\n";
}

class Tracing final : public millrace::ProducerInterceptor {
 public:
  void on_send(millrace::OutgoingRecord& record) override { record.add_header("trace", "1"); }
};

class Counting final : public millrace::ConsumerInterceptor {
 public:
  void on_consume(const millrace::Records& records) override { count += records.size(); }

  std::atomic<std::size_t> count = 0;
};

void extend(millrace::mock::Cluster& cluster, millrace::Producer& producer,
            millrace::Consumer& consumer) {
  std::size_t exported = 0;
  const auto export_to_mine = [&](const millrace::Metric& metric) {
    exported += metric.name.empty() ? 0 : 1;
  };
  // snippet
  producer.set_partitioner(
      [](const millrace::PartitionQuestion& of) -> std::optional<std::int32_t> {
        if (of.key.is_null()) return std::nullopt;  // as without a partitioner
        return static_cast<std::int32_t>(of.key.size()) % of.partition_count;
      });
  producer.add_interceptor(std::make_shared<Tracing>());   // on_send(), on_acknowledgement()
  consumer.add_interceptor(std::make_shared<Counting>());  // on_consume(), on_commit()
  if (auto metrics = producer.metrics())
    for (const millrace::Metric& metric : *metrics) export_to_mine(metric);
  // end
  producer.send({.topic = "bills", .key = "alice", .value = "x"}).get().value();
  const auto stored = cluster.records({"bills", 5});
  expect(!stored.empty() && stored.back().headers.size() == 1, "no record with its trace");
  expect(exported > 0, "there are no metrics");
}

void test_with_brokers() {
  // snippet
  millrace::mock::Cluster cluster({.brokers = 3});  // listens on free ports of this machine
  cluster.create_topic("orders", 6);
  cluster.fail_next(millrace::Api::produce, millrace::ErrorCode::not_leader_or_follower, 2);
  cluster.delay(millrace::Api::fetch, 50ms);
  millrace::Producer producer({{"bootstrap.servers", cluster.bootstrap()}});
  // end
  producer.send({.topic = "orders", .value = "x"}).get().value();
}

int run() {
  millrace::mock::Cluster cluster({.brokers = 3});
  cluster.create_topic("orders");
  cluster.create_topic("paid");
  const std::string& brokers = cluster.bootstrap();
  const millrace::Config config{{"bootstrap.servers", brokers}};
  if (send(brokers) != 0) return 1;
  receive(brokers);
  if (copy_all(cluster, config) != 0) return 1;
  administer(brokers);
  send_types(config);
  millrace::Consumer consumer(
      config + millrace::Config{{"group.id", "watchers"}, {"auto.offset.reset", "earliest"}});
  consumer.subscribe({"orders"}).value();
  watch(config, consumer);
  millrace::Producer producer(config);
  extend(cluster, producer, consumer);
  test_with_brokers();
  return 0;
}

}  // namespace

int main() {
  try {
    return run();
  } catch (const std::exception& failed) {
    std::cerr << failed.what() << '\n';
    return 1;
  }
}
