module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

module millrace.broker.connections;

import millrace.base;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::broker {
namespace {

// A connection that once sent many pieces does not keep the memory for their list.
constexpr std::size_t kept_pieces_max = 4 * send_pieces_max;

}  // namespace

void Outbox::add(const protocol::OutgoingFrame& frame) {
  frame.for_each_piece([&](const protocol::RecordChunk& chunk) {
    if (chunk.size > 0) chunks_.push_back(chunk);
  });
  bytes_ += frame.total_bytes();
}

bool Outbox::next(Step& step) {
  if (index_ == chunks_.size()) {
    clear();
    return false;
  }
  views_.clear();
  step.bytes = 0;
  const auto take = [&](const protocol::RecordChunk& chunk) {
    const std::size_t size = std::min(chunk.size - done_, send_step_bytes_max - step.bytes);
    step.bytes += size;
    done_ += size;
    if (done_ == chunk.size) {
      ++index_;
      done_ = 0;
    }
    return size;
  };
  const protocol::RecordChunk& first = chunks_[index_];
  if (first.memory == nullptr) {
    const std::uint64_t position = static_cast<std::uint64_t>(first.file_position) + done_;
    step.range = {.files = &files_,
                  .file = FileHandle(first.file),
                  .position = position,
                  .length = take(first)};
  } else {
    while (index_ < chunks_.size() && chunks_[index_].memory != nullptr &&
           views_.size() < send_pieces_max && step.bytes < send_step_bytes_max) {
      const protocol::RecordChunk& chunk = chunks_[index_];
      const std::byte* from = chunk.memory + done_;
      views_.emplace_back(from, take(chunk));
    }
  }
  step.views = views_;
  step.more = index_ < chunks_.size() ? More::yes : More::no;
  return true;
}

void Outbox::clear() {
  chunks_.clear();
  index_ = done_ = bytes_ = 0;
  if (chunks_.capacity() > kept_pieces_max) chunks_.shrink_to_fit();
}

}  // namespace millrace::broker
