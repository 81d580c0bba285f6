// The life of the process: one session after the other.
module;
#include <chrono>
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
import :metrics;
import :session;

export namespace millrace::coordinator {

// What there is of groups is counted and shown so often.
inline constexpr Duration figures_interval = std::chrono::seconds{5};

// Makes a channel to the broker.
using Connect = std::function<Task<ipc::ChannelResult<std::unique_ptr<ipc::Channel>>>()>;

// Connects to the broker for as long as it lives, serves each session until it ends, and begins
// again: at once after one that was served, and with growing pauses where nobody listens. Belongs
// to one shard; executor, random and buffers outlive it.
class Service {
 public:
  Service(Executor& executor, Random& random, BufferPool& buffers, const groups::Options& options,
          Metrics metrics, Connect connect, Logger log);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Until stop().
  [[nodiscard]] Task<void> run();
  // The broker answers what waits here; what was committed is in its log.
  void stop();

  [[nodiscard]] const Metrics& metrics() const { return metrics_; }

 private:
  [[nodiscard]] Task<void> serve(ipc::Channel& channel);
  [[nodiscard]] Task<void> show_figures(const Session& session, const ipc::Channel& channel,
                                        coordination::Alarm& alarm);
  [[nodiscard]] Duration pause();

  Executor& executor_;
  Random& random_;
  BufferPool& buffers_;
  groups::Options options_;
  Metrics metrics_;
  Connect connect_;
  Logger log_;
  coordination::Alarm alarm_;
  ipc::Channel* channel_ = nullptr;
  std::uint32_t failures_ = 0;  // to connect, one after the other
  bool is_stopped_ = false;
};

}  // namespace millrace::coordinator
