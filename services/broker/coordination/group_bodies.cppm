// Messages about groups, taken apart and put together again. For the files of GroupAccess.
module;
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

module millrace.broker.coordination:group_bodies;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.wire;

namespace millrace::broker {

template <class T>
protocol::Array<T> view_of(const std::vector<T>& items) {
  return protocol::Array<T>(std::span<const T>(items));
}
template <class T>
std::vector<T> copy_of(const protocol::Array<T>& items) {
  return {items.begin(), items.end()};
}

// Views into the body, and into the arena.
template <class Message>
Result<Message> decode_body(ByteView body, std::int16_t version, protocol::Arena& arena) {
  Message message;
  const protocol::DecodeResult size = decode(message, body, version, arena);
  if (!size) return failure(ErrorKind::corrupt, to_string(size.error()));
  return message;
}

template <class Message>
Result<std::vector<std::byte>> encode_body(const Message& message, std::int16_t version) {
  const protocol::MeasureResult size = measure(message, version);
  if (!size) return failure(ErrorKind::invalid_argument, to_string(size.error()));
  std::vector<std::byte> body(size->inline_bytes);
  protocol::Writer writer(body, {});
  write(message, version, writer);
  return body;
}

}  // namespace millrace::broker
