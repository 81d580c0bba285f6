#include "paced_stream.hpp"

#include <cstddef>

namespace millrace::rpc {

PacedStream::PacedStream(kj::Own<kj::AsyncIoStream> inner, Written written)
    : inner_(kj::mv(inner)), written_(kj::mv(written)) {}

kj::Promise<std::size_t> PacedStream::tryRead(void* buffer, std::size_t bytes_min,
                                              std::size_t bytes_max) {
  if (writes_ == 0) return inner_->tryRead(buffer, bytes_min, bytes_max);
  auto pair = kj::newPromiseAndFulfiller<void>();
  reading_ = kj::mv(pair.fulfiller);
  return pair.promise.then(
      [this, buffer, bytes_min, bytes_max] { return tryRead(buffer, bytes_min, bytes_max); });
}

kj::Promise<void> PacedStream::write(const void* buffer, std::size_t size) {
  return counted(inner_->write(buffer, size), size);
}

kj::Promise<void> PacedStream::write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) {
  std::size_t bytes = 0;
  for (const kj::ArrayPtr<const kj::byte> piece : pieces) bytes += piece.size();
  return counted(inner_->write(pieces), bytes);
}

kj::Promise<void> PacedStream::counted(kj::Promise<void> writing, std::size_t bytes) {
  ++writes_;
  // A write that fails ends too: the next read then finds out what is wrong.
  return writing.attach(kj::defer([this, bytes] { end_write(bytes); }));
}

void PacedStream::end_write(std::size_t bytes) {
  --writes_;
  written_(bytes);
  if (writes_ > 0) return;
  KJ_IF_MAYBE (reading, reading_) {
    (*reading)->fulfill();
    reading_ = nullptr;
  }
}

}  // namespace millrace::rpc
