// The few fields of a finished batch that a broker sets in place. Nothing else of a batch is ever
// changed: the producer's id, epoch and sequences stay as they came.
module;
#include <cstddef>

export module millrace.protocol.batch:rewrite;

import :header;
import millrace.base;

export namespace millrace::protocol {

// `batch` is one whole batch, whose header was read successfully; that it is one is an invariant.

// Both lie before what the CRC covers, so it stays.
void rewrite_base_offset_and_epoch(MutableBytes batch, Offset base_offset,
                                   LeaderEpoch leader_epoch);

// Sets the timestamp type bit and the max timestamp and renews the CRC, at a cost that grows with
// the logarithm of the batch's size: the CRC is corrected by what the two fields changed. A CRC
// that was wrong stays wrong, so that damage is not sealed.
void rewrite_timestamps(MutableBytes batch, TimestampType type, Timestamp max_timestamp);

}  // namespace millrace::protocol
