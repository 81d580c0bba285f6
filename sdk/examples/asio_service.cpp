// A service on Asio, with one thread of its own: asio_service BOOTSTRAP QUESTIONS ANSWERS COUNT.
// Answers records of one topic in another, and ends after COUNT. Asio waits for the descriptors of
// the clients, and all that they call runs on its thread.
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <millrace/millrace.hpp>
#include <string>
#include <utility>

namespace asio = boost::asio;

class Service {
 public:
  Service(const char* bootstrap, std::string answers, std::uint64_t count)
      : producer_({{"bootstrap.servers", bootstrap}}, {.events = events_}),
        consumer_({{"bootstrap.servers", bootstrap},
                   {"group.id", "asio-service"},
                   {"auto.offset.reset", "earliest"}}),
        answers_(std::move(answers)),
        left_(count) {}

  bool run(const char* questions) {
    const auto arrivals = consumer_.event_fd();
    if (!arrivals || !consumer_.subscribe({questions})) return false;
    const auto rethrow = [](std::exception_ptr thrown) {
      if (thrown) std::rethrow_exception(thrown);
    };
    asio::co_spawn(loop_, when_readable(*arrivals, [this] { consume(); }), rethrow);
    asio::co_spawn(loop_, when_readable(events_->event_fd(), [this] { events_->dispatch(); }),
                   rethrow);
    loop_.run();
    return true;
  }

 private:
  // Asio closes what it waits for: it gets a descriptor of its own.
  template <class Act>
  asio::awaitable<void> when_readable(int descriptor, Act act) {
    using Descriptor = asio::posix::stream_descriptor;
    Descriptor watched(loop_, ::dup(descriptor));
    for (;;) {
      co_await watched.async_wait(Descriptor::wait_read, asio::use_awaitable);
      act();
    }
  }
  void consume() {
    // It has something for us: this does not wait.
    const auto batch = consumer_.poll(std::chrono::milliseconds(0));
    if (!batch) {
      std::cerr << batch.error() << '\n';
      return;
    }
    for (const auto& question : *batch)
      producer_.send(
          {.topic = answers_, .value = "answer to " + std::string(question.value_text())},
          [this](const millrace::Result<millrace::Delivery>& sent) { answered(sent); });
  }
  void answered(const millrace::Result<millrace::Delivery>& sent) {
    if (!sent) std::cerr << sent.error() << '\n';
    if (left_ > 0 && --left_ == 0) loop_.stop();
  }

  asio::io_context loop_;
  std::shared_ptr<millrace::EventQueue> events_ = std::make_shared<millrace::EventQueue>();
  millrace::Producer producer_;
  millrace::Consumer consumer_;
  std::string answers_;
  std::uint64_t left_;
};

int main(int count, char** arguments) {
  if (count != 5) return 2;
  Service service(arguments[1], arguments[3], std::stoull(arguments[4]));
  return service.run(arguments[2]) ? 0 : 1;
}
