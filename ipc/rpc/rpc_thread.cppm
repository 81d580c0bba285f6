// The thread on which Cap'n Proto runs.
module;
#include <memory>
#include <string>

export module millrace.ipc.rpc:rpc_thread;

import millrace.base;
import millrace.runtime;

export namespace millrace::rpc {

// One thread with an event loop of KJ. The process owns it, and shares it among what may wait for
// one another: control RPC has one, replication another, so that a busy one never holds up the
// other. It outlives the clients and servers on it.
class RpcThread {
 public:
  // `name` is the thread's, of at most 15 characters. Fails when a thread or a descriptor is not to
  // be had.
  [[nodiscard]] static Result<std::unique_ptr<RpcThread>> start(const std::string& name = "rpc");
  RpcThread(const RpcThread&) = delete;
  RpcThread& operator=(const RpcThread&) = delete;
  // Calls back what was sent, then ends the thread.
  ~RpcThread();

  // From any thread. What it calls back must not throw.
  [[nodiscard]] Mailbox& mailbox();

  // For what runs on it, on its thread only: a KjContext, see kj.hpp.
  [[nodiscard]] void* context();

 private:
  struct State;
  explicit RpcThread(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace millrace::rpc
