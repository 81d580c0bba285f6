#include "counted_messages.hpp"

#include <capnp/rpc.capnp.h>

#include <cstddef>

namespace millrace::rpc {

CountedMessages::CountedMessages(kj::AsyncIoStream& stream, std::size_t open_max, Overrun overrun)
    : inner_(stream), open_max_(open_max), overrun_(kj::mv(overrun)) {}

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> CountedMessages::tryReadMessage(
    kj::ArrayPtr<kj::AutoCloseFd> descriptors, capnp::ReaderOptions options,
    kj::ArrayPtr<capnp::word> scratch) {
  using Read = kj::Maybe<capnp::MessageReaderAndFds>;
  return inner_.tryReadMessage(descriptors, options, scratch)
      .then([this](Read read) -> kj::Promise<Read> {
        KJ_IF_MAYBE (message, read) {
          if (!count(*message->reader)) {
            overrun_();
            return kj::NEVER_DONE;
          }
        }
        return kj::mv(read);
      });
}

bool CountedMessages::count(capnp::MessageReader& message) {
  switch (message.getRoot<capnp::rpc::Message>().which()) {
    case capnp::rpc::Message::BOOTSTRAP:
    case capnp::rpc::Message::CALL:
      return ++open_ <= open_max_;
    case capnp::rpc::Message::FINISH:
      if (open_ > 0) --open_;
      return true;
    default:
      return true;
  }
}

}  // namespace millrace::rpc
