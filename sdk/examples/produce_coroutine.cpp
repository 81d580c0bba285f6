// A coroutine that sends one record after the other, each when the one before is there:
// produce_coroutine BOOTSTRAP TOPIC. It goes on on the producer's thread.
#include <millrace/millrace.hpp>

#include <coroutine>
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

Background send_three(millrace::Producer& producer, std::string topic, std::promise<bool> done) {
  for (int number = 1; number <= 3; ++number) {
    const std::string value = "step " + std::to_string(number);
    auto sent = co_await producer.send({.topic = topic, .key = "steps", .value = value});
    if (!sent) {
      std::cerr << sent.error() << '\n';
      done.set_value(false);
      co_return;
    }
    std::cout << value << " at " << sent->offset << '\n';
  }
  done.set_value(true);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  millrace::Producer producer({{"bootstrap.servers", arguments[1]}});
  // On the producer's thread a topic that is not known yet is a failure: it cannot wait for itself.
  if (auto known = producer.partition_count(arguments[2], std::chrono::seconds(10)); !known) {
    std::cerr << known.error() << '\n';
    return 1;
  }
  std::promise<bool> promise;
  std::future<bool> done = promise.get_future();
  send_three(producer, arguments[2], std::move(promise));
  return done.get() ? 0 : 1;
}
