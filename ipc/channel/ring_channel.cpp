module;
#include <algorithm>
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

module millrace.ipc.channel;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import millrace.runtime.streams;
import :ring_channel;

namespace millrace::ipc {
namespace {

using Length = std::array<std::byte, message_length_bytes>;

// The least byte first, on every machine.
Length length_of(std::size_t bytes) {
  Length length{};
  for (std::size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<std::byte>((bytes >> (8 * i)) & 0xff);
  }
  return length;
}

std::size_t bytes_of(const Length& length) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < length.size(); ++i) {
    bytes |= std::to_integer<std::size_t>(length[i]) << (8 * i);
  }
  return bytes;
}

}  // namespace

RingChannel::RingChannel(Executor& executor, const RingChannelParts& parts)
    : executor_(executor),
      parts_(parts),
      writer_(parts.memories),
      reader_(parts.memories),
      readable_(executor),
      writable_(executor) {}

void RingChannel::told() {
  readable_.set();
  writable_.set();
}

void RingChannel::peer_ended() {
  is_peer_ended_ = true;
  told();
}

void RingChannel::end(ChannelFault fault) {
  if (fault_) return;
  fault_ = fault;
  close_link();
  told();
}

void RingChannel::publish() {
  if (writer_.publish()) ring_peer();
}

void RingChannel::release() {
  if (reader_.release()) ring_peer();
}

Task<ChannelResult<void>> RingChannel::send(ByteView message) {
  if (message.size() > parts_.send_bytes_max) {
    co_return failure(
        ChannelError{.fault = ChannelFault::too_large, .number = 0, .operation = "send"});
  }
  const auto guard = co_await sending_.lock();
  if (++sent_at_once_ > messages_at_once_max) {
    sent_at_once_ = 0;
    co_await yield(executor_);
  }
  const Length length = length_of(message.size());
  // The peer is told of both at once, where both fit.
  auto sent = co_await send_piece(length);
  if (sent && !message.empty()) sent = co_await send_piece(message);
  if (sent) publish();
  co_return sent;
}

Task<ChannelResult<void>> RingChannel::send_piece(ByteView piece) {
  for (;;) {
    if (fault_ || is_peer_ended_) {
      co_return failure(ChannelError{
          .fault = fault_.value_or(ChannelFault::closed), .number = 0, .operation = "send"});
    }
    const auto written = writer_.write(piece);
    if (!written) {
      broken();
      continue;
    }
    piece = piece.subspan(*written);
    if (piece.empty()) co_return ChannelResult<void>{};
    publish();
    const auto parked = writer_.park();
    if (!parked) {
      broken();
    } else if (*parked) {
      sent_at_once_ = 0;
      static_cast<void>(co_await writable_.wait());
      writer_.unpark();
    }
  }
}

std::optional<std::size_t> RingChannel::take(Incoming& incoming) {
  std::size_t taken = 0;
  if (!incoming.has_length()) {
    const auto prefix = reader_.read(MutableBytes(incoming.prefix).subspan(incoming.prefix_bytes));
    if (!prefix) return {};
    incoming.prefix_bytes += *prefix;
    taken += *prefix;
    if (!incoming.has_length()) return taken;
    incoming.length = bytes_of(incoming.prefix);
    if (incoming.length > parts_.receive_bytes_max) return {};
  }
  // Memory is taken for what is there, never for what was announced.
  const auto there = reader_.available();
  if (!there) return {};
  const std::size_t wanted = std::min(incoming.length - incoming.message.size(), *there);
  if (wanted == 0) return taken;
  const std::size_t before = incoming.message.size();
  incoming.message.resize(before + wanted);
  const auto read = reader_.read(MutableBytes(incoming.message).subspan(before));
  if (!read) return {};
  incoming.message.resize(before + *read);
  return taken + *read;
}

Task<ChannelResult<std::vector<std::byte>>> RingChannel::receive() {
  check(!std::exchange(is_receiving_, true), "one receives from a channel at a time");
  if (++received_at_once_ > messages_at_once_max) {
    received_at_once_ = 0;
    co_await yield(executor_);
  }
  Incoming incoming;
  while (!fault_) {
    const auto taken = take(incoming);
    if (!taken) {
      broken();
      break;
    }
    if (*taken > 0 || incoming.is_whole()) {
      release();
      if (!incoming.is_whole()) continue;
      is_receiving_ = false;
      co_return std::move(incoming.message);
    }
    // Nothing came after the end was told.
    if (is_peer_ended_) break;
    received_at_once_ = 0;
    if (!co_await wait_for_bytes()) broken();
  }
  is_receiving_ = false;
  co_return failure(ChannelError{
      .fault = fault_.value_or(ChannelFault::closed), .number = 0, .operation = "receive"});
}

Task<bool> RingChannel::wait_for_bytes() {
  const auto parked = reader_.park();
  if (!parked) co_return false;
  if (!*parked) co_return true;
  static_cast<void>(co_await readable_.wait());
  reader_.unpark();
  co_return true;
}

}  // namespace millrace::ipc
