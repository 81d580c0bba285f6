module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>

module millrace.protocol.compression;

import :engine;

namespace millrace::protocol {

namespace {

std::unique_ptr<Decoder> make_decoder(Codec codec, CodecMemory& memory) {
  switch (codec) {
    case Codec::gzip:
      return make_gzip_decoder(memory);
    case Codec::snappy:
      return make_snappy_decoder();
    case Codec::lz4:
      return make_lz4_decoder();
    case Codec::zstd:
      return make_zstd_decoder(memory);
    case Codec::none:
      break;
  }
  return nullptr;
}

}  // namespace

struct Decompressor::State {
  ~State() { memory.release(window); }

  CompressionResult<void> start(Codec codec, ByteView whole, const DecompressionLimits& limits);
  CompressionResult<ByteView> next(std::size_t keep);
  CompressionResult<std::size_t> read(MutableBytes output);

  CompressionResult<ByteView> next_of_uncompressed(std::size_t keep);
  CompressionResult<std::size_t> decode(MutableBytes output);
  bool make_room(ByteView tail, std::size_t bytes);
  void drop_memory();
  CompressionFailure fail(CompressionError error);

  std::size_t retained_bytes_max = 0;
  CodecMemory memory;
  // By codec; made at first use.
  std::array<std::unique_ptr<Decoder>, 5> decoders;
  // Of the input in work; null for none.
  Decoder* decoder = nullptr;
  Budget budget;
  ByteView input;
  std::uint64_t output_bytes = 0;
  std::byte* window = nullptr;
  std::size_t window_bytes = 0;
  // What next() gave last.
  ByteView view;
  // The part of the view that read() has not copied.
  ByteView unread;
  std::optional<CompressionError> failed;
};

CompressionResult<void> Decompressor::State::start(Codec codec, ByteView whole,
                                                   const DecompressionLimits& limits) {
  // What the libraries gave back goes first; it costs less to get again.
  if (memory.bytes() > retained_bytes_max) memory.trim();
  if (memory.bytes() > retained_bytes_max) drop_memory();
  input = whole;
  budget = Budget(limits, whole.size());
  output_bytes = 0;
  view = {};
  unread = {};
  failed.reset();
  decoder = nullptr;
  if (codec == Codec::none) {
    if (!budget.take_output(whole.size())) return fail({budget.output_fault(), 0});
    return {};
  }
  std::unique_ptr<Decoder>& made = decoders[static_cast<std::size_t>(codec)];
  if (made == nullptr) made = make_decoder(codec, memory);
  if (made == nullptr) return fail({CompressionFault::memory_exhausted, 0});
  decoder = made.get();
  const auto begun = decoder->begin(whole, limits, budget);
  if (!begun) return fail(begun.error());
  return {};
}

CompressionResult<ByteView> Decompressor::State::next(std::size_t keep) {
  if (failed) return failure(*failed);
  check(keep <= view.size(), "no more is kept than the view before had");
  if (decoder == nullptr) return next_of_uncompressed(keep);
  std::size_t count = 0;
  while (count == 0 && !decoder->finished()) {
    const auto room = decoder->room();
    if (!room) return fail(room.error());
    const std::size_t bytes = std::max(room->best, decompressor_chunk_bytes);
    if (!make_room(view.last(keep), bytes)) return fail({CompressionFault::memory_exhausted, 0});
    view = ByteView(window, keep);
    const auto decoded = decode(MutableBytes(window + keep, bytes));
    if (!decoded) return failure(decoded.error());
    count = *decoded;
  }
  view = ByteView(count == 0 ? view.data() + view.size() - keep : window, keep + count);
  return view;
}

CompressionResult<ByteView> Decompressor::State::next_of_uncompressed(std::size_t keep) {
  const std::size_t end = static_cast<std::size_t>(output_bytes);
  view = input.subspan(end - keep);
  output_bytes = input.size();
  return view;
}

CompressionResult<std::size_t> Decompressor::State::read(MutableBytes output) {
  if (failed) return failure(*failed);
  std::size_t written = 0;
  while (written < output.size()) {
    if (unread.empty() && decoder != nullptr && !decoder->finished()) {
      const auto room = decoder->room();
      if (!room) return fail(room.error());
      if (room->least <= output.size() - written) {
        const auto decoded = decode(output.subspan(written));
        if (!decoded) return failure(decoded.error());
        written += *decoded;
        continue;
      }
    }
    if (unread.empty()) {
      const auto more = next(0);
      if (!more) return failure(more.error());
      if (more->empty()) break;
      unread = *more;
    }
    const std::size_t count = std::min(unread.size(), output.size() - written);
    std::memcpy(output.data() + written, unread.data(), count);
    unread = unread.subspan(count);
    written += count;
  }
  return written;
}

CompressionResult<std::size_t> Decompressor::State::decode(MutableBytes output) {
  const auto decoded = decoder->decode(output);
  if (!decoded) return fail(decoded.error());
  output_bytes += *decoded;
  return *decoded;
}

// A window that begins with `tail` and has room for as many bytes more.
bool Decompressor::State::make_room(ByteView tail, std::size_t bytes) {
  const std::size_t needed = tail.size() + bytes;
  if (needed <= window_bytes) {
    if (!tail.empty() && tail.data() != window) std::memmove(window, tail.data(), tail.size());
    return true;
  }
  // Doubling, so that a record of many chunks is not copied for each of them.
  const std::size_t larger_bytes = std::max(needed, 2 * window_bytes);
  auto* larger = static_cast<std::byte*>(memory.allocate(larger_bytes));
  if (larger == nullptr) return false;
  if (!tail.empty()) std::memcpy(larger, tail.data(), tail.size());
  memory.release(window);
  window = larger;
  window_bytes = larger_bytes;
  return true;
}

void Decompressor::State::drop_memory() {
  decoder = nullptr;
  for (std::unique_ptr<Decoder>& each : decoders) each.reset();
  memory.release(window);
  window = nullptr;
  window_bytes = 0;
  memory.trim();
}

CompressionFailure Decompressor::State::fail(CompressionError error) {
  failed = error;
  return failure(error);
}

Decompressor::Decompressor(std::size_t retained_bytes_max) : state_(new(std::nothrow) State) {
  check(state_ != nullptr, "memory for a decompressor");
  state_->retained_bytes_max = retained_bytes_max;
}

Decompressor::~Decompressor() = default;
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;

CompressionResult<void> Decompressor::start(Codec codec, ByteView input,
                                            const DecompressionLimits& limits) {
  return state_->start(codec, input, limits);
}

CompressionResult<ByteView> Decompressor::next(std::size_t keep) {
  return state_->next(keep);
}

CompressionResult<std::size_t> Decompressor::read(MutableBytes output) {
  return state_->read(output);
}

bool Decompressor::finished() const {
  if (state_->failed) return false;
  if (!state_->unread.empty()) return false;
  if (state_->decoder != nullptr) return state_->decoder->finished();
  return state_->output_bytes == state_->input.size();
}

std::uint64_t Decompressor::output_bytes() const {
  return state_->output_bytes;
}
std::size_t Decompressor::memory_bytes() const {
  return state_->memory.bytes();
}

}  // namespace millrace::protocol
