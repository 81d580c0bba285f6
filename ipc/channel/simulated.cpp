module;
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

module millrace.ipc.channel;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import millrace.runtime.streams;
import :ring_channel;

namespace millrace::ipc {
namespace {

class SimulatedChannel;

// A ring's memory, aligned as a page is.
class HeapMemory {
 public:
  explicit HeapMemory(std::size_t bytes)
      : data_(static_cast<std::byte*>(::operator new(bytes, alignment))), size_(bytes) {}
  HeapMemory(const HeapMemory&) = delete;
  HeapMemory& operator=(const HeapMemory&) = delete;
  ~HeapMemory() { ::operator delete(data_, alignment); }

  [[nodiscard]] MutableBytes bytes() const { return {data_, size_}; }

 private:
  static constexpr std::align_val_t alignment{cursor_line_bytes};

  std::byte* data_;
  std::size_t size_;
};

// What lies between the two ends; owned by both together.
class Wire {
 public:
  Wire(Executor& executor, const SimulatedChannelOptions& options);

  [[nodiscard]] RingMemories memories_of(std::size_t end) const {
    return {
        .own = regions_[end], .peer = regions_[1 - end], .capacity = options_.channel.ring_bytes};
  }
  void attach(std::size_t end, SimulatedChannel& channel) { ends_[end] = &channel; }
  // Rings the bell at the other end; later, and once for all rings until then.
  void ring_from(std::size_t end) { arm(bells_[1 - end]); }
  void end_of(std::size_t end) {
    ends_[end] = nullptr;
    arm(ends_told_[1 - end]);
  }

 private:
  struct News : Timer {
    News(Wire& w, std::size_t e, Function function) : Timer(function), wire(w), end(e) {}
    Wire& wire;
    std::size_t end;  // who hears it
  };
  static void ring(Timer& self);
  static void tell_end(Timer& self);
  void arm(News& news);

  Executor& executor_;
  SimulatedChannelOptions options_;
  Random random_;
  std::array<HeapMemory, 2> memories_;
  std::array<Region*, 2> regions_;
  std::array<SimulatedChannel*, 2> ends_{};
  std::array<News, 2> bells_{News(*this, 0, &ring), News(*this, 1, &ring)};
  std::array<News, 2> ends_told_{News(*this, 0, &tell_end), News(*this, 1, &tell_end)};
};

class SimulatedChannel final : public RingChannel {
 public:
  SimulatedChannel(Executor& executor, const RingChannelParts& parts, std::shared_ptr<Wire> wire,
                   std::size_t end)
      : RingChannel(executor, parts), wire_(std::move(wire)), end_(end) {
    wire_->attach(end_, *this);
  }
  ~SimulatedChannel() override { close_at_end(); }

  using RingChannel::peer_ended;
  using RingChannel::told;

 private:
  void ring_peer() override { wire_->ring_from(end_); }
  void close_link() override { wire_->end_of(end_); }

  std::shared_ptr<Wire> wire_;
  std::size_t end_;
};

Wire::Wire(Executor& executor, const SimulatedChannelOptions& options)
    : executor_(executor),
      options_(options),
      random_(options.seed),
      memories_{HeapMemory(region_bytes(options.channel.ring_bytes)),
                HeapMemory(region_bytes(options.channel.ring_bytes))},
      regions_{&make_region(memories_[0].bytes(), options.channel.ring_bytes, options.seed),
               &make_region(memories_[1].bytes(), options.channel.ring_bytes, options.seed)} {}

void Wire::arm(News& news) {
  if (news.armed()) return;
  const auto spread = static_cast<std::uint64_t>((options_.delay_max - options_.delay_min).count());
  const Duration delay =
      options_.delay_min + Duration(static_cast<Duration::rep>(random_.below(spread + 1)));
  executor_.arm(news, executor_.clock().now() + delay);
}

void Wire::ring(Timer& self) {
  const auto& news = static_cast<News&>(self);
  if (SimulatedChannel* channel = news.wire.ends_[news.end]) channel->told();
}

void Wire::tell_end(Timer& self) {
  const auto& news = static_cast<News&>(self);
  if (SimulatedChannel* channel = news.wire.ends_[news.end]) channel->peer_ended();
}

}  // namespace

std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>> make_channel_pair(
    Executor& executor, const SimulatedChannelOptions& options) {
  const auto wire = std::make_shared<Wire>(executor, options);
  const auto make = [&](std::size_t end) {
    const RingChannelParts parts{.memories = wire->memories_of(end),
                                 .receive_bytes_max = options.channel.message_bytes_max,
                                 .send_bytes_max = options.channel.message_bytes_max,
                                 .peer = {}};
    return std::make_unique<SimulatedChannel>(executor, parts, wire, end);
  };
  return {make(0), make(1)};
}

}  // namespace millrace::ipc
