// Uses the library as a module. Needs no broker.
#include <iostream>
#include <optional>

import millrace;

int main() {
  const millrace::Config config =
      millrace::ProducerConfig("localhost:9092") + millrace::Config{{"acks", "all"}};
  const auto number = millrace::int32().deserialize("123");
  if (number || config.get("acks") != "all") return 1;
  std::cout << "module door: " << number.error() << '\n';
  millrace::Producer producer(config);
  return producer.close() ? 0 : 1;
}
