module;
#include <cstddef>
#include <utility>
#include <variant>

module millrace.groups;

import millrace.base;

namespace millrace::groups {
namespace {

template <std::size_t Index>
Reply made(ErrorCode error) {
  std::variant_alternative_t<Index, Reply> reply;
  reply.error = error;
  return reply;
}

template <std::size_t... Indexes>
Reply chosen(std::size_t index, ErrorCode error, std::index_sequence<Indexes...>) {
  using Maker = Reply (*)(ErrorCode);
  constexpr Maker makers[] = {&made<Indexes>...};
  return makers[index](error);
}

}  // namespace

Reply error_reply(std::size_t request_index, ErrorCode error) {
  check(request_index < std::variant_size_v<Reply>, "a request that no reply belongs to");
  return chosen(request_index, error, std::make_index_sequence<std::variant_size_v<Reply>>{});
}

}  // namespace millrace::groups
