// Uses the library by its header. Needs no broker.
#include <millrace/millrace.hpp>

#include <iostream>

int main() {
  const millrace::Config config =
      millrace::ProducerConfig("localhost:9092") + millrace::Config{{"acks", "all"}};
  const auto number = millrace::int32().deserialize("123");
  if (number || config.get("acks") != "all") return 1;
  std::cout << "header door: " << number.error() << '\n';
}
