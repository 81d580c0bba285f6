// The messages between a broker and its coordinator. Layout and rules:
// docs/formats/coordination.md.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

export module millrace.ipc.coordination:messages;

import millrace.base;
import millrace.groups;
import millrace.protocol.api;
import :limits;

export namespace millrace::coordination {

using groups::OwnedBytes;
using groups::Ticket;
using protocol::ApiKey;
using protocol::ErrorCode;

// One connection of a coordinator to its broker, as the broker numbers them. What belongs to
// another one is refused.
using SessionId = Strong<struct SessionIdTag, std::uint64_t>;
// One attempt to load a partition, as the coordinator numbers them within a session. Tickets count
// from 1 in each.
using LoadId = Strong<struct LoadIdTag, std::uint64_t>;
// A client's request, as the broker numbers them.
using RequestNumber = Strong<struct RequestNumberTag, std::uint64_t>;

// Which records are meant: those of a state partition under one leader epoch, for one load.
struct LoadedPartition {
  PartitionIndex partition;
  LeaderEpoch epoch = no_leader_epoch;
  LoadId load;

  friend bool operator==(const LoadedPartition&, const LoadedPartition&) = default;
};

// --- From the broker. ---

// The first message.
struct Hello {
  std::uint16_t version = protocol_version;
  BrokerId broker = no_broker;
  Uuid cluster;
  SessionId session;

  friend bool operator==(const Hello&, const Hello&) = default;
};
// The broker leads the partition in this epoch, or it leads it no more.
struct Lead {
  PartitionIndex partition;
  LeaderEpoch epoch = no_leader_epoch;

  friend bool operator==(const Lead&, const Lead&) = default;
};
struct Lost {
  PartitionIndex partition;

  friend bool operator==(const Lost&, const Lost&) = default;
};
// A topic that a request names and that exists.
struct KnownTopic {
  std::string name;
  Uuid id;
  std::int32_t partitions = 0;

  friend bool operator==(const KnownTopic&, const KnownTopic&) = default;
};
struct ClientRequest {
  RequestNumber number;
  ApiKey api = ApiKey::heartbeat;
  std::int16_t version = 0;
  std::string principal;
  std::string client_id;
  std::string client_host;            // as Kafka shows it: "/127.0.0.1"
  std::int32_t state_partitions = 0;  // of __consumer_offsets
  std::vector<KnownTopic> topics;     // for requests that need to know them
  OwnedBytes body;

  friend bool operator==(const ClientRequest&, const ClientRequest&) = default;
};
// Whole batches from `from` on. With no error and `next` below `end` there is more to read.
struct Batches {
  LoadedPartition of;
  ErrorCode error = ErrorCode::none;
  Offset next;  // where to read on
  Offset end;   // of the log, as it is now
  OwnedBytes batches;

  friend bool operator==(const Batches&, const Batches&) = default;
};
// This append and those before it are below the high watermark.
struct Committed {
  LoadedPartition of;
  Ticket ticket;

  friend bool operator==(const Committed&, const Committed&) = default;
};
// An append was refused or its fate is not known. None after it is taken for this load.
struct AppendFailed {
  LoadedPartition of;
  ErrorCode error = ErrorCode::none;

  friend bool operator==(const AppendFailed&, const AppendFailed&) = default;
};
struct Ping {
  std::uint64_t number = 0;

  friend bool operator==(const Ping&, const Ping&) = default;
};

// --- From the coordinator. ---

// The answer to Hello.
struct Welcome {
  std::uint16_t version = protocol_version;

  friend bool operator==(const Welcome&, const Welcome&) = default;
};
// To a client's request: the body of the answer, or that the connection is to be closed.
struct ClientAnswer {
  RequestNumber number;
  bool close = false;
  std::string reason;  // for the log, where the connection is closed
  OwnedBytes body;

  friend bool operator==(const ClientAnswer&, const ClientAnswer&) = default;
};
struct Read {
  SessionId session;
  LoadedPartition of;
  Offset from;
  std::uint32_t bytes_max = 0;

  friend bool operator==(const Read&, const Read&) = default;
};
struct Append {
  SessionId session;
  LoadedPartition of;
  Ticket ticket;
  OwnedBytes batch;

  friend bool operator==(const Append&, const Append&) = default;
};
struct Pong {
  std::uint64_t number = 0;

  friend bool operator==(const Pong&, const Pong&) = default;
};

using ToCoordinator =
    std::variant<Hello, Lead, Lost, ClientRequest, Batches, Committed, AppendFailed, Ping>;
using ToBroker = std::variant<Welcome, ClientAnswer, Read, Append, Pong>;

}  // namespace millrace::coordination
