module;
#include <cstddef>

module millrace.groups;

import millrace.base;

namespace millrace::groups {

Result<void> validate(const Options& options) {
  const auto refuse = [](const char* what) { return failure(ErrorKind::invalid_argument, what); };
  if (options.session_timeout_min <= Milliseconds::zero()) {
    return refuse("the shortest session timeout must be longer than nothing");
  }
  if (options.session_timeout_max < options.session_timeout_min) {
    return refuse("the longest session timeout is shorter than the shortest");
  }
  if (options.initial_rebalance_delay < Milliseconds::zero()) {
    return refuse("the delay of the first rebalance is negative");
  }
  if (options.expiry_interval <= Milliseconds::zero() ||
      options.offsets_retention <= Milliseconds::zero() ||
      options.new_member_join_timeout <= Milliseconds::zero()) {
    return refuse("an interval or retention must be longer than nothing");
  }
  if (options.group_size_max == 0 || options.groups_max == 0 || options.pending_members_max == 0 ||
      options.offsets_max == 0 || options.state_bytes_max == 0 || options.open_requests_max == 0 ||
      options.fetch_bytes_max == 0 || options.uncommitted_bytes_max == 0 ||
      options.uncommitted_appends_max == 0 || options.commit_bytes_max == 0 ||
      options.erasure_bytes_max == 0) {
    return refuse("a limit of nothing lets nothing pass");
  }
  if (options.append_bytes_max < options.record_bytes_max + record_framing_bytes_max) {
    return refuse("the largest record must fit into one append");
  }
  if (options.state_bytes_max < options.member_bytes_max) {
    return refuse("the largest member must fit into what may be held");
  }
  return {};
}

}  // namespace millrace::groups
