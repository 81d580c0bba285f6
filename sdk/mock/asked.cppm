// One request on its way through the mock. Inside this module only.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <vector>

module millrace.mock:asked;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :faults;
import :group_desk;
import :state;
import :transaction_desk;
import :waiting;

namespace millrace::mock {

struct Asked {
  State& state;
  GroupDesk& groups;
  TransactionDesk& transactions;
  Waiting& waiting;
  BrokerId broker;
  protocol::ReceivedRequest request;
  std::string client_host;
  // What everything that was asked for is refused with; none: it is done.
  ErrorCode planted = ErrorCode::none;
  protocol::Arena& arena;
  BufferPool& pool;
  // Something changed that others may wait for.
  bool changed = false;

  [[nodiscard]] std::int16_t version() const { return request.version; }
};

enum class AnswerKind : std::uint8_t {
  send,
  none,   // the request wants no answer
  close,  // the connection ends
};

struct Answer {
  AnswerKind kind = AnswerKind::close;
  std::vector<std::byte> frame = {};
};

inline constexpr std::int16_t number_of(ErrorCode error) {
  return static_cast<std::int16_t>(error);
}

// False for a body that cannot be read.
template <class Request>
[[nodiscard]] bool read(Request& message, Asked& asked) {
  return decode(message, asked.request.body, asked.version(), asked.arena).has_value();
}

template <class Response>
[[nodiscard]] Answer answer(Asked& asked, const Response& response) {
  const auto frame = protocol::encode_response(asked.pool, asked.request.correlation_id, response,
                                               asked.version());
  if (!frame) return {};
  Answer made{AnswerKind::send};
  made.frame.reserve(frame->total_bytes());
  frame->for_each_piece([&](const protocol::RecordChunk& piece) {
    made.frame.insert(made.frame.end(), piece.memory, piece.memory + piece.size);
  });
  return made;
}

// Copies that live as long as the request.
template <class T>
[[nodiscard]] protocol::Array<T> keep(const std::vector<T>& items, Asked& asked) {
  T* const kept = asked.arena.make_array<T>(items.size());
  check(kept != nullptr, "the arena of the mock has room for every answer");
  std::ranges::copy(items, kept);
  return {kept, static_cast<std::int32_t>(items.size())};
}
[[nodiscard]] inline protocol::String keep(std::string_view text, Asked& asked) {
  if (text.empty()) return protocol::empty_string;
  char* const kept = asked.arena.make_array<char>(text.size());
  check(kept != nullptr, "the arena of the mock has room for every answer");
  std::ranges::copy(text, kept);
  return {kept, text.size()};
}
[[nodiscard]] inline protocol::Array<std::int32_t> numbers_of(const std::vector<BrokerId>& ids,
                                                              Asked& asked) {
  std::vector<std::int32_t> numbers;
  for (const BrokerId id : ids) numbers.push_back(id.value());
  return keep(numbers, asked);
}

}  // namespace millrace::mock
