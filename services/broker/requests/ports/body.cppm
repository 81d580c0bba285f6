// Bodies of messages as bytes: those that were encoded elsewhere and are passed on as they are.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

export module millrace.broker.requests.ports:body;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.wire;

export namespace millrace::broker {

// The body of a message without records.
template <class Message>
[[nodiscard]] Result<std::vector<std::byte>, protocol::EncodeError> encode_body(
    const Message& message, std::int16_t version) {
  const protocol::MeasureResult size = measure(message, version);
  if (!size) return failure(size.error());
  check(size->splices == 0, "a message that is passed on as bytes holds no records");
  std::vector<std::byte> bytes(size->inline_bytes);
  protocol::Writer writer(bytes, {});
  write(message, version, writer);
  return bytes;
}

}  // namespace millrace::broker
