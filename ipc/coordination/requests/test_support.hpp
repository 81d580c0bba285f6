// Requests of the protocol as calls, and answers as its messages again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.protocol.groups;
import millrace.protocol.wire;
import millrace.runtime;

namespace millrace::coordination {

using protocol::ApiKey;
using protocol::ErrorCode;

inline Uuid id_of(std::uint8_t number) {
  Uuid id;
  id.bytes[0] = std::byte{number};
  return id;
}

inline const std::vector<KnownTopic> known{{"orders", id_of(1), 4}, {"bills", id_of(2), 1}};

inline std::int16_t number_of(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

inline OwnedBytes bytes_of(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

template <class Message>
OwnedBytes encoded(const Message& message, std::int16_t version) {
  const auto size = measure(message, version);
  EXPECT_TRUE(size.has_value()) << Message::message_name << " " << version;
  if (!size) return {};
  OwnedBytes body(size->inline_bytes);
  protocol::Writer writer(body, {});
  write(message, version, writer);
  return body;
}

template <class Message>
GroupCall call_of(const Message& message, std::int16_t version) {
  auto call = GroupCall::decode(Message::api_key, version, encoded(message, version),
                                {"app", "/1.2.3.4"}, ListedTopics(known));
  check(call.has_value(), "a test's request can be read");
  return *std::move(call);
}

// An answer and the bytes that it looks into.
template <class Message>
struct Decoded {
  OwnedBytes body;
  std::unique_ptr<protocol::Arena> arena =
      std::make_unique<protocol::Arena>(request_arena_bytes_max);
  Message message;
};

template <class Message>
Decoded<Message> decoded(Result<OwnedBytes> body, std::int16_t version) {
  Decoded<Message> out;
  EXPECT_TRUE(body.has_value()) << body.error().message;
  if (!body) return out;
  out.body = *std::move(body);
  const auto read = decode(out.message, out.body, version, *out.arena);
  EXPECT_TRUE(read.has_value() && *read == out.body.size())
      << Message::message_name << " " << version;
  return out;
}

template <class Response>
Decoded<Response> answered(const GroupCall& call, std::vector<groups::Reply> replies,
                           std::int16_t version) {
  return decoded<Response>(call.answer(replies, ListedTopics(known)), version);
}

template <class Response>
Decoded<Response> refused(const GroupCall& call, std::int16_t version) {
  return decoded<Response>(call.refuse(ErrorCode::coordinator_not_available), version);
}

template <class Message, class Use>
void for_each_version(Use use) {
  for (std::int16_t v = Message::version_min; v <= Message::version_max; ++v) {
    SCOPED_TRACE(std::string(Message::message_name) + " " + std::to_string(v));
    use(v);
  }
}

inline const std::int16_t unavailable = number_of(ErrorCode::coordinator_not_available);

}  // namespace millrace::coordination
