// A service that waits for records in a coroutine and answers them in another topic:
// consume_coroutine BOOTSTRAP FROM TO COUNT. Nothing of it blocks a thread.
#include <millrace/millrace.hpp>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <future>
#include <iostream>
#include <string>

namespace {

// The smallest coroutine type; a framework of the application brings its own.
struct Background {
  struct promise_type {
    Background get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

Background answer(millrace::Consumer& consumer, millrace::Producer& producer, std::string to,
                  std::size_t wanted, std::promise<bool> done) {
  std::size_t answered = 0;
  while (answered < wanted) {
    auto batch = co_await consumer.next();
    if (!batch) {
      std::cerr << batch.error() << '\n';
      break;
    }
    for (const auto& record : *batch) {
      const std::string value = "answer to " + std::string(record.value_text());
      auto sent = co_await producer.send({.topic = to, .key = record.key(), .value = value});
      if (!sent) {
        std::cerr << sent.error() << '\n';
        done.set_value(false);
        co_return;
      }
      ++answered;
    }
    consumer.commit_async();
  }
  done.set_value(answered >= wanted);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) return 2;
  const std::string to = arguments[3];
  const millrace::Config config{{"bootstrap.servers", arguments[1]}};
  millrace::Producer producer(config);
  millrace::Consumer consumer(
      config + millrace::Config{{"group.id", "answers"}, {"auto.offset.reset", "earliest"}});
  consumer.subscribe({arguments[2]}).value();
  // On the producer's thread a topic that is not known yet is a failure: it cannot wait for itself.
  producer.partition_count(to, std::chrono::seconds(10)).value();
  std::promise<bool> promise;
  std::future<bool> done = promise.get_future();
  answer(consumer, producer, to, std::stoul(arguments[4]), std::move(promise));
  return done.get() ? 0 : 1;
}
