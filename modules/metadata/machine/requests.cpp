module;
#include <cstddef>
#include <utility>
#include <variant>

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {
namespace {

template <std::size_t place>
Reply refusal_at(std::size_t kind, const Outcome& outcome) {
  if constexpr (place < std::variant_size_v<Reply>) {
    if (kind != place) return refusal_at<place + 1>(kind, outcome);
    std::variant_alternative_t<place, Reply> reply;
    reply.outcome = outcome;
    return reply;
  } else {
    check(false, "a request of a kind that there is");
    return HeartbeatReply{};
  }
}

}  // namespace

Reply refusal(std::size_t kind, const Outcome& outcome) {
  return refusal_at<0>(kind, outcome);
}

}  // namespace millrace::metadata
