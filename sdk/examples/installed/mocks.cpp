// A test of a program of one's own: with brokers in the process, and with clients that need none.
#include <millrace/millrace.hpp>
#include <millrace/mock.hpp>

#include <iostream>

namespace {

template <millrace::ProducerLike Producer>
millrace::Result<millrace::Delivery> greet(Producer& producer) {
  return producer.send({.topic = "greetings", .key = "alice", .value = "hello"}).get();
}

}  // namespace

int main() {
  millrace::mock::Cluster cluster;
  cluster.create_topic("greetings");
  cluster.fail_next(millrace::Api::produce, millrace::ErrorCode::not_leader_or_follower);
  millrace::Producer real({{"bootstrap.servers", cluster.bootstrap()}});
  millrace::MockProducer mock;
  const auto sent = greet(real);
  if (!sent || !greet(mock)) return 1;
  try {
    cluster.delete_topic("greeting");
    return 1;
  } catch (const millrace::Failed& failed) {  // thrown by one library, known by the other
    std::cout << "mocks: " << cluster.records({"greetings", sent->partition}).at(0).value.value()
              << ", " << mock.history().at(0).value.value() << "; " << failed.error() << '\n';
  }
}
