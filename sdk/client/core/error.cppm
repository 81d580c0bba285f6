// How calls of a client fail: with Kafka's code, with what may be done about it, and with a
// sentence that says which broker said what.
module;
#include <cstdint>
#include <string>
#include <string_view>

export module millrace.client.core:error;

import millrace.base;
import millrace.protocol.api;

export namespace millrace::client {

using protocol::ErrorCode;

// What is known about the records or changes that a failed call carried.
enum class Persistence : std::uint8_t { not_persisted, persisted, unknown };

enum class Failure : std::uint8_t {
  broker_said,  // the code tells what
  timed_out,
  disconnected,
  unresolved_address,
  malformed_answer,
  unsupported_version,  // the broker speaks no version that this client speaks
  unknown_topic,
  unknown_broker,
  closed,  // the client, by its user
  buffer_full,
  record_too_large,
  bad_argument,
  fenced,  // another producer or member has taken this one's place
  not_in_group,
  aborted,  // the transaction that it belonged to was
  wakened,  // a wait was ended by the one who waits
};

[[nodiscard]] std::string_view name_of(Persistence persistence);
[[nodiscard]] std::string_view name_of(Failure failure);

// A value. `retriable`: the same call may succeed later. `fatal`: the client can do nothing more
// and must be made anew. `needs_abort`: its transaction can only be aborted; the next one may
// succeed. None: this call failed for good, others may succeed.
struct ClientError {
  Failure failure = Failure::broker_said;
  // For failures of this side what Java's client reports for them.
  ErrorCode code = ErrorCode::none;
  bool retriable = false;
  bool fatal = false;
  bool needs_abort = false;
  Persistence persistence = Persistence::not_persisted;
  BrokerId broker = no_broker;
  std::string message;  // a sentence for people

  friend bool operator==(const ClientError&, const ClientError&) = default;
};

template <class T>
using ClientResult = Result<T, ClientError>;

// What a code of Kafka means for a client.
struct ErrorTraits {
  bool retriable = false;  // the same request may succeed later
  // The producer cannot go on: it was fenced, may not write, or lost its order.
  bool fatal_for_producer = false;
  // The consumer cannot go on as a member or at all.
  bool fatal_for_consumer = false;
  // Whether a produce request that was answered so has left its records in the log.
  Persistence produce = Persistence::not_persisted;
  // What the client knows of leaders, topics or coordinators is out of date.
  bool refresh_metadata = false;
  bool find_coordinator = false;
};

[[nodiscard]] ErrorTraits traits_of(ErrorCode code);

// The error for an answer with a code; `sentence` says which partition, group, ... it is about.
[[nodiscard]] ClientError broker_error(ErrorCode code, BrokerId broker, std::string sentence);
// The error for a failure of this side, with the code that Java reports for it. Of a request that
// may have reached the broker, say Persistence::unknown.
[[nodiscard]] ClientError client_error(Failure failure, std::string sentence,
                                       Persistence persistence = Persistence::not_persisted,
                                       BrokerId broker = no_broker);

// "NOT_LEADER_OR_FOLLOWER (broker 2): orders-3 ..., not persisted".
[[nodiscard]] std::string to_string(const ClientError& error);

}  // namespace millrace::client
