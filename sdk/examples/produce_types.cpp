// Types instead of bytes: produce_types BOOTSTRAP TOPIC.
#include <millrace/millrace.hpp>

#include <cstdint>
#include <iostream>
#include <string>

namespace {

struct Order {
  std::int64_t amount = 0;
  std::string item;

  template <class Self, class Fields>
  static void json_fields(Self& order, Fields& fields) {
    fields("amount", order.amount)("item", order.item);
  }
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const millrace::Config config{{"bootstrap.servers", arguments[1]}};
  millrace::TypedProducer<std::string, Order> orders(config, arguments[2], millrace::text(),
                                                     millrace::json<Order>());
  auto sent = orders.send("alice", Order{.amount = 200, .item = "book"}).get();
  if (!sent) {
    std::cerr << sent.error() << '\n';
    return 1;
  }
  std::cout << sent->partition << '@' << sent->offset << '\n';
}
