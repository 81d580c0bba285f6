// A program and its tests, which need no broker: the program's functions take any producer and
// consumer, and brokers that live within the test fail when they are told to.
#include <millrace/millrace.hpp>
#include <millrace/mock.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

namespace {

// --- The program: for each order it sends a bill. ---

template <millrace::ConsumerLike Consumer, millrace::ProducerLike Producer>
millrace::Result<void> bill_orders(Consumer& consumer, Producer& producer) {
  auto orders = consumer.poll(std::chrono::seconds(1));
  if (!orders) return orders.error();
  for (const auto& order : *orders) {
    const std::string bill = "bill for " + std::string(order.value_text());
    auto sent = producer.send({.topic = "bills", .key = order.key(), .value = bill}).get();
    if (!sent) return sent.error();
  }
  return consumer.commit();
}

// --- Its tests. ---

void expect(bool holds, const char* what) {
  std::cout << (holds ? "passed: " : "FAILED: ") << what << '\n';
  if (!holds) std::exit(1);
}

void each_order_is_billed_once() {
  millrace::MockConsumer consumer;
  millrace::MockProducer producer;
  consumer.subscribe({"orders"}).value();
  consumer.rebalance({{"orders", 0}});
  consumer.add_record({.topic = "orders", .key = "alice", .value = "book"});
  const bool is_billed = bill_orders(consumer, producer).has_value();
  expect(is_billed && producer.history().at(0).value == "bill for book", "an order is billed");
  expect(consumer.committed_offsets().at({"orders", 0}) == 1, "and committed");
}

void an_order_whose_bill_fails_is_not_committed() {
  millrace::MockConsumer consumer;
  millrace::MockProducer producer;
  consumer.assign({{"orders", 0}}).value();
  consumer.add_record({.topic = "orders", .key = "alice", .value = "book"});
  producer.refuse_next(millrace::Error({.code = millrace::ErrorCode::topic_authorization_failed},
                                       "bills: not allowed"));
  expect(!bill_orders(consumer, producer), "a bill that fails is told of");
  expect(consumer.commits().empty(), "and its order is not committed");
}

// The real clients, and what they do when brokers misbehave.
void bills_survive_a_broker() {
  millrace::mock::Cluster cluster({.brokers = 3});
  cluster.create_topic("orders", {.replication_factor = 3});
  cluster.create_topic("bills", {.replication_factor = 3});
  cluster.append({"orders", 0}, {.topic = "orders", .key = "alice", .value = "book"});
  const millrace::Config config{{"bootstrap.servers", cluster.bootstrap()}};
  millrace::Consumer consumer(
      config + millrace::Config{{"group.id", "billing"}, {"auto.offset.reset", "earliest"}});
  millrace::Producer producer(config);
  consumer.subscribe({"orders"}).value();
  cluster.fail_next(millrace::Api::produce, millrace::ErrorCode::not_leader_or_follower, 2);
  cluster.kill_broker(cluster.leader({"bills", 0}));
  while (cluster.records({"bills", 0}).empty())
    if (auto billed = bill_orders(consumer, producer); !billed) std::cerr << billed.error() << '\n';
  expect(cluster.records({"bills", 0}).size() == 1, "a broker dies, and the order is billed once");
}

}  // namespace

int main() {
  each_order_is_billed_once();
  an_order_whose_bill_fails_is_not_committed();
  bills_survive_a_broker();
}
