// The side of the RPC that a controller has.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

export module millrace.ipc.rpc:controller_server;

import millrace.base;
import millrace.runtime;
import :controller_api;
import :limits;
import :rpc_thread;

export namespace millrace::rpc {

struct ControllerServerOptions {
  std::string host;        // empty: all interfaces
  std::uint16_t port = 0;  // 0: the system chooses
  std::size_t connections_max = rpc::connections_max;
  std::size_t calls_per_connection_max = rpc::calls_per_connection_max;
  std::size_t unread_bytes_max = rpc::unread_bytes_max;
  Duration hello_timeout = rpc::hello_timeout;
};

// Listens, and gives each call to the service on the home shard. Owned by whoever owns the service;
// made, stopped and destroyed on the home shard, or before that shard runs and after it ended. What
// peers send wrongly, and what passes a limit, ends their connection or their call and nothing
// else; the log names the peer, at a limited rate. Await stop() before it is destroyed.
class ControllerServer {
 public:
  // Looking up a host's name blocks: for the start of a process. Fails when the address is in use,
  // not of this machine, or not allowed.
  [[nodiscard]] static Result<std::unique_ptr<ControllerServer>> start(
      RpcThread& thread, EventLoop& home, ControllerService& service,
      ControllerServerOptions options, const Logger& log);
  ControllerServer(const ControllerServer&) = delete;
  ControllerServer& operator=(const ControllerServer&) = delete;
  ~ControllerServer();

  // Where it listens.
  [[nodiscard]] std::uint16_t port() const;

  // Takes no more calls, closes the connections, then waits for the calls that the service has
  // begun: its owner ends long polls first.
  [[nodiscard]] Task<void> stop();

 private:
  class Implementation;
  explicit ControllerServer(std::unique_ptr<Implementation> implementation);

  std::unique_ptr<Implementation> implementation_;
};

}  // namespace millrace::rpc
