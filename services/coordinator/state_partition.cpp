module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

module millrace.coordinator;

import millrace.base;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import :metrics;

namespace millrace::coordinator {

namespace {

using protocol::ErrorCode;

// Before a load that failed is tried again: twice as long each time.
constexpr Duration pause_min = std::chrono::milliseconds{20};
constexpr Duration pause_max = std::chrono::seconds{2};
constexpr std::uint32_t doublings_max = 7;
// After so many that failed one after the other, clients are no longer told that it loads.
constexpr std::uint32_t failures_before_told = 3;
// When there is nothing to read yet.
constexpr Duration read_again_after = std::chrono::milliseconds{20};

static_assert(pause_min * (1 << doublings_max) > pause_max);

}  // namespace

StatePartition::StatePartition(PartitionSurroundings& around, PartitionIndex partition,
                               LeaderEpoch epoch)
    : around_(around), of_{partition, epoch, coordination::LoadId(0)}, due_(*this) {
  start_anew();
}

groups::Now StatePartition::now() const {
  const Clock& clock = around_.executor.clock();
  return {clock.now(), clock.wall_now()};
}

// Requests are answered meanwhile: it loads.
void StatePartition::start_anew() {
  groups_ = std::make_unique<groups::Coordinator>(around_.options);
  count_held();
  position_ = Offset(0);
  end_.reset();
  last_ticket_ = groups::Ticket(0);
}

void StatePartition::load() {
  check(phase_ == Phase::waits, "a partition is loaded when it waits to be");
  start_anew();
  of_.load = coordination::LoadId(++around_.loads);
  phase_ = Phase::loads;
  load_began_ = around_.executor.clock().now();
  read();
}

void StatePartition::read() {
  around_.send(coordination::Read{around_.session, of_, position_,
                                  static_cast<std::uint32_t>(coordination::read_bytes)});
}

Result<void> StatePartition::take(const coordination::Batches& message) {
  if (phase_ != Phase::loads || message.of != of_) return {};
  if (message.error != ErrorCode::none) {
    load_failed(std::string(protocol::name_of(message.error)));
    return {};
  }
  if (message.next < position_ || message.end < Offset(0)) {
    return failure(ErrorKind::corrupt, "a read that goes backwards");
  }
  if (const auto replayed = replay(message.batches); !replayed) {
    load_failed(replayed.error().message);
    return {};
  }
  const bool has_moved = message.next > std::exchange(position_, message.next);
  // What is appended from now on is ours.
  if (!end_) end_ = message.end;
  if (position_ < *end_) {
    if (has_moved) {
      read();
    } else {
      around_.executor.arm(due_, around_.executor.clock().now() + read_again_after);
    }
    return {};
  }
  phase_ = Phase::active;
  failures_ = 0;
  around_.metrics.loads.add();
  around_.metrics.load_time.record(around_.executor.clock().now() - load_began_);
  around_.log.info("partition {} is loaded in epoch {}: {} groups, {} offsets, up to {}",
                   of_.partition.value(), of_.epoch.value(), groups_->groups().size(),
                   groups_->offsets(), position_.value());
  carry_out(groups_->loaded(now()));
  around_.load_ended();
  return {};
}

Result<void> StatePartition::replay(ByteView batches) {
  protocol::BatchSplitter splitter(batches);
  for (protocol::BatchView batch; splitter.next(batch);) {
    // The first one may begin before what was asked for.
    if (batch.header().last_offset() < position_) continue;
    if (!batch.crc_matches()) {
      return failure(ErrorKind::corrupt,
                     formatted("the batch at {} is damaged", batch.header().base_offset.value()));
    }
    // Markers of transactions are no records of groups.
    if (batch.header().attributes.is_control()) continue;
    if (auto replayed = replay(batch); !replayed) return replayed;
  }
  const auto end = splitter.finish();
  if (!end) return failure(ErrorKind::corrupt, protocol::sentence(end.error()));
  if (*end != protocol::BatchSplitter::End::complete) {
    return failure(ErrorKind::corrupt, "a batch is cut off");
  }
  return {};
}

Result<void> StatePartition::replay(const protocol::BatchView& batch) {
  protocol::RecordReader reader(around_.decompressor);
  if (auto opened = reader.open(batch); !opened) {
    return failure(ErrorKind::corrupt, protocol::sentence(opened.error()));
  }
  for (protocol::RecordView record; reader.next(record);) {
    if (record.offset < position_ || protocol::is_null(record.key)) continue;
    std::optional<ByteView> value;
    if (!protocol::is_null(record.value)) value = record.value;
    if (auto replayed = groups_->replay(record.key, value); !replayed) {
      return failure(ErrorKind::corrupt, formatted("the record at {}: {}", record.offset.value(),
                                                   replayed.error().message));
    }
  }
  if (auto finished = reader.finish(); !finished) {
    return failure(ErrorKind::corrupt, protocol::sentence(finished.error()));
  }
  return {};
}

void StatePartition::load_failed(const std::string& why) {
  // It is tried again for ever, and the same is not said for ever.
  if (failures_ < failures_before_told) {
    around_.log.warning("partition {} cannot be loaded in epoch {}: {}", of_.partition.value(),
                        of_.epoch.value(), why);
  }
  around_.metrics.failed_loads.add();
  start_anew();
  phase_ = Phase::rests;
  const Duration pause = std::min(pause_min * (1 << std::min(failures_, doublings_max)), pause_max);
  if (++failures_ == failures_before_told) {
    around_.log.error(
        "the groups of partition {} are not served until it can be loaded, which is "
        "tried again every few seconds",
        of_.partition.value());
  }
  around_.executor.arm(due_, around_.executor.clock().now() + pause);
  around_.load_ended();
}

void StatePartition::add_to(Figures& figures) const {
  ++figures.partitions;
  if (phase_ != Phase::active) return;
  ++figures.loaded_partitions;
  for (const auto& [name, group] : groups_->groups()) {
    const auto state = static_cast<std::size_t>(group.state());
    if (state < figures.groups.size()) ++figures.groups[state];
    figures.members += std::ssize(group.members());
  }
  figures.offsets += static_cast<std::int64_t>(groups_->offsets());
  figures.state_bytes += static_cast<std::int64_t>(groups_->state_bytes());
}

void StatePartition::request(groups::RequestId id, groups::Request request) {
  if (phase_ != Phase::active && failures_ >= failures_before_told) {
    around_.answer(id, groups::error_reply(request.index(), ErrorCode::not_coordinator));
    return;
  }
  if (const auto* const commit = std::get_if<groups::CommitRequest>(&request)) {
    for (const auto& topic : commit->topics) {
      around_.metrics.commits.add(topic.partitions.size());
    }
  }
  groups_->others_hold(around_.held.state - held_.state);
  carry_out(groups_->request(id, std::move(request), now()));
}

Result<void> StatePartition::take(const coordination::Committed& message) {
  if (phase_ != Phase::active || message.of != of_) return {};
  if (message.ticket > last_ticket_) {
    return failure(ErrorKind::corrupt, "an append is committed that nobody made");
  }
  carry_out(groups_->committed(message.ticket, now()));
  return {};
}

void StatePartition::take(const coordination::AppendFailed& message) {
  if (phase_ != Phase::active || message.of != of_) return;
  around_.metrics.failed_appends.add();
  around_.log.warning("an append to partition {} failed with {}", of_.partition.value(),
                      protocol::name_of(message.error));
  carry_out(groups_->append_failed());
  start_anew();
  phase_ = Phase::waits;
  around_.load_ended();
}

void StatePartition::unload() {
  carry_out(groups_->unload());
  if (due_.armed()) around_.executor.cancel(due_);
}

void StatePartition::count_held() {
  count({groups_->waiting_bytes(), groups_->uncommitted_bytes(), groups_->state_bytes()});
}

void StatePartition::count(const HeldBytes& now) {
  HeldBytes& all = around_.held;
  all.waiting = all.waiting - held_.waiting + now.waiting;
  all.uncommitted = all.uncommitted - held_.uncommitted + now.uncommitted;
  all.state = all.state - held_.state + now.state;
  held_ = now;
}

void StatePartition::carry_out(groups::Effects effects) {
  count_held();
  for (const groups::Append& one : effects.appends) append(one);
  if (phase_ == Phase::active) {
    if (effects.deadline) {
      around_.executor.arm(due_, *effects.deadline);
    } else if (due_.armed()) {
      around_.executor.cancel(due_);
    }
  }
  for (groups::Answer& answer : effects.answers) {
    around_.answer(answer.request, std::move(answer.reply));
  }
}

void StatePartition::append(const groups::Append& append) {
  protocol::BatchStorage records(around_.buffers);
  protocol::BatchStorage compressed(around_.buffers);
  protocol::BatchBuilder builder(records, compressed, around_.compressor);
  builder.start({.batch_bytes_max = coordination::batch_bytes_max});
  const Timestamp timestamp = now().wall;
  for (const groups::Record& record : append.records) {
    protocol::RecordInput input;
    input.key = record.key;
    if (record.value) input.value = record.value->empty() ? as_bytes("") : ByteView(*record.value);
    input.timestamp = timestamp;
    check(builder.append(input).has_value(), "what one append may have fits into a batch");
  }
  const auto batch = builder.finish();
  check(batch.has_value(), "an append has records");
  last_ticket_ = append.ticket;
  around_.metrics.appends.add();
  around_.send(coordination::Append{around_.session, of_, append.ticket,
                                    coordination::OwnedBytes(batch->begin(), batch->end())});
}

void StatePartition::on_time() {
  if (!around_.may_go_by_clock()) return;
  switch (phase_) {
    case Phase::rests:
      phase_ = Phase::waits;
      around_.load_ended();
      break;
    case Phase::loads:
      read();
      break;
    case Phase::active:
      carry_out(groups_->tick(now()));
      break;
    case Phase::waits:
      break;
  }
}

}  // namespace millrace::coordinator
