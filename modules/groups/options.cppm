// How groups behave, and how much one state partition may hold.
module;
#include <chrono>
#include <cstddef>
#include <limits>

export module millrace.groups:options;

import millrace.base;
import :limits;
import :types;

export namespace millrace::groups {

// The first eight are Kafka's settings and their defaults; the rest are limits of our own.
struct Options {
  Milliseconds initial_rebalance_delay{3'000};                   // group.initial.rebalance.delay.ms
  Milliseconds session_timeout_min{6'000};                       // group.min.session.timeout.ms
  Milliseconds session_timeout_max{1'800'000};                   // group.max.session.timeout.ms
  std::size_t group_size_max = std::numeric_limits<int>::max();  // group.max.size
  std::size_t offset_metadata_length_max = 4'096;                // offset.metadata.max.bytes
  Milliseconds offsets_retention = std::chrono::minutes{10'080};  // offsets.retention.minutes
  Milliseconds expiry_interval{600'000};  // offsets.retention.check.interval.ms
  // A member that never got its id cannot send heartbeats: this long its join may wait.
  Milliseconds new_member_join_timeout{300'000};

  std::size_t groups_max = 100'000;
  std::size_t pending_members_max = 10'000;        // told their id and not yet joined, in one group
  std::size_t offsets_max = 5'000'000;             // of all groups together
  std::size_t state_bytes_max = 1'024 * mebibyte;  // of all groups together, about
  std::size_t member_bytes_max = mebibyte;         // what one member says about itself
  std::size_t record_bytes_max = 900 * kibibyte;   // key and value of one record
  std::size_t append_bytes_max = 1'000 * kibibyte;    // that records take in one batch
  std::size_t commit_bytes_max = 16 * mebibyte;       // that records of one commit take, about
  std::size_t erasure_bytes_max = 16 * mebibyte;      // that records of the end of a group take
  std::size_t open_requests_max = 200'000;            // not yet answered
  std::size_t fetch_bytes_max = 31 * mebibyte;        // offsets that one request is answered with
  std::size_t uncommitted_bytes_max = 64 * mebibyte;  // written and not yet committed
  std::size_t uncommitted_appends_max = 2'000;        // the same, by number
};

// Whether the values make sense together; the error names what does not.
[[nodiscard]] Result<void> validate(const Options& options);

}  // namespace millrace::groups
