// What a broker's answer means for a batch.
module;
#include <cstdint>

export module millrace.client.producer:verdict;

import millrace.client.core;
import millrace.protocol.api;

export namespace millrace::client {

enum class Verdict : std::uint8_t {
  delivered,
  was_there,    // the broker had it already: delivered, but where is not known
  retry,        // the same batch, later
  split,        // too large as one
  gap,          // the broker lacks something before it, or the state to know
  failed,       // this batch is not written, whatever one does
  failed_fatal  // nor will any other be
};

struct BatchFacts {
  std::int32_t record_count = 0;
  bool is_idempotent = false;
  bool is_transactional = false;
  bool is_head = true;  // nothing before it waits for an outcome
};

[[nodiscard]] Verdict verdict_of(ErrorCode code, const BatchFacts& batch);

}  // namespace millrace::client
