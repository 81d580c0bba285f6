// A connection that is not read while its peer does not read.
#pragma once
#include <cstddef>
#include "kj.hpp"

namespace millrace::rpc {

// Around the stream of a connection. While something that was written waits to be taken, nothing is
// read: a peer that asks on and on and never reads an answer is not listened to, and what is kept
// for it does not grow. So the peer must read whatever it waits to write, as all clients of KJ do.
// On one KJ thread.
class PacedStream final : public kj::AsyncIoStream {
 public:
  // Told how many bytes a write had, when it has ended; outlives the stream.
  using Written = kj::Function<void(std::size_t bytes)>;

  PacedStream(kj::Own<kj::AsyncIoStream> inner, Written written);
  KJ_DISALLOW_COPY(PacedStream);

  kj::Promise<std::size_t> tryRead(void* buffer, std::size_t bytes_min,
                                   std::size_t bytes_max) override;
  kj::Promise<void> write(const void* buffer, std::size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return inner_->whenWriteDisconnected(); }
  void shutdownWrite() override { inner_->shutdownWrite(); }
  void abortRead() override { inner_->abortRead(); }

 private:
  [[nodiscard]] kj::Promise<void> counted(kj::Promise<void> writing, std::size_t bytes);
  void end_write(std::size_t bytes);

  kj::Own<kj::AsyncIoStream> inner_;
  Written written_;
  std::size_t writes_ = 0;                                    // that have not ended
  kj::Maybe<kj::Own<kj::PromiseFulfiller<void>>> reading_{};  // a read that waits for them
};

}  // namespace millrace::rpc
