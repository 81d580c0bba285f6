module;
#include <string>
#include <string_view>

module millrace.ipc.channel;

import millrace.base;

namespace millrace::ipc {

std::string_view name_of(ChannelFault fault) {
  switch (fault) {
    case ChannelFault::closed:
      return "closed";
    case ChannelFault::timed_out:
      return "timed out";
    case ChannelFault::unreachable:
      return "unreachable";
    case ChannelFault::refused:
      return "refused";
    case ChannelFault::address_in_use:
      return "address in use";
    case ChannelFault::denied:
      return "denied";
    case ChannelFault::too_large:
      return "too large";
    case ChannelFault::corrupt:
      return "corrupt";
    case ChannelFault::too_many_open:
      return "too many open";
    case ChannelFault::failed:
      return "failed";
  }
  return "unknown";
}

std::string describe(const ChannelError& error) {
  std::string text = formatted("{}: {}", error.operation, error.fault);
  if (error.number != 0) text += formatted(" (errno {})", error.number);
  return text;
}

}  // namespace millrace::ipc
