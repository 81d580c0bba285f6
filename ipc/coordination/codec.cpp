module;
// clang-format off: the comparison must come before any header of Cap'n Proto
#include "../rpc/capnp_cxx20.hpp"
#include <capnp/message.h>
#include <capnp/serialize.h>
// clang-format on
#include <kj/exception.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "coordination.capnp.h"

module millrace.ipc.coordination;

import millrace.base;
import millrace.protocol.api;

namespace millrace::coordination {
namespace {

// --- Writing. ---

kj::ArrayPtr<const kj::byte> data_of(ByteView bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

// Cap'n Proto's text ends in a zero byte, which std::string has.
capnp::Text::Reader text_of(const std::string& text) {
  return {text.c_str(), text.size()};
}

void write(wire::LoadedPartition::Builder to, const LoadedPartition& of) {
  to.setPartition(of.partition.value());
  to.setEpoch(of.epoch.value());
  to.setLoad(of.load.value());
}

struct ToCoordinatorWriter {
  wire::ToCoordinator::Builder root;

  void operator()(const Hello& message) {
    auto to = root.initHello();
    to.setVersion(message.version);
    to.setBroker(message.broker.value());
    to.setCluster(data_of(message.cluster.bytes));
    to.setSession(message.session.value());
  }
  void operator()(const Lead& message) {
    auto to = root.initLead();
    to.setPartition(message.partition.value());
    to.setEpoch(message.epoch.value());
  }
  void operator()(const Lost& message) { root.initLost().setPartition(message.partition.value()); }
  void operator()(const ClientRequest& message) {
    auto to = root.initRequest();
    to.setNumber(message.number.value());
    to.setApi(static_cast<std::int16_t>(message.api));
    to.setVersion(message.version);
    to.setPrincipal(text_of(message.principal));
    to.setClientId(text_of(message.client_id));
    to.setClientHost(text_of(message.client_host));
    to.setStatePartitions(message.state_partitions);
    auto topics = to.initTopics(static_cast<unsigned>(message.topics.size()));
    for (unsigned i = 0; i < topics.size(); ++i) {
      topics[i].setName(text_of(message.topics[i].name));
      topics[i].setId(data_of(message.topics[i].id.bytes));
      topics[i].setPartitions(message.topics[i].partitions);
    }
    to.setBody(data_of(message.body));
  }
  void operator()(const Batches& message) {
    auto to = root.initBatches();
    write(to.initOf(), message.of);
    to.setError(static_cast<std::int16_t>(message.error));
    to.setNext(message.next.value());
    to.setEnd(message.end.value());
    to.setBatches(data_of(message.batches));
  }
  void operator()(const Committed& message) {
    auto to = root.initCommitted();
    write(to.initOf(), message.of);
    to.setTicket(message.ticket.value());
  }
  void operator()(const AppendFailed& message) {
    auto to = root.initAppendFailed();
    write(to.initOf(), message.of);
    to.setError(static_cast<std::int16_t>(message.error));
  }
  void operator()(const Ping& message) { root.initPing().setNumber(message.number); }
};

struct ToBrokerWriter {
  wire::ToBroker::Builder root;

  void operator()(const Welcome& message) { root.initWelcome().setVersion(message.version); }
  void operator()(const ClientAnswer& message) {
    auto to = root.initAnswer();
    to.setNumber(message.number.value());
    to.setClose(message.close);
    to.setReason(text_of(message.reason));
    to.setBody(data_of(message.body));
  }
  void operator()(const Read& message) {
    auto to = root.initRead();
    to.setSession(message.session.value());
    write(to.initOf(), message.of);
    to.setFrom(message.from.value());
    to.setBytesMax(message.bytes_max);
  }
  void operator()(const Append& message) {
    auto to = root.initAppend();
    to.setSession(message.session.value());
    write(to.initOf(), message.of);
    to.setTicket(message.ticket.value());
    to.setBatch(data_of(message.batch));
  }
  void operator()(const Pong& message) { root.initPong().setNumber(message.number); }
};

template <class Root, class Writer, class Message>
OwnedBytes encoded(const Message& message) {
  capnp::MallocMessageBuilder builder;
  std::visit(Writer{builder.initRoot<Root>()}, message);
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(builder);
  const auto bytes = words.asBytes();
  OwnedBytes out(bytes.size());
  std::memcpy(out.data(), bytes.begin(), bytes.size());
  return out;
}

// --- Reading. What breaks a rule of ours is thrown as Malformed, as Cap'n Proto throws what breaks
// --- its rules; both become an error before this file is left.

struct Malformed {
  const char* what;
};

void require(bool holds, const char* what) {
  if (!holds) throw Malformed{what};
}

OwnedBytes bytes_of(capnp::Data::Reader data, std::size_t bytes_max) {
  require(data.size() <= bytes_max, "bytes are longer than the limit");
  const auto* const begin = reinterpret_cast<const std::byte*>(data.begin());
  return {begin, begin + data.size()};
}

std::string string_of(capnp::Text::Reader text) {
  require(text.size() <= string_bytes_max, "a string is longer than the limit");
  return {text.begin(), text.size()};
}

Uuid uuid_of(capnp::Data::Reader data) {
  Uuid uuid;
  require(data.size() == uuid.bytes.size(), "an id does not have 16 bytes");
  std::memcpy(uuid.bytes.data(), data.begin(), uuid.bytes.size());
  return uuid;
}

PartitionIndex partition_of(std::int32_t number) {
  require(number >= 0, "a partition is negative");
  return PartitionIndex(number);
}

LeaderEpoch epoch_of(std::int32_t number) {
  require(number >= 0, "a leader epoch is negative");
  return LeaderEpoch(number);
}

LoadedPartition loaded_of(wire::LoadedPartition::Reader from) {
  return {partition_of(from.getPartition()), epoch_of(from.getEpoch()), LoadId(from.getLoad())};
}

ClientRequest request_of(wire::ClientRequest::Reader from) {
  ClientRequest request;
  request.number = RequestNumber(from.getNumber());
  const auto* const api = protocol::find_api(from.getApi());
  require(api != nullptr, "a request of an API that there is not");
  request.api = api->key;
  request.version = from.getVersion();
  require(protocol::supports(*api, request.version), "a request of a version that there is not");
  request.principal = string_of(from.getPrincipal());
  request.client_id = string_of(from.getClientId());
  request.client_host = string_of(from.getClientHost());
  request.state_partitions = from.getStatePartitions();
  require(request.state_partitions >= 0, "a negative number of partitions");
  const auto topics = from.getTopics();
  require(topics.size() <= known_topics_max, "more topics than the limit");
  for (const auto topic : topics) {
    request.topics.push_back(
        {string_of(topic.getName()), uuid_of(topic.getId()), topic.getPartitions()});
    require(topic.getPartitions() >= 0, "a negative number of partitions");
  }
  request.body = bytes_of(from.getBody(), body_bytes_max);
  return request;
}

ToCoordinator read(wire::ToCoordinator::Reader root) {
  using wire = wire::ToCoordinator;
  switch (root.which()) {
    case wire::HELLO: {
      const auto from = root.getHello();
      return Hello{from.getVersion(), BrokerId(from.getBroker()), uuid_of(from.getCluster()),
                   SessionId(from.getSession())};
    }
    case wire::LEAD: {
      const auto from = root.getLead();
      return Lead{partition_of(from.getPartition()), epoch_of(from.getEpoch())};
    }
    case wire::LOST:
      return Lost{partition_of(root.getLost().getPartition())};
    case wire::REQUEST:
      return request_of(root.getRequest());
    case wire::BATCHES: {
      const auto from = root.getBatches();
      return Batches{loaded_of(from.getOf()), protocol::error_code_from(from.getError()),
                     Offset(from.getNext()), Offset(from.getEnd()),
                     bytes_of(from.getBatches(), batch_bytes_max)};
    }
    case wire::COMMITTED: {
      const auto from = root.getCommitted();
      return Committed{loaded_of(from.getOf()), Ticket(from.getTicket())};
    }
    case wire::APPEND_FAILED: {
      const auto from = root.getAppendFailed();
      return AppendFailed{loaded_of(from.getOf()), protocol::error_code_from(from.getError())};
    }
    case wire::PING:
      return Ping{root.getPing().getNumber()};
  }
  throw Malformed{"a message of a kind that there is not"};
}

ToBroker read(wire::ToBroker::Reader root) {
  using wire = wire::ToBroker;
  switch (root.which()) {
    case wire::WELCOME:
      return Welcome{root.getWelcome().getVersion()};
    case wire::ANSWER: {
      const auto from = root.getAnswer();
      return ClientAnswer{RequestNumber(from.getNumber()), from.getClose(),
                          string_of(from.getReason()), bytes_of(from.getBody(), body_bytes_max)};
    }
    case wire::READ: {
      const auto from = root.getRead();
      require(from.getFrom() >= 0, "an offset is negative");
      return Read{SessionId(from.getSession()), loaded_of(from.getOf()), Offset(from.getFrom()),
                  from.getBytesMax()};
    }
    case wire::APPEND: {
      const auto from = root.getAppend();
      return Append{SessionId(from.getSession()), loaded_of(from.getOf()), Ticket(from.getTicket()),
                    bytes_of(from.getBatch(), batch_bytes_max)};
    }
    case wire::PONG:
      return Pong{root.getPong().getNumber()};
  }
  throw Malformed{"a message of a kind that there is not"};
}

template <class Root, class Message>
Result<Message> decoded(ByteView bytes) {
  if (bytes.size() > message_bytes_max || bytes.size() % sizeof(capnp::word) != 0) {
    return failure(ErrorKind::corrupt, "a message of a size that cannot be");
  }
  // Cap'n Proto reads words in place; bytes from a channel are aligned, those of others may not be.
  std::vector<std::uint64_t> aligned;
  const void* place = bytes.data();
  if (reinterpret_cast<std::uintptr_t>(place) % alignof(std::uint64_t) != 0) {
    aligned.resize(bytes.size() / sizeof(std::uint64_t));
    std::memcpy(aligned.data(), bytes.data(), bytes.size());
    place = aligned.data();
  }
  capnp::ReaderOptions options;
  // Each word is read once: messages that point to the same words again and again are refused.
  options.traversalLimitInWords = bytes.size() / sizeof(capnp::word) + 64;
  options.nestingLimit = 8;
  try {
    capnp::FlatArrayMessageReader reader(
        kj::ArrayPtr<const capnp::word>(static_cast<const capnp::word*>(place),
                                        bytes.size() / sizeof(capnp::word)),
        options);
    return read(reader.getRoot<Root>());
  } catch (const Malformed& malformed) {
    return failure(ErrorKind::corrupt, malformed.what);
  } catch (const kj::Exception& exception) {
    return failure(ErrorKind::corrupt, std::string(exception.getDescription().cStr()));
  }
}

}  // namespace

OwnedBytes encode(const ToCoordinator& message) {
  return encoded<wire::ToCoordinator, ToCoordinatorWriter>(message);
}

OwnedBytes encode(const ToBroker& message) {
  return encoded<wire::ToBroker, ToBrokerWriter>(message);
}

Result<ToCoordinator> decode_to_coordinator(ByteView bytes) {
  return decoded<wire::ToCoordinator, ToCoordinator>(bytes);
}

Result<ToBroker> decode_to_broker(ByteView bytes) {
  return decoded<wire::ToBroker, ToBroker>(bytes);
}

}  // namespace millrace::coordination
