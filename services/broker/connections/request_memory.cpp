module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

module millrace.broker.connections;

import millrace.base;
import millrace.protocol.api;
import millrace.runtime;
import millrace.runtime.memory;
import millrace.telemetry;

namespace millrace::broker {
namespace {

// Of what is not kept aside for one frame: large frames are rare, and one in four of these bytes
// lets several of them come at a time.
constexpr std::size_t large_part = 4;

BudgetOptions options_of(std::string name, const MemorySplit& split, std::uint32_t shard_count) {
  return {.name = std::move(name),
          .limit_bytes = split.limit_bytes,
          .reserve_bytes = split.reserve_bytes,
          .shard_count = shard_count};
}

}  // namespace

std::optional<FrameClass> frame_class_of(ByteView started) {
  constexpr std::size_t bytes_needed = frame_length_bytes + sizeof(std::int16_t);
  if (started.size() < bytes_needed) return std::nullopt;
  const auto length = load_big_endian<std::int32_t>(started.data());
  if (length > static_cast<std::int32_t>(ordinary_frame_bytes_max)) return FrameClass::large;
  const auto key = load_big_endian<std::int16_t>(started.data() + frame_length_bytes);
  const bool has_records = key == static_cast<std::int16_t>(protocol::ApiKey::produce) ||
                           key == static_cast<std::int16_t>(protocol::ApiKey::fetch);
  return has_records ? FrameClass::ordinary : FrameClass::control;
}

Result<std::unique_ptr<RequestMemory>> RequestMemory::create(std::size_t total_bytes,
                                                             std::size_t frame_bytes_max,
                                                             std::uint32_t shard_count) {
  const auto plan = plan_memory(
      total_bytes, std::max(frame_bytes_max, ordinary_frame_bytes_max) + receive_slack_bytes);
  if (!plan) return failure(plan.error());
  MemorySplit large = plan->data;
  const std::size_t shared = plan->data.limit_bytes - plan->data.reserve_bytes;
  large.limit_bytes = plan->data.reserve_bytes + shared / large_part;
  const MemorySplit ordinary{.limit_bytes = shared - shared / large_part,
                             .reserve_bytes = ordinary_frame_bytes_max + receive_slack_bytes};
  if (ordinary.limit_bytes < 2 * ordinary.reserve_bytes) {
    return failure(ErrorKind::limit_exceeded,
                   formatted("{} bytes of memory for requests are too few", total_bytes));
  }
  return std::unique_ptr<RequestMemory>(
      new RequestMemory(plan->control, ordinary, large, shard_count));
}

RequestMemory::RequestMemory(const MemorySplit& control, const MemorySplit& ordinary,
                             const MemorySplit& large, std::uint32_t shard_count)
    : control_(options_of("control_requests", control, shard_count)),
      ordinary_(options_of("requests", ordinary, shard_count)),
      large_(options_of("large_requests", large, shard_count)) {}

MemoryBudget& RequestMemory::of(FrameClass frame_class) {
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

Result<std::unique_ptr<LocalRequestMemory>> LocalRequestMemory::create(
    RequestMemory& memory, const Clock& clock, Mailbox& mailbox, telemetry::Registry& registry,
    ShardIndex shard) {
  const auto meter_of = [&](FrameClass frame_class) {
    const MemoryBudget& budget = memory.of(frame_class);
    return telemetry::BudgetMeter::create(registry, shard, budget.name(), budget.limit());
  };
  auto control = meter_of(FrameClass::control);
  if (!control) return failure(control.error());
  auto ordinary = meter_of(FrameClass::ordinary);
  if (!ordinary) return failure(ordinary.error());
  auto large = meter_of(FrameClass::large);
  if (!large) return failure(large.error());
  return std::unique_ptr<LocalRequestMemory>(new LocalRequestMemory(
      memory, clock, mailbox, shard, std::move(*control), std::move(*ordinary), std::move(*large)));
}

LocalRequestMemory::LocalRequestMemory(RequestMemory& memory, const Clock& clock, Mailbox& mailbox,
                                       ShardIndex shard, telemetry::BudgetMeter control,
                                       telemetry::BudgetMeter ordinary,
                                       telemetry::BudgetMeter large)
    : control_(memory.of(FrameClass::control), clock, mailbox, shard, std::move(control)),
      ordinary_(memory.of(FrameClass::ordinary), clock, mailbox, shard, std::move(ordinary)),
      large_(memory.of(FrameClass::large), clock, mailbox, shard, std::move(large)) {}

}  // namespace millrace::broker
