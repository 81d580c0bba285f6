// A service on poll(2), with one thread of its own: poll_loop BOOTSTRAP FROM TO COUNT. Copies
// records from one topic to another, and ends after COUNT.
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <millrace/millrace.hpp>
#include <string>

int main(int count, char** arguments) {
  using namespace std::chrono_literals;
  if (count != 5) return 2;
  const std::string to = arguments[3];
  const std::uint64_t wanted = std::stoull(arguments[4]);

  // Outcomes wait here until this thread takes them.
  const auto events = std::make_shared<millrace::EventQueue>();
  millrace::Producer producer({{"bootstrap.servers", arguments[1]}}, {.events = events});
  millrace::Consumer consumer({{"bootstrap.servers", arguments[1]},
                               {"group.id", "poll-loop"},
                               {"auto.offset.reset", "earliest"}});
  const auto arrivals = consumer.event_fd();
  if (!arrivals || !consumer.subscribe({arguments[2]})) return 1;

  std::uint64_t copied = 0;
  while (copied < wanted) {
    std::array<pollfd, 2> watched{{{*arrivals, POLLIN, 0}, {events->event_fd(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0 && errno != EINTR) return 1;
    if (watched[0].revents != 0) {
      // It has something for us: this does not wait.
      auto batch = consumer.poll(0ms);
      if (!batch) {
        std::cerr << batch.error() << '\n';
        continue;
      }
      for (const auto& record : *batch)
        producer.send({.topic = to, .key = record.key(), .value = record.value()},
                      [&](const millrace::Result<millrace::Delivery>& sent) {
                        if (!sent) std::cerr << sent.error() << '\n';
                        copied += sent ? 1 : 0;
                      });
    }
    events->dispatch();
  }
  std::cout << copied << " copied\n";
  return 0;
}
