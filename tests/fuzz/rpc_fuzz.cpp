// What a stranger sends to a controller, and a wrong controller to those who call it: any bytes as
// a message of each kind, read under the limits of a connection. The first byte of the input says
// which kind. What is read can be written, and is then read as the same.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>

#include "../../ipc/rpc/wire.hpp"

import millrace.base;
import millrace.ipc.rpc;

namespace {

using namespace millrace;

kj::Array<capnp::word> words_of(const std::uint8_t* data, std::size_t size) {
  auto words = kj::heapArray<capnp::word>(size / sizeof(capnp::word));
  if (words.size() > 0) std::memcpy(words.begin(), data, words.asBytes().size());
  return words;
}

template <class Struct, class Plain>
std::optional<Plain> read(kj::ArrayPtr<const capnp::word> words) {
  try {
    capnp::FlatArrayMessageReader message(
        words,
        rpc::reader_options(rpc::traversal_bytes_max / sizeof(capnp::word), rpc::nesting_max));
    return rpc::wire::read<Plain>(message.getRoot<Struct>());
  } catch (const kj::Exception&) {
    return std::nullopt;
  }
}

template <class Struct, class Plain>
Plain written_and_read(const Plain& plain) {
  capnp::MallocMessageBuilder message;
  rpc::wire::write(plain, message.initRoot<Struct>());
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  constexpr std::size_t fixed_bytes = 512;
  check(words.asBytes().size() <= rpc::wire::bytes_of(plain) + fixed_bytes,
        "what is announced as its size is not less than what it takes");
  auto again = read<Struct, Plain>(words);
  check(again.has_value(), "what was read can be written and read again");
  return *std::move(again);
}

template <class Struct, class Plain>
void try_as(kj::ArrayPtr<const capnp::word> words) {
  const auto plain = read<Struct, Plain>(words);
  if (!plain) return;
  // Times are cut to what the wire holds, once.
  const Plain first = written_and_read<Struct>(*plain);
  check(written_and_read<Struct>(first) == first, "what is written is read as the same");
}

using Try = void (*)(kj::ArrayPtr<const capnp::word>);
#define MILLRACE_TRY(Struct) try_as<rpc::wire::Struct, rpc::Struct>
constexpr Try kinds[] = {
    MILLRACE_TRY(Hello),
    MILLRACE_TRY(HelloReply),
    MILLRACE_TRY(RegisterBroker),
    MILLRACE_TRY(RegisterBrokerReply),
    MILLRACE_TRY(Heartbeat),
    MILLRACE_TRY(HeartbeatReply),
    MILLRACE_TRY(FollowMetadata),
    MILLRACE_TRY(FollowMetadataReply),
    MILLRACE_TRY(Forward),
    MILLRACE_TRY(ForwardReply),
    MILLRACE_TRY(AllocateProducerIds),
    MILLRACE_TRY(AllocateProducerIdsReply),
    MILLRACE_TRY(DescribeQuorumReply),
    MILLRACE_TRY(RaftMessage),
};
#undef MILLRACE_TRY

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const kj::Array<capnp::word> words = words_of(data + 1, size - 1);
  kinds[data[0] % std::size(kinds)](words);
  return 0;
}
