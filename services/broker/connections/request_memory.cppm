// The memory that frames of requests may take.
module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

export module millrace.broker.connections:request_memory;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.memory;
import millrace.telemetry;

export namespace millrace::broker {

// All shards together, where nothing else is said. It is a limit: nothing is taken before bytes
// come.
inline constexpr std::size_t request_memory_bytes_default = 256 * mebibyte;

// Frames up to here share a budget that longer ones cannot fill: clients that send frames of a
// hundred mebibytes half, and stop, hold up others that do so, but no ordinary producer.
inline constexpr std::size_t ordinary_frame_bytes_max = 2 * mebibyte;

// What a receive buffer may hold beyond one frame.
inline constexpr std::size_t receive_slack_bytes =
    protocol::receive_buffer_bytes_max + frame_length_bytes;

static_assert(ordinary_frame_bytes_max >= message_bytes_max_default + 64 * kibibyte);

// Which budget a frame belongs to.
enum class FrameClass : std::uint8_t {
  control,   // group, metadata and admin requests
  ordinary,  // produce and fetch
  large,     // any frame above ordinary_frame_bytes_max
};

// From the first bytes of a frame, its length included; none while there are too few to tell.
[[nodiscard]] std::optional<FrameClass> frame_class_of(ByteView started);

// The budgets of the process. Owned by whoever starts it; outlives the LocalRequestMemory of each
// shard.
class RequestMemory {
 public:
  // Fails when `total_bytes` is too little for frames of that size.
  [[nodiscard]] static Result<std::unique_ptr<RequestMemory>> create(std::size_t total_bytes,
                                                                     std::size_t frame_bytes_max,
                                                                     std::uint32_t shard_count);

  [[nodiscard]] MemoryBudget& of(FrameClass frame_class);

 private:
  RequestMemory(const MemorySplit& control, const MemorySplit& ordinary, const MemorySplit& large,
                std::uint32_t shard_count);

  MemoryBudget control_;
  MemoryBudget ordinary_;
  MemoryBudget large_;
};

// The same as one shard uses it; ends after the shard's connections.
class LocalRequestMemory {
 public:
  [[nodiscard]] static Result<std::unique_ptr<LocalRequestMemory>> create(
      RequestMemory& memory, const Clock& clock, Mailbox& mailbox, telemetry::Registry& registry,
      ShardIndex shard);

  [[nodiscard]] inline LocalBudget& of(FrameClass frame_class) {
    switch (frame_class) {
      case FrameClass::control:
        return control_;
      case FrameClass::ordinary:
        return ordinary_;
      case FrameClass::large:
        break;
    }
    return large_;
  }

 private:
  LocalRequestMemory(RequestMemory& memory, const Clock& clock, Mailbox& mailbox, ShardIndex shard,
                     telemetry::BudgetMeter control, telemetry::BudgetMeter ordinary,
                     telemetry::BudgetMeter large);

  LocalBudget control_;
  LocalBudget ordinary_;
  LocalBudget large_;
};

}  // namespace millrace::broker
