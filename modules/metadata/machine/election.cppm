// Who leads a partition, and who is in sync, after brokers came or went.
module;
#include <functional>
#include <optional>
#include <vector>

export module millrace.metadata.machine:election;

import millrace.base;
import millrace.metadata;

export namespace millrace::metadata {

struct ElectionRules {
  std::function<bool(BrokerId)> may_lead;
  // Whether it leaves the in-sync replicas, where others stay.
  std::function<bool(BrokerId)> must_leave;
  bool unclean = false;  // a replica that is not in sync may lead where none is; records are lost
};

// What changes for the partition; none: nothing. A leader that may lead stays. Another one is the
// first in-sync replica that may. The last in-sync replica stays in sync, so that it may lead when
// it comes back.
[[nodiscard]] std::optional<PartitionChangeRecord> elect(const Uuid& topic,
                                                         const Partition& partition,
                                                         const ElectionRules& rules);

}  // namespace millrace::metadata
