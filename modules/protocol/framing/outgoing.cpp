module;
#include <cstddef>
#include <new>
#include <span>
#include <type_traits>

module millrace.protocol.framing;

namespace millrace::protocol {

static_assert(std::is_trivially_destructible_v<Splice>);

namespace {

std::size_t aligned_for_splices(std::size_t bytes) {
  return (bytes + alignof(Splice) - 1) / alignof(Splice) * alignof(Splice);
}

}  // namespace

OutgoingFrame::OutgoingFrame(BufferPool& pool, std::size_t inline_bytes, std::size_t record_bytes,
                             std::size_t splice_count)
    : buffer_(pool.acquire(aligned_for_splices(inline_bytes) + splice_count * sizeof(Splice))),
      inline_bytes_(inline_bytes),
      record_bytes_(record_bytes),
      splice_count_(splice_count) {
  std::byte* place = buffer_.bytes().data() + aligned_for_splices(inline_bytes);
  for (std::size_t i = 0; i < splice_count; ++i) ::new (place + i * sizeof(Splice)) Splice();
}

std::span<Splice> OutgoingFrame::splices() const {
  std::byte* place = buffer_.bytes().data() + aligned_for_splices(inline_bytes_);
  return {std::launder(reinterpret_cast<Splice*>(place)), splice_count_};
}

}  // namespace millrace::protocol
