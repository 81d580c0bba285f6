// A channel within one simulation.
module;
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

export module millrace.ipc.channel:simulated;

import millrace.base;
import millrace.runtime;
import :channel;

export namespace millrace::ipc {

struct SimulatedChannelOptions {
  ChannelOptions channel = {};
  std::uint64_t seed = 0;
  // How long a doorbell, or the news of the end, takes to the other side.
  Duration delay_min{};
  Duration delay_max = std::chrono::microseconds{100};
};

// Two ends of one channel: the rings of real ones, in the memory of this process. An end that is
// closed is to the other as a process that died. Executor outlives both; each outlives the other or
// not, as they like.
[[nodiscard]] std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>> make_channel_pair(
    Executor& executor, const SimulatedChannelOptions& options = {});

}  // namespace millrace::ipc
