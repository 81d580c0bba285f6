// The life of the process: one session after the other.
module;
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>

export module millrace.coordinator:service;

import millrace.base;
import millrace.groups;
import millrace.ipc.channel;
import millrace.ipc.coordination;
import millrace.runtime;

export namespace millrace::coordinator {

// Makes a channel to the broker.
using Connect = std::function<Task<ipc::ChannelResult<std::unique_ptr<ipc::Channel>>>()>;

// Connects to the broker for as long as it lives, serves each session until it ends, and begins
// again: at once after one that was served, and with growing pauses where nobody listens. Belongs
// to one shard; executor, random and buffers outlive it.
class Service {
 public:
  Service(Executor& executor, Random& random, BufferPool& buffers, const groups::Options& options,
          Connect connect, Logger log);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Until stop().
  [[nodiscard]] Task<void> run();
  // The broker answers what waits here; what was committed is in its log.
  void stop();

  [[nodiscard]] std::uint64_t sessions() const { return sessions_; }

 private:
  [[nodiscard]] Task<void> serve(ipc::Channel& channel);
  [[nodiscard]] Duration pause();

  Executor& executor_;
  Random& random_;
  BufferPool& buffers_;
  groups::Options options_;
  Connect connect_;
  Logger log_;
  coordination::Alarm alarm_;
  ipc::Channel* channel_ = nullptr;
  std::uint32_t failures_ = 0;  // to connect, one after the other
  std::uint64_t sessions_ = 0;
  bool is_stopped_ = false;
};

}  // namespace millrace::coordinator
