module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

module millrace.runtime.streams;

import millrace.base;
import millrace.runtime;
import :simulated_link;

namespace millrace {

SimulatedLink::SimulatedLink(SimulatedNetwork& network)
    : network_(network), directions_{Direction(*this, 1), Direction(*this, 0)} {}

std::size_t SimulatedLink::part_of(std::size_t bytes) {
  if (bytes < 2 || !network_.random_.chance(network_.options_.split_chance)) return bytes;
  return 1 + network_.random_.below(bytes);
}

bool SimulatedLink::resets_now() {
  if (!is_reset_ && network_.random_.chance(network_.options_.reset_chance)) reset();
  return is_reset_;
}

SimulatedLink::Moved SimulatedLink::read(std::size_t end, MutableBytes to_buffer) {
  if (resets_now()) return {.state = State::reset};
  Direction& direction = to(end);
  if (direction.arrived.empty()) {
    return {.state = direction.is_ended ? State::ended : State::blocked};
  }
  const std::size_t count = part_of(std::min(to_buffer.size(), direction.arrived.size()));
  const auto last = direction.arrived.begin() + static_cast<std::ptrdiff_t>(count);
  std::copy(direction.arrived.begin(), last, to_buffer.begin());
  direction.arrived.erase(direction.arrived.begin(), last);
  direction.bytes -= count;
  wake(1 - end);
  return {.state = State::open, .bytes = count};
}

SimulatedLink::Moved SimulatedLink::write(std::size_t end, ByteView bytes) {
  Direction& direction = from(end);
  if (!direction.is_read) reset();
  if (resets_now() || direction.is_shut) return {.state = State::reset};
  const std::size_t room = network_.options_.buffer_bytes - direction.bytes;
  if (room == 0) return {.state = State::blocked};
  const std::size_t count = part_of(std::min(room, bytes.size()));
  direction.bytes += count;
  send(direction, {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count)});
  return {.state = State::open, .bytes = count};
}

void SimulatedLink::send(Direction& direction, std::vector<std::byte> bytes) {
  MonotonicTime arrives = network_.executor_.clock().now() + network_.delay();
  // In order: nothing overtakes what was sent before it.
  if (!direction.under_way.empty()) {
    arrives = std::max(arrives, direction.under_way.back().arrives);
  }
  direction.under_way.push_back({.arrives = arrives, .bytes = std::move(bytes)});
  if (!direction.arrival.armed()) network_.executor_.arm(direction.arrival, arrives);
}

void SimulatedLink::arrive(Direction& direction) {
  const MonotonicTime now = network_.executor_.clock().now();
  while (!direction.under_way.empty() && direction.under_way.front().arrives <= now) {
    const Segment segment = std::move(direction.under_way.front());
    direction.under_way.pop_front();
    direction.arrived.insert(direction.arrived.end(), segment.bytes.begin(), segment.bytes.end());
    direction.is_ended = direction.is_ended || segment.bytes.empty();
  }
  if (!direction.under_way.empty()) {
    network_.executor_.arm(direction.arrival, direction.under_way.front().arrives);
  }
  wake(direction.reader);
}

void SimulatedLink::shutdown(std::size_t end) {
  Direction& direction = from(end);
  if (std::exchange(direction.is_shut, true)) return;
  if (direction.is_read) send(direction, {});
}

void SimulatedLink::close_end(std::size_t end) {
  ends_[end] = nullptr;
  Direction& unread = to(end);
  unread.is_read = false;
  if (unread.bytes > 0) {
    reset();
  } else {
    shutdown(end);
  }
}

void SimulatedLink::reset() {
  if (std::exchange(is_reset_, true)) return;
  for (Direction& direction : directions_) {
    if (direction.arrival.armed()) network_.executor_.cancel(direction.arrival);
    direction.under_way.clear();
    direction.arrived.clear();
    direction.bytes = 0;
  }
  wake(0);
  wake(1);
}

void SimulatedLink::wake(std::size_t end) {
  if (ends_[end] != nullptr) ends_[end]->something_changed();
}

SimulatedStream::SimulatedStream(Executor& executor, std::shared_ptr<SimulatedLink> link,
                                 std::size_t end, const SocketAddress& local,
                                 const SocketAddress& peer)
    : ByteStream(executor, local, peer), link_(std::move(link)), end_(end) {
  link_->attach(end_, this);
}

void SimulatedStream::shutdown_writes() {
  if (link_ != nullptr) link_->shutdown(end_);
}

void SimulatedStream::close_connection() {
  // Bytes under way still arrive: the other end keeps the link, or nobody needs it.
  std::exchange(link_, nullptr)->close_end(end_);
}

SimulatedStream::Progress SimulatedStream::attempt(StreamOperation& operation) {
  const bool is_read = operation.kind_ == StreamKind::read;
  check(operation.kind_ != StreamKind::send_file, "this stream takes no files");
  for (;;) {
    SimulatedLink::Moved moved;
    if (is_read) {
      check(!operation.buffer_.empty(), "a read has room for a byte");
      moved = link_->read(end_, operation.buffer_);
    } else {
      ByteView left;
      while (left.empty() && operation.piece_ < operation.pieces_.size()) {
        left = operation.pieces_[operation.piece_].subspan(operation.piece_done_);
        if (!left.empty()) break;
        ++operation.piece_;
        operation.piece_done_ = 0;
      }
      if (left.empty()) return Progress::ended;
      moved = link_->write(end_, left);
      operation.piece_done_ += moved.bytes;
    }
    operation.done_ += moved.bytes;
    switch (moved.state) {
      case SimulatedLink::State::blocked:
        return Progress::blocked;
      case SimulatedLink::State::reset:
        operation.fail(StreamFault::reset, 0, is_read ? "read" : "write");
        return Progress::ended;
      case SimulatedLink::State::ended:
        return Progress::ended;
      case SimulatedLink::State::open:
        if (is_read) return Progress::ended;
        break;
    }
  }
}

}  // namespace millrace
