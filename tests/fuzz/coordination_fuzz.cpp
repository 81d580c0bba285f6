// What a wrong broker sends to a coordinator, or a wrong coordinator to a broker: a message or an
// error. What was read can be written and read again.
#include <cstddef>
#include <cstdint>

import millrace.base;
import millrace.ipc.coordination;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  if (const auto message = coordination::decode_to_coordinator(bytes)) {
    check(coordination::decode_to_coordinator(coordination::encode(*message)).has_value(),
          "what was read can be written and read again");
  }
  if (const auto message = coordination::decode_to_broker(bytes)) {
    check(coordination::decode_to_broker(coordination::encode(*message)).has_value(),
          "what was read can be written and read again");
  }
  return 0;
}
