// What the handlers about groups have in common. Inside this module only.
module;
#include <coroutine>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.mock:group_words;

import millrace.base;
import millrace.groups;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.runtime;
import :asked;
import :faults;
import :group_desk;
import :state;

namespace millrace::mock {

[[nodiscard]] inline std::optional<std::string> owned(protocol::String text) {
  if (text.data() == nullptr) return std::nullopt;
  return std::string(text);
}
[[nodiscard]] inline groups::OwnedBytes owned(protocol::Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}
[[nodiscard]] inline protocol::String viewed(const std::optional<std::string>& text) {
  return text ? protocol::String(*text) : protocol::null_string;
}
[[nodiscard]] inline protocol::Bytes viewed(const groups::OwnedBytes& bytes) {
  return bytes.empty() ? protocol::empty_bytes : protocol::Bytes(bytes);
}

// Asks, unless a fault was planted. Nothing where the connection ends first.
template <class Kind>
[[nodiscard]] Task<std::optional<Kind>> ask_anywhere(Asked& asked, groups::Request request) {
  const std::size_t kind = request.index();
  std::optional<groups::Reply> reply;
  if (asked.planted != ErrorCode::none) {
    reply = groups::error_reply(kind, asked.planted);
  } else {
    reply = co_await asked.groups.ask(std::move(request), asked.waiting);
  }
  if (!reply) co_return std::nullopt;
  Kind* const told = std::get_if<Kind>(&*reply);
  check(told != nullptr, "a reply of another kind than its question");
  co_return std::move(*told);
}

// The same of one group, which only its coordinator answers for.
template <class Kind>
[[nodiscard]] Task<std::optional<Kind>> ask(Asked& asked, std::string_view group,
                                            groups::Request request) {
  const bool here = asked.state.coordinator_of(group) == asked.broker;
  if (asked.planted == ErrorCode::none && !here) {
    Kind* told = nullptr;
    auto refused = groups::error_reply(request.index(), ErrorCode::not_coordinator);
    told = std::get_if<Kind>(&refused);
    check(told != nullptr, "a reply of another kind than its question");
    co_return std::move(*told);
  }
  co_return co_await ask_anywhere<Kind>(asked, std::move(request));
}

}  // namespace millrace::mock
