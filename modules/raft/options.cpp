module;
#include <string>

module millrace.raft;

import millrace.base;

namespace millrace::raft {

Result<void> validate(const Options& options) {
  const auto refuse = [](const char* what) { return failure(ErrorKind::invalid_argument, what); };
  if (options.heartbeat_interval <= Duration::zero()) {
    return refuse("the heartbeat interval must be longer than nothing");
  }
  // One lost heartbeat must not cost a leader its place.
  if (options.election_timeout_min < 3 * options.heartbeat_interval) {
    return refuse("the election timeout must be at least three heartbeat intervals");
  }
  if (options.resend_after < options.heartbeat_interval) {
    return refuse("nothing may count as lost before a heartbeat interval has passed");
  }
  if (options.append_bytes_max == 0 || options.inflight_messages_max == 0 ||
      options.snapshot_chunk_bytes_max == 0 || options.uncommitted_entries_max == 0 ||
      options.reads_max == 0) {
    return refuse("a limit of nothing lets nothing pass");
  }
  if (options.inflight_bytes_max < options.append_bytes_max) {
    return refuse("one message must fit into what may be in flight");
  }
  if (options.uncommitted_bytes_max < options.entry_bytes_max + entry_overhead_bytes) {
    return refuse("the largest entry must fit into what may be uncommitted");
  }
  return {};
}

}  // namespace millrace::raft
