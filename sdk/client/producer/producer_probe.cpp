// For live_test.py: sends numbered records without a pause until its input ends, and says the
// outcome of each.
//   client_producer_probe BOOTSTRAP TOPIC [name=value...]
// pause=MS among the names and values: so long between 50 records and the next ones; without, 2.
// Lines: "delivered NUMBER PARTITION OFFSET", "failed NUMBER PERSISTENCE SENTENCE", at the end
// "sent COUNT memory PEAK".
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.runtime;

namespace millrace::client {
namespace {

// So that a test kills within some tens of thousands of records.
constexpr std::uint64_t records_between_looks = 50;
constexpr int pause_ms_without_word = 2;

void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(2);
}

class Printer final : public DeliverySink {
 public:
  void delivered(std::uint64_t token, const DeliveryReport& report) noexcept override {
    const auto number = static_cast<unsigned long long>(token);
    if (report.error == nullptr) {
      std::printf("delivered %llu %d %lld\n", number, report.partition.value(),
                  static_cast<long long>(report.offset.value()));
    } else {
      std::printf("failed %llu %d %s\n", number, static_cast<int>(report.error->persistence),
                  report.error->message.c_str());
    }
  }
};

bool ends_within(int pause_ms) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, pause_ms) != 0;
}

std::uint64_t send_all(ProducerClient& producer, std::string_view topic, Printer& printer,
                       int pause_ms) {
  std::uint64_t number = 0;
  while (!ends_within(pause_ms)) {
    for (std::uint64_t i = 0; i < records_between_looks; ++i, ++number) {
      const std::string value = std::to_string(number);
      const RecordToSend record{.topic = topic, .value = as_bytes(std::string_view(value))};
      if (auto sent = producer.send(record, &printer, number, FullBuffer::wait); !sent) {
        give_up(sent.error().message);
      }
    }
  }
  return number;
}

int produce(int count, char** words) {
  if (count < 3) give_up("usage: client_producer_probe BOOTSTRAP TOPIC [name=value...]");
  Properties properties = {{"bootstrap.servers", words[1]}};
  int pause_ms = pause_ms_without_word;
  for (int i = 3; i < count; ++i) {
    const std::string word = words[i];
    const auto at = word.find('=');
    if (word.substr(0, at) == "pause") {
      pause_ms = std::atoi(word.c_str() + at + 1);
      continue;
    }
    properties.emplace_back(word.substr(0, at), word.substr(at + 1));
  }
  const auto settings = producer_settings(properties);
  if (!settings) give_up(settings.error().front());
  std::setvbuf(stdout, nullptr, _IOLBF, 1 << 16);
  const SystemClock clock;
  const Logger log(make_stderr_log_sink(LogFormat::plain), "probe");
  ClientThread thread("producer", log);
  if (auto started = thread.start(); !started) give_up(started.error().message);
  std::unique_ptr<ProducerClient> producer;
  Printer printer;
  thread.run([&]() -> Task<bool> {
    producer =
        std::make_unique<ProducerClient>(*settings, thread.executor(), thread.mailbox(),
                                         thread.network(), thread.resolver(), log, Random(1));
    co_return true;
  });
  const std::uint64_t sent = send_all(*producer, words[2], printer, pause_ms);
  const std::size_t memory = thread.run([&]() -> Task<std::size_t> {
    co_await producer->close(clock.now() + std::chrono::minutes(1));
    const std::size_t peak = producer->metrics().memory_bytes_peak;
    producer.reset();
    co_return peak;
  });
  thread.stop();
  std::printf("sent %llu memory %zu\n", static_cast<unsigned long long>(sent), memory);
  return 0;
}

}  // namespace
}  // namespace millrace::client

int main(int count, char** words) {
  return millrace::client::produce(count, words);
}
