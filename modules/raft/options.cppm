// How a node behaves, and how much it may hold.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>

export module millrace.raft:options;

import millrace.base;

export namespace millrace::raft {

// Messages that wait until term and vote are durable. More are dropped, as a network may.
inline constexpr std::size_t held_messages_max = 256;
// Members of all kinds in one group.
inline constexpr std::size_t members_max = 64;

// The same for all nodes of a group, but for the seed. Times are those of the node's own clock.
struct Options {
  Duration heartbeat_interval = std::chrono::milliseconds{50};
  // A follower that hears nothing for this long, and up to twice as long at random, asks to be
  // elected. A leader that hears of no majority for this long stops to lead.
  Duration election_timeout_min = std::chrono::milliseconds{500};
  // When an answer to entries or to a part of a snapshot counts as lost.
  Duration resend_after = std::chrono::milliseconds{200};
  std::uint64_t seed = 0;  // of election timeouts; another one on each node

  std::size_t entry_bytes_max = mebibyte;         // the data of one proposal
  std::size_t append_bytes_max = 256 * kibibyte;  // in one message; one entry may be larger
  std::size_t inflight_messages_max = 64;         // to one follower, not answered
  std::size_t inflight_bytes_max = 4 * mebibyte;  // to one follower, not answered
  std::size_t uncommitted_entries_max = 4096;     // proposals above that are refused
  std::size_t uncommitted_bytes_max = 8 * mebibyte;
  std::size_t reads_max = 4096;  // waiting
  std::size_t snapshot_chunk_bytes_max = 256 * kibibyte;
  // Kept below a snapshot, for followers that are a little behind.
  std::size_t entries_kept = 1024;
  // A learner that lacks more than this many entries is not made a voter.
  std::size_t learner_lag_max = 1024;
};

// Whether the values make sense together; the error names what does not.
[[nodiscard]] Result<void> validate(const Options& options);

}  // namespace millrace::raft
