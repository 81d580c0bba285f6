module;
#include <coroutine>
#include <string_view>

module millrace.ipc.rpc;

namespace millrace::rpc {

std::string_view name_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::broker:
      return "broker";
    case NodeKind::coordinator:
      return "coordinator";
    case NodeKind::controller:
      return "controller";
    case NodeKind::tool:
      return "tool";
  }
  return "unknown kind";
}

std::string_view name_of(RpcFault fault) {
  switch (fault) {
    case RpcFault::unavailable:
      return "unavailable";
    case RpcFault::timed_out:
      return "timed out";
    case RpcFault::broken:
      return "connection broken";
    case RpcFault::refused:
      return "refused";
    case RpcFault::too_large:
      return "too large";
    case RpcFault::closed:
      return "closed";
  }
  return "unknown fault";
}

}  // namespace millrace::rpc
