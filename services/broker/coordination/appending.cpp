// What the coordinator asks of the log.
module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.coordination;

import millrace.base;
import millrace.ipc.coordination;
import millrace.protocol.api;
import millrace.runtime;
import :state;

namespace millrace::broker {

using coordination::Append;
using coordination::AppendFailed;
using coordination::Batches;
using coordination::Committed;
using coordination::Read;
using coordination::SessionId;
using coordination::Ticket;
using protocol::ErrorCode;

namespace {

// Reads of one partition at a time: a coordinator asks for the next part when it has this one.
constexpr std::size_t reads_under_way_max = 2;

}  // namespace

bool GroupGateway::leads(PartitionIndex partition, LeaderEpoch epoch) const {
  const auto place = led_.find(partition);
  return place != led_.end() && place->second == epoch;
}

void GroupGateway::take(const Read& message) {
  const auto refuse = [&](ErrorCode error) { send(Batches{message.of, error, {}, {}, {}}); };
  if (!leads(message.of.partition, message.of.epoch)) return refuse(ErrorCode::not_coordinator);
  auto& place = partitions_[message.of.partition];
  if (!place) place = std::make_unique<StatePartition>();
  StatePartition& partition = *place;
  if (partition.session != message.session || partition.current != message.of) {
    const bool is_older =
        partition.session == message.session && message.of.load <= partition.current.load;
    if (is_older) return refuse(ErrorCode::not_coordinator);
    partition.session = message.session;
    partition.current = message.of;
    partition.last_ticket = Ticket(0);
    partition.has_failed = false;
    partition.pending.clear();
  }
  if (partition.appends_under_way > 0) {
    partition.read_waits = message;
    return;
  }
  if (partition.reads_under_way >= reads_under_way_max) {
    return refuse(ErrorCode::coordinator_load_in_progress);
  }
  begin(partition, message);
}

void GroupGateway::begin(StatePartition& partition, const Read& message) {
  ++partition.reads_under_way;
  tasks_.start(carry_out(partition, message));
}

Task<void> GroupGateway::carry_out(StatePartition& partition, Read message) {
  const std::size_t bytes_max =
      std::min<std::size_t>(message.bytes_max, coordination::batch_bytes_max / 2);
  auto read = co_await store_.read(message.of.partition, message.of.epoch, message.from, bytes_max);
  --partition.reads_under_way;
  if (!is_current(message.session)) co_return;
  if (read && read->bytes.size() > coordination::batch_bytes_max) {
    log_.error("partition {} of the groups has a batch of {} bytes at {}: it cannot be loaded",
               message.of.partition.value(), read->bytes.size(), message.from.value());
    send(Batches{message.of, ErrorCode::record_list_too_large, {}, {}, {}});
  } else if (read) {
    send(Batches{message.of, ErrorCode::none, read->next, read->end, std::move(read->bytes)});
  } else {
    send(Batches{message.of, read.error(), {}, {}, {}});
  }
}

void GroupGateway::take(Append message) {
  const auto refuse = [&](ErrorCode error) {
    metrics_.refused_appends.add();
    send(AppendFailed{message.of, error});
  };
  const auto place = partitions_.find(message.of.partition);
  const bool is_loaded = place != partitions_.end() && place->second->session == message.session &&
                         place->second->current == message.of;
  if (!is_loaded || !leads(message.of.partition, message.of.epoch)) {
    return refuse(ErrorCode::not_coordinator);
  }
  StatePartition& partition = *place->second;
  if (partition.has_failed) return refuse(ErrorCode::coordinator_not_available);
  if (message.ticket != partition.last_ticket.next() ||
      partition.pending.size() >= options_.appends_max) {
    metrics_.refused_appends.add();
    return fail(partition, ErrorCode::coordinator_not_available);
  }
  partition.last_ticket = message.ticket;
  partition.pending.push_back({message.ticket, std::nullopt});
  ++partition.appends_under_way;
  tasks_.start(carry_out(partition, std::move(message)));
}

Task<void> GroupGateway::carry_out(StatePartition& partition, Append message) {
  const auto result =
      co_await store_.append(message.of.partition, message.of.epoch, std::move(message.batch));
  --partition.appends_under_way;
  if (partition.session == message.session && partition.current == message.of) {
    for (StatePartition::Pending& pending : partition.pending) {
      if (pending.ticket == message.ticket) pending.result = result;
    }
    if (is_current(message.session)) settle(partition);
  }
  if (partition.appends_under_way > 0 || !partition.read_waits) co_return;
  const Read read = *std::exchange(partition.read_waits, std::nullopt);
  if (is_current(read.session)) begin(partition, read);
}

// In the order of the tickets, whatever order the appends end in.
void GroupGateway::settle(StatePartition& partition) {
  std::optional<Ticket> committed;
  std::optional<ErrorCode> error;
  while (!error && !partition.pending.empty() && partition.pending.front().result) {
    const auto& first = partition.pending.front();
    if (first.result->has_value()) {
      committed = first.ticket;
      partition.pending.pop_front();
    } else {
      error = first.result->error();
    }
  }
  if (committed) send(Committed{partition.current, *committed});
  if (error) fail(partition, *error);
}

void GroupGateway::fail(StatePartition& partition, ErrorCode error) {
  metrics_.failed_appends.add();
  partition.has_failed = true;
  partition.pending.clear();
  log_.warning("an append to partition {} of the groups failed with {}: it is loaded again",
               partition.current.partition.value(), protocol::name_of(error));
  send(AppendFailed{partition.current, error});
}

}  // namespace millrace::broker
