// Sends many records and counts their outcomes: produce_many BOOTSTRAP TOPIC COUNT. Nothing is kept
// for each of them: the outcome comes to one handler, with the number that the record was sent
// with.
#include <millrace/millrace.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

int main(int count, char** arguments) {
  using namespace std::chrono_literals;
  if (count != 4) return 2;
  const std::string topic = arguments[2];
  const std::uint64_t records = std::stoull(arguments[3]);

  millrace::Producer producer(millrace::ProducerConfig(arguments[1])
                                  .acks(millrace::Acks::all)
                                  .compression(millrace::Compression::lz4)
                                  .linger(5ms));
  std::atomic<std::uint64_t> delivered = 0;
  producer.on_delivery([&](std::uint64_t tag, const millrace::Result<millrace::Delivery>& outcome) {
    if (outcome)
      ++delivered;
    else
      std::cerr << "record " << tag << ": " << outcome.error() << '\n';
  });
  for (std::uint64_t tag = 0; tag < records; ++tag) {
    // Waits while buffer.memory is full, for max.block.ms at the most.
    const std::string value = "value " + std::to_string(tag);
    if (auto taken = producer.post({.topic = topic, .value = value}, tag); !taken) {
      std::cerr << taken.error() << '\n';
      return 1;
    }
  }
  if (auto flushed = producer.flush(30s); !flushed) std::cerr << flushed.error() << '\n';
  std::cout << delivered << " of " << records << " delivered\n";
  return delivered == records ? 0 : 1;
}
