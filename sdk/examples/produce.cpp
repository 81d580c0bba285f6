// Sends one record and says where it is now: produce BOOTSTRAP TOPIC.
#include <millrace/millrace.hpp>

#include <iostream>

int main(int count, char** arguments) {
  if (count != 3) return 2;
  millrace::Producer producer({{"bootstrap.servers", arguments[1]}, {"acks", "all"}});
  auto sent = producer.send({.topic = arguments[2], .key = "alice", .value = "paid 200"}).get();
  if (!sent) {
    std::cerr << sent.error() << '\n';
    return 1;
  }
  std::cout << sent->partition << '@' << sent->offset << '\n';
}
