// What a broker's error means for a transaction: a table of Kafka's rules.
module;
#include <cstdint>

export module millrace.client.producer:consequence;

import millrace.client.core;
import millrace.protocol.api;

export namespace millrace::client {

// Which request was answered.
enum class TransactionStep : std::uint8_t {
  find_coordinator,
  take_id,  // InitProducerId
  add_partitions,
  add_offsets,
  commit_offsets,  // TxnOffsetCommit
  produce,
  end,
};

// The heavier, the later: of several answers to one request the heaviest counts.
enum class Consequence : std::uint8_t {
  none,
  wait,              // the transaction before is still being ended: soon again
  retry,             // the same, after a pause
  find_coordinator,  // the same, at the coordinator of now
  abort,             // this transaction can only be aborted
  renew,             // likewise, and the producer needs a new epoch afterwards
  fenced,            // another producer has taken the transactional id
  fatal,             // nothing more can be done
};

[[nodiscard]] Consequence consequence_of(TransactionStep step, ErrorCode code);
// The same of a call that failed: what did not reach a broker is tried again, if that can help.
[[nodiscard]] Consequence consequence_of(TransactionStep step, const ClientError& error);
// Whether the same request is to be made again.
[[nodiscard]] inline constexpr bool is_passing(Consequence consequence) {
  return consequence == Consequence::wait || consequence == Consequence::retry ||
         consequence == Consequence::find_coordinator;
}

}  // namespace millrace::client
