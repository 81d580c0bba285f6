// All of Cap'n Proto and KJ that the sources here need. Included by .cpp files only.
#pragma once
// clang-format off: the first must come before the others
#include "capnp_cxx20.hpp"
#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>
#include <kj/async-unix.h>
// clang-format on

namespace millrace::rpc {

// What runs on an RpcThread gets from it. Used on that thread only.
struct KjContext {
  kj::AsyncIoContext& io;

  [[nodiscard]] kj::Timer& timer() const { return io.provider->getTimer(); }
};

// The rest of the loop goes on when the failed task is gone.
class IgnoredTaskErrors final : public kj::TaskSet::ErrorHandler {
 public:
  void taskFailed(kj::Exception&&) override {}
};

}  // namespace millrace::rpc
