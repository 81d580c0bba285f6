module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

module millrace.coordinator;

import millrace.base;
import millrace.groups;
import millrace.ipc.channel;
import millrace.ipc.coordination;
import millrace.runtime;

namespace millrace::coordinator {

namespace {

// Between two attempts to connect: twice as long each time, and up to half as long more, so that
// not all coordinators of a machine come at once.
constexpr Duration pause_min = std::chrono::milliseconds{10};
constexpr Duration pause_max = std::chrono::milliseconds{500};
constexpr std::uint32_t doublings_max = 6;

static_assert(pause_min * (1 << doublings_max) > pause_max);

// Large answers take half of what may be queued: what does not fit ends the session for all. One
// goes by itself, whatever its size.
bool has_room(const coordination::Outbound& outbound, std::size_t bytes) {
  const std::size_t queued = outbound.bytes();
  return queued == 0 || queued + bytes <= coordination::queued_bytes_max / 2;
}

}  // namespace

Service::Service(Executor& executor, Random& random, BufferPool& buffers,
                 const groups::Options& options, Metrics metrics, Connect connect, Logger log)
    : executor_(executor),
      random_(random),
      buffers_(buffers),
      options_(options),
      metrics_(std::move(metrics)),
      connect_(std::move(connect)),
      log_(std::move(log)),
      alarm_(executor) {}

Task<void> Service::run() {
  while (!is_stopped_) {
    auto channel = co_await connect_();
    if (channel) {
      channel_ = channel->get();
      if (is_stopped_) channel_->close();
      co_await serve(**channel);
      channel_ = nullptr;
    } else if (failures_ == 0) {
      log_.warning("the broker cannot be reached: {}; trying on", ipc::describe(channel.error()));
    }
    if (is_stopped_) break;
    co_await alarm_.wait_until(executor_.clock().now() + pause());
  }
}

Duration Service::pause() {
  const Duration pause =
      std::min(pause_min * (1 << std::min(failures_++, doublings_max)), pause_max);
  const auto more = random_.below(static_cast<std::uint64_t>(pause.count()) / 2);
  return pause + Duration(static_cast<Duration::rep>(more));
}

void Service::stop() {
  is_stopped_ = true;
  if (channel_ != nullptr) channel_->close();
  alarm_.ring();
}

Task<void> Service::serve(ipc::Channel& channel) {
  std::string why = "the broker or this process ends it";
  coordination::Outbound outbound(executor_, coordination::queued_bytes_max);
  const auto give_up = [&](std::string reason) {
    if (!channel.is_closed()) why = std::move(reason);
    channel.close();
  };
  TaskGroup tasks;
  tasks.start(outbound.run(channel));
  {
    Session session(executor_, random_, buffers_, options_, metrics_, log_,
                    {.send =
                         [&](const coordination::ToBroker& message) {
                           if (!outbound.add(coordination::encode(message))) {
                             give_up("the broker does not take what it is sent");
                           }
                         },
                     .has_room = [&](std::size_t bytes) { return has_room(outbound, bytes); },
                     .give_up = give_up});
    metrics_.sessions.add();
    coordination::Alarm alarm(executor_);
    TaskGroup showing;
    showing.start(show_figures(session, channel, alarm));
    for (;;) {
      const auto received = co_await channel.receive();
      if (!received) break;
      if (const auto taken = session.take(*received); !taken) {
        give_up(taken.error().message);
        break;
      }
      failures_ = 0;
    }
    channel.close();
    alarm.ring();
    co_await showing.wait();
  }
  outbound.close();
  co_await tasks.wait();
  if (!is_stopped_) log_.warning("the session has ended: {}", why);
}

Task<void> Service::show_figures(const Session& session, const ipc::Channel& channel,
                                 coordination::Alarm& alarm) {
  while (!channel.is_closed()) {
    metrics_.show(co_await session.figures());
    if (channel.is_closed()) break;
    co_await alarm.wait_until(executor_.clock().now() + figures_interval);
  }
  metrics_.show({});
}

}  // namespace millrace::coordinator
