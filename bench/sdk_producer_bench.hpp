// What the clients of sdk_producer_bench have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace millrace::bench {

struct ProducerLoad {
  std::string bootstrap = {};
  std::string topic = {};
  std::uint64_t records = 0;
  std::size_t record_bytes = 0;
  std::string batch_bytes;
  std::string linger_ms;
  std::string acks;
  bool has_callbacks = true;
};

// False where this build has no librdkafka. Ends the program when a record is not delivered.
[[nodiscard]] bool has_librdkafka();
void produce_with_librdkafka(const ProducerLoad& load);

}  // namespace millrace::bench
