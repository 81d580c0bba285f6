// Uses the library by its header. Needs no broker.
#include <millrace/millrace.hpp>

#include <iostream>
#include <string>

namespace {

struct Order {
  std::int64_t amount = 0;

  template <class Self, class Fields>
  static void json_fields(Self& order, Fields& fields) {
    fields("amount", order.amount);
  }
};

// Compiled, not called: it would need a broker.
[[maybe_unused]] void send_order(const millrace::Config& config) {
  millrace::TypedProducer<std::string, Order> orders(config, "orders", millrace::text(),
                                                     millrace::json<Order>());
  orders.send("alice", Order{.amount = 200}).get().value();
  orders.producer().send({.topic = "orders", .key = "alice", .headers = {{"trace", "1"}}},
                         [](const millrace::Result<millrace::Delivery>& sent) { sent.value(); });
}

}  // namespace

int main() {
  const millrace::Config config =
      millrace::ProducerConfig("localhost:9092") + millrace::Config{{"acks", "all"}};
  const auto order = millrace::json<Order>().deserialize(R"({"amount":"much"})");
  if (order || config.get("acks") != "all") return 1;
  try {
    const millrace::Producer producer({{"bootstrap.servers", "localhost:9092"}, {"lingerms", "5"}});
    return 1;
  } catch (const millrace::Failed& failed) {
    std::cout << "header door: " << failed.error() << "; " << order.error() << '\n';
  }
  // A thread of the library starts and ends.
  millrace::Producer producer(config);
  return producer.close() ? 0 : 1;
}
