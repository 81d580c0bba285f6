// Copies records from one topic to another, each exactly once, however often it is killed and
// started again: copy_exactly_once BOOTSTRAP ID FROM TO COUNT. Ends when so many were copied.
#include <millrace/millrace.hpp>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <string>

int main(int count, char** arguments) {
  using namespace std::chrono_literals;
  if (count != 6) return 2;
  const millrace::Config config{{"bootstrap.servers", arguments[1]}};
  const std::string id = arguments[2];
  const std::string to = arguments[4];
  const std::size_t wanted = std::stoul(arguments[5]);

  millrace::Producer producer(config + millrace::Config{{"transactional.id", id}});
  // Shuts out who had the id before, and ends what that left open, before the group is asked how
  // far it is.
  if (auto taken = producer.init_transactions(); !taken) {
    std::cerr << taken.error() << '\n';
    return 1;
  }
  millrace::Consumer consumer(config + millrace::Config{{"group.id", id},
                                                        {"group.instance.id", id},
                                                        {"enable.auto.commit", "false"},
                                                        {"isolation.level", "read_committed"},
                                                        {"auto.offset.reset", "earliest"}});
  consumer.subscribe({arguments[3]}).value();

  for (std::size_t copied = 0; copied < wanted;) {
    auto batch = consumer.poll(1s);
    if (!batch) {
      std::cerr << batch.error() << '\n';
      if (batch.error().is_fatal()) return 1;
      continue;
    }
    if (batch->empty()) continue;
    auto transaction = producer.begin();  // aborts when it goes out of scope uncommitted
    for (const auto& record : *batch)
      transaction.add({.topic = to, .key = record.key(), .value = record.value()});
    auto done = transaction.send_offsets(consumer, *batch);
    if (done) done = transaction.commit();
    // Its time was up, and it goes on.
    while (!done && done.error().is_retriable()) done = transaction.commit();
    if (done) {
      copied += batch->size();
      std::cout << copied << std::endl;
      continue;
    }
    std::cerr << done.error() << '\n';
    if (done.error().is_fatal()) return 1;
    consumer.rewind(*batch).value();  // the same again, in another transaction
  }
}
