// Prints the records of a topic as a member of a group, as many as asked for: consume BOOTSTRAP
// GROUP TOPIC COUNT.
#include <millrace/millrace.hpp>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <string>

int main(int count, char** arguments) {
  using namespace std::chrono_literals;
  if (count != 5) return 2;
  const std::size_t wanted = std::stoul(arguments[4]);
  millrace::Consumer consumer({{"bootstrap.servers", arguments[1]},
                               {"group.id", arguments[2]},
                               {"auto.offset.reset", "earliest"}});
  consumer.subscribe({arguments[3]}).value();
  for (std::size_t received = 0; received < wanted;) {
    auto batch = consumer.poll(100ms);
    if (!batch) {
      std::cerr << batch.error() << '\n';
      if (batch.error().is_retriable()) continue;
      return 1;
    }
    for (const auto& record : *batch) {  // views, valid while `batch` lives
      std::cout << record.partition() << '@' << record.offset() << ' ' << record.key_text() << '='
                << record.value_text() << '\n';
    }
    received += batch->size();
    consumer.commit_async();
  }
}  // the destructor commits and leaves the group
