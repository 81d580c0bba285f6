module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

module millrace.runtime.shard;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;

namespace millrace {

Result<CallMetrics> CallMetrics::create(telemetry::Registry& registry, ShardIndex shard) {
  const std::string number = formatted("{}", shard);
  auto calls = registry.add<telemetry::Counter>({.name = "millrace_shard_calls_total",
                                                 .help = "Calls that a shard made to other shards.",
                                                 .labels = {"shard"},
                                                 .series_max = telemetry::shards_max},
                                                shard, {number});
  if (!calls) return failure(calls.error());
  auto waits = registry.add<telemetry::Counter>(
      {.name = "millrace_shard_call_waits_total",
       .help = "Calls to other shards that waited because too many had not begun there.",
       .labels = {"shard"},
       .series_max = telemetry::shards_max},
      shard, {number});
  if (!waits) return failure(waits.error());
  return CallMetrics{std::move(*calls), std::move(*waits)};
}

Shard::Shard(ShardIndex index, EventLoop& loop, ShardLoop* socket_loop,
             const std::vector<std::unique_ptr<Shard>>& all, std::uint32_t count,
             CallMetrics metrics)
    : index_(index),
      loop_(loop),
      socket_loop_(socket_loop),
      shards_(all),
      metrics_(std::move(metrics)),
      lanes_(count) {}

Shard::~Shard() {
  check(unanswered_ == 0, "a shard outlives its calls to others");
}

void Shard::send(CallMessage& message) {
  ++calls_;
  ++unanswered_;
  metrics_.calls.add();
  Lane& lane = lanes_[message.to_.index_.value()];
  if (lane.in_flight == calls_in_flight_max) {
    metrics_.waits.add();
    lane.waiting.add(message);
    return;
  }
  ++lane.in_flight;
  message.to_.loop_.mailbox().send(message);
}

void Shard::begun(ShardIndex there) {
  Lane& lane = lanes_[there.value()];
  --lane.in_flight;
  if (Callback* next = lane.waiting.take()) {
    ++lane.in_flight;
    shards_[there.value()]->loop_.mailbox().send(*next);
  }
}

void Shard::answered() {
  --unanswered_;
  if (unanswered_ == 0 && waits_for_quiet_) std::exchange(waits_for_quiet_, nullptr).resume();
}

CallMessage::Begun::Begun(CallMessage& m)
    : Callback([](Callback& self) {
        CallMessage& begun = static_cast<Begun&>(self).message;
        begun.from_.begun(begun.to_.index_);
      }),
      message(m) {}

bool CallMessage::begin(std::coroutine_handle<> awaiting) {
  awaiting_ = awaiting;
  if (&from_ != &to_) {
    from_.send(*this);
    return true;
  }
  // Not through the loop: it runs now. A function that ends now resumes nobody, so that a loop of
  // such calls does not grow the stack.
  return !work_ends_at_once();
}

bool CallMessage::work_ends_at_once() {
  bool ended = false;
  ends_at_once_ = &ended;
  work();
  if (!ended) ends_at_once_ = nullptr;
  return ended;
}

void CallMessage::finished() {
  is_on_way_back_ = true;
  if (ends_at_once_ != nullptr) *ends_at_once_ = true;
  if (&from_ != &to_) {
    from_.loop_.mailbox().send(*this);
  } else if (ends_at_once_ == nullptr) {
    awaiting_.resume();
  }
}

void CallMessage::arrive() {
  if (!is_on_way_back_) {
    if (work_ends_at_once()) return;
    is_begun_told_ = true;
    from_.loop_.mailbox().send(begun_);
    return;
  }
  if (!is_begun_told_) from_.begun(to_.index_);
  from_.answered();
  awaiting_.resume();
}

}  // namespace millrace
