// A connection that knows how many answers its peer has not done with.
#pragma once
#include <cstddef>
#include "kj.hpp"

namespace millrace::rpc {

// Around the messages of a server's connection. Cap'n Proto keeps an entry for each call until the
// caller says Finish, also when it has the answer: a peer that never says so would make it grow
// without end. Here calls are counted, less those that are finished; past the limit the owner is
// told, once, and nothing is read any more. What makes no sense Cap'n Proto refuses itself: Finish
// for a call that there is not, and a call with the number of one that is open. On one KJ thread.
class CountedMessages final : public capnp::MessageStream {
 public:
  using Overrun = kj::Function<void()>;

  // The stream outlives it.
  CountedMessages(kj::AsyncIoStream& stream, std::size_t open_max, Overrun overrun);
  KJ_DISALLOW_COPY(CountedMessages);

  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
      kj::ArrayPtr<kj::AutoCloseFd> descriptors, capnp::ReaderOptions options,
      kj::ArrayPtr<capnp::word> scratch) override;
  kj::Promise<void> writeMessage(
      kj::ArrayPtr<const int> descriptors,
      kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override {
    return inner_.writeMessage(descriptors, segments);
  }
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override {
    return inner_.writeMessages(messages);
  }
  kj::Maybe<int> getSendBufferSize() override { return inner_.getSendBufferSize(); }
  kj::Promise<void> end() override { return inner_.end(); }

 private:
  // False: there are too many.
  [[nodiscard]] bool count(capnp::MessageReader& message);

  capnp::AsyncIoMessageStream inner_;
  std::size_t open_max_;
  std::size_t open_ = 0;
  Overrun overrun_;
};

}  // namespace millrace::rpc
