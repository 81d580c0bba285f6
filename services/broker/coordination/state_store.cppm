// What the gateway needs of the broker: the partitions of __consumer_offsets, and which topics
// there are.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

export module millrace.broker.coordination:state_store;

import millrace.base;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.runtime;

export namespace millrace::broker {

// Whole batches of a state partition, below its high watermark.
struct StateBatches {
  std::vector<std::byte> bytes;
  Offset next;  // where to read on
  Offset end;   // of the log
};

// The partitions of __consumer_offsets that this broker leads. Outlives the gateway; on its shard.
class StateStore {
 public:
  virtual ~StateStore() = default;
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  // From the batch that holds `from`, or the first after it; at least one where there is one. Fails
  // where the broker does not lead in that epoch.
  [[nodiscard]] virtual Task<Result<StateBatches, protocol::ErrorCode>> read(
      PartitionIndex partition, LeaderEpoch epoch, Offset from, std::size_t bytes_max) = 0;
  // Ends when the batch is below the high watermark, or will never be known to be. Appends to one
  // partition that begin one after the other are in the log in that order.
  [[nodiscard]] virtual Task<Result<void, protocol::ErrorCode>> append(
      PartitionIndex partition, LeaderEpoch epoch, std::vector<std::byte> batch) = 0;

 protected:
  StateStore() = default;
};

// The topics of the cluster, as of now. Outlives the gateway; on its shard.
class GroupTopics : public coordination::TopicLookup {
 public:
  // Of __consumer_offsets; 0 while there is no such topic.
  [[nodiscard]] virtual std::int32_t state_partitions() const = 0;
  // At most so many.
  [[nodiscard]] virtual std::vector<coordination::KnownTopic> all(std::size_t topics_max) const = 0;
};

}  // namespace millrace::broker
