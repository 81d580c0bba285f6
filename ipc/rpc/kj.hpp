// All of Cap'n Proto and KJ that the sources here need. Included by .cpp files only.
#pragma once
// clang-format off: the first must come before the others
#include "capnp_cxx20.hpp"
#include <capnp/message.h>
#include <capnp/rpc-twoparty.h>
#include <capnp/serialize.h>
#include <kj/async-io.h>
#include <kj/async-unix.h>
// clang-format on
#include <cstdint>

namespace millrace::rpc {

// What runs on an RpcThread gets from it. Used on that thread only.
struct KjContext {
  kj::AsyncIoContext& io;

  [[nodiscard]] kj::Timer& timer() const { return io.provider->getTimer(); }
};

// How much of a message is read; see limits.cppm.
[[nodiscard]] inline capnp::ReaderOptions reader_options(std::uint64_t words_max, int nesting_max) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = words_max;
  options.nestingLimit = nesting_max;
  return options;
}

}  // namespace millrace::rpc
