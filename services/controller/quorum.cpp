module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

module millrace.controller;

import millrace.base;

namespace millrace::controller {
namespace {

// Proposals that are made durable with one sync.
constexpr std::size_t batch_entries_max = 256;
constexpr std::size_t batch_bytes_max = 4 * mebibyte;
// Between two tries to write to a disk that is full.
constexpr Duration shortage_pause = std::chrono::seconds{1};
// Between two lines that say that it still is.
constexpr Duration shortage_line_pause = std::chrono::seconds{30};

// What follows directly: both are made durable at once, in their order.
void merge(std::optional<raft::Write>& write, raft::Write more) {
  if (!write) {
    write = std::move(more);
    return;
  }
  check(!more.install, "a leader installs no snapshot");
  write->number = more.number;
  if (more.hard_state) write->hard_state = more.hard_state;
  std::ranges::move(more.entries, std::back_inserter(write->entries));
}

// Brokers ask for the other changes, and would take a refusal for the end of what they do.
bool is_change_by_client(const metadata::Request& request) {
  return std::holds_alternative<metadata::CreateTopics>(request) ||
         std::holds_alternative<metadata::DeleteTopics>(request) ||
         std::holds_alternative<metadata::CreatePartitions>(request) ||
         std::holds_alternative<metadata::AlterConfigs>(request);
}

}  // namespace

// Where the answer to one request arrives.
class Quorum::Pending : public Callback {
 public:
  explicit Pending(Executor& executor)
      : Callback([](Callback& self) { static_cast<Pending&>(self).awaiting_.resume(); }),
        executor_(executor) {}

  void deliver(metadata::Reply reply) {
    reply_ = std::move(reply);
    if (awaiting_) executor_.post(*this);
  }

  [[nodiscard]] bool await_ready() const noexcept { return reply_.has_value(); }
  void await_suspend(std::coroutine_handle<> handle) noexcept { awaiting_ = handle; }
  metadata::Reply await_resume() { return std::move(*reply_); }

 private:
  Executor& executor_;
  std::coroutine_handle<> awaiting_;
  std::optional<metadata::Reply> reply_;
};

Quorum::Quorum(Executor& executor, FileSystem& files, QuorumOptions options, Logger log,
               Failed failed)
    : executor_(executor),
      files_(files),
      options_(std::move(options)),
      log_(std::move(log)),
      failed_(std::move(failed)),
      machine_(options_.metadata, options_.random),
      work_(executor) {}

Quorum::~Quorum() = default;

void Quorum::start() {
  watch_reserve();
  group_.start(run());
}

Task<bool> Quorum::wait_until_leading(MonotonicTime deadline) {
  Wakeup wakeup(executor_);
  followers_.insert(&wakeup);
  const auto leads = [this] { return machine_.leads() && !image()->cluster_id().is_zero(); };
  while (!leads() && !is_ending_ && !has_failed_ && now() < deadline) {
    co_await wakeup.wait_until(deadline);
  }
  followers_.erase(&wakeup);
  co_return leads();
}

void Quorum::begin_stop() {
  is_ending_ = true;
  work_.notify();
  for (Wakeup* follower : followers_) follower->notify();
  dispatch(machine_.lose_leadership());
}

Task<void> Quorum::stop() {
  begin_stop();
  co_await group_.wait();
  dispatch(machine_.lose_leadership());
  const auto closed = co_await store_->close();
  if (!closed) log_.warning("{}", closed.error().message);
}

Task<metadata::Reply> Quorum::ask(metadata::Request request) {
  if (is_ending_ || has_failed_) {
    co_return metadata::refusal(
        request.index(), {metadata::ErrorCode::not_controller, "this controller is about to end"});
  }
  if (complained_ && is_change_by_client(request)) {
    co_return metadata::refusal(
        request.index(), {metadata::ErrorCode::kafka_storage_error,
                          "the disk of the controller's metadata log is full; nothing was done"});
  }
  const metadata::RequestId id(++next_request_);
  Pending pending(executor_);
  pending_.emplace(id, &pending);
  dispatch(machine_.request(id, std::move(request), now()));
  co_return co_await pending;
}

Task<Followed> Quorum::follow(MetadataOffset next, std::size_t bytes_max, MonotonicTime deadline) {
  Wakeup wakeup(executor_);
  followers_.insert(&wakeup);
  Followed followed;
  const raft::LogIndex from(std::max(next.value(), std::int64_t{1}));
  followed.through = MetadataOffset(from.value() - 1);
  while (!is_ending_ && !has_failed_) {
    if (from <= node_->applied()) {
      raft::CommittedEntries committed = node_->committed_from(from, bytes_max);
      followed.snapshot = std::move(committed.snapshot);
      for (raft::Entry& entry : committed.entries) {
        if (entry.index > node_->applied()) break;
        followed.through = MetadataOffset(entry.index.value());
        if (entry.kind != raft::EntryKind::command) continue;
        followed.entries.push_back({followed.through, std::move(entry.data)});
      }
      break;
    }
    if (now() >= deadline) break;
    co_await wakeup.wait_until(deadline);
  }
  followers_.erase(&wakeup);
  co_return followed;
}

Task<void> Quorum::run() {
  // The first step tells when an election would begin. The only voter need not wait for others.
  co_await carry_out(node_->step(raft::TimerExpired{}, raft_now()));
  if (node_->membership().voters().size() == 1) ahead_ += raft_deadline_ - raft_now();
  while (!is_ending_ && !has_failed_) {
    if (has_work()) {
      co_await turn();
    } else {
      co_await work_.wait_until(next_deadline());
    }
  }
}

MonotonicTime Quorum::next_deadline() const {
  const MonotonicTime raft = raft_deadline_ - ahead_;
  return std::min({raft, machine_deadline_.value_or(raft), snapshot_due_.value_or(raft),
                   reserve_due_.value_or(raft)});
}

bool Quorum::has_work() const {
  return !events_.empty() || !proposals_.empty() || now() >= next_deadline();
}

Task<void> Quorum::turn() {
  if (machine_deadline_ && now() >= *machine_deadline_) dispatch(machine_.tick(now()));
  if (is_snapshot_overdue()) snapshot_if_due();
  if (reserve_due_ && now() >= *reserve_due_) {
    reserve_due_.reset();
    is_restoring_ = true;
    group_.start(restore_reserve());
  }
  if (!events_.empty()) {
    raft::Event event = std::move(events_.front());
    events_.pop_front();
    co_await carry_out(node_->step(std::move(event), raft_now()));
  } else if (!proposals_.empty()) {
    co_await propose_some();
  } else if (raft_now() >= raft_deadline_) {
    co_await carry_out(node_->step(raft::TimerExpired{}, raft_now()));
  }
}

Task<void> Quorum::propose_some() {
  raft::Effects together;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < batch_entries_max && bytes < batch_bytes_max; ++i) {
    if (proposals_.empty()) break;
    raft::Effects effects = node_->step(raft::Propose{proposals_.front()}, raft_now());
    raft_deadline_ = effects.deadline;
    const bool is_taken = effects.answer && effects.answer->has_value();
    if (is_taken) {
      bytes += proposals_.front().size();
      proposals_.pop_front();
    }
    check(!effects.restore && !effects.snapshot_part, "a proposal brings no snapshot");
    if (effects.write) merge(together.write, *std::move(effects.write));
    std::ranges::move(effects.committed, std::back_inserter(together.committed));
    together.deadline = effects.deadline;
    if (!is_taken) break;
  }
  const bool is_stuck = !together.write && !proposals_.empty();
  check(!is_stuck || !machine_.leads() || node_->role() != raft::Role::leader,
        "the only voter takes what its machine proposes");
  co_await carry_out(std::move(together));
}

Task<void> Quorum::carry_out(raft::Effects effects) {
  while (!has_failed_) {
    raft_deadline_ = effects.deadline;
    check(!effects.restore && !effects.snapshot_part && effects.messages.empty(),
          "the only voter has nobody to talk to");
    std::optional<raft::Persisted> persisted;
    if (effects.write) {
      persisted = co_await persist(*effects.write);
      if (!persisted) co_return;
    }
    apply(effects);
    if (effects.compact_through && !has_failed_) {
      const auto compacted = co_await store_->compact_through(*effects.compact_through);
      if (!compacted) note_compaction(compacted.error());
    }
    if (!persisted) co_return;
    effects = node_->step(*persisted, raft_now());
  }
}

Task<std::optional<raft::Persisted>> Quorum::persist(const raft::Write& write) {
  while (true) {
    const MonotonicTime began = now();
    auto persisted = co_await store_->persist(write);
    watch_reserve();
    if (persisted) {
      options_.metrics->sync_time.record(now() - began);
      options_.metrics->waits_for_space.set(0);
      if (complained_) log_.info("the metadata log has space again");
      complained_.reset();
      co_return *persisted;
    }
    if (!storage::is_shortage(persisted.error().fault)) {
      fail({ErrorKind::io, persisted.error().message});
      co_return std::nullopt;
    }
    wait_for_space(persisted.error());
    if (is_ending_) co_return std::nullopt;
    co_await sleep_until(executor_, now() + shortage_pause);
  }
}

void Quorum::wait_for_space(const storage::StorageError& error) {
  options_.metrics->waits_for_space.set(1);
  if (complained_ && now() - *complained_ < shortage_line_pause) return;
  complained_ = now();
  log_.error("the metadata log waits for space, and nothing of the cluster can change: {}",
             error.message);
}

// What is not removed now is removed after the next snapshot, if the device is well.
void Quorum::note_compaction(const storage::StorageError& error) {
  if (storage::is_shortage(error.fault)) {
    log_.warning("old parts of the metadata log stay for now: {}", error.message);
  } else {
    fail({ErrorKind::io, error.message});
  }
}

void Quorum::apply(const raft::Effects& effects) {
  for (const raft::Entry& entry : effects.committed) {
    if (has_failed_) return;
    apply(entry);
  }
  follow_role();
  options_.metrics->leads.set(machine_.leads() ? 1 : 0);
  if (effects.committed.empty()) return;
  options_.metrics->show(*image());
  tell_of_brokers();
  for (Wakeup* follower : followers_) follower->notify();
  snapshot_if_due();
}

void Quorum::apply(const raft::Entry& entry) {
  std::optional<ByteView> records;
  if (entry.kind == raft::EntryKind::command) records = entry.data.bytes();
  auto effects = machine_.committed(MetadataOffset(entry.index.value()), records, now());
  if (!effects) {
    fail({effects.error().kind, formatted("entry {} of the metadata log: {}", entry.index.value(),
                                          effects.error().message)});
    return;
  }
  bytes_since_snapshot_ += raft::bytes_of(entry);
  if (records && options_.snapshot_interval && !snapshot_due_) {
    snapshot_due_ = now() + *options_.snapshot_interval;
  }
  dispatch(*std::move(effects));
  const bool begins_own_term = entry.kind == raft::EntryKind::leader &&
                               node_->role() == raft::Role::leader && entry.term == node_->term();
  if (!begins_own_term || machine_.leads()) return;
  led_term_ = entry.term;
  log_.info("leads in term {} from entry {} on", entry.term.value(), entry.index.value());
  dispatch(machine_.become_leader(now()));
}

void Quorum::follow_role() {
  const bool leads = node_->role() == raft::Role::leader && node_->term() == led_term_;
  if (!machine_.leads() || leads) return;
  log_.warning("does not lead any more");
  proposals_.clear();
  dispatch(machine_.lose_leadership());
}

// Who comes or goes while this controller leads: of one that is new only that it serves, which it
// does not at first.
void Quorum::tell_of_brokers() {
  const bool tells = std::exchange(told_brokers_, machine_.leads()) && machine_.leads();
  std::map<BrokerId, bool> fenced;
  image()->for_each_broker([&](const metadata::Broker& broker) {
    fenced.emplace(broker.id, broker.fenced);
    const auto before = was_fenced_.find(broker.id);
    const bool was_fenced = before == was_fenced_.end() || before->second;
    if (broker.fenced == was_fenced || !tells) return;
    if (broker.fenced) {
      log_.warning("broker {} is fenced: it stops, starts again or is silent", broker.id.value());
    } else {
      log_.info("broker {} is unfenced: it serves", broker.id.value());
    }
  });
  was_fenced_ = std::move(fenced);
}

void Quorum::dispatch(metadata::Effects effects) {
  for (metadata::Proposal& proposal : effects.proposals) {
    proposals_.emplace_back(std::move(proposal.entry));
  }
  for (metadata::Answer& answer : effects.answers) {
    const auto found = pending_.find(answer.request);
    check(found != pending_.end(), "an answer to a request that somebody made");
    Pending* pending = found->second;
    pending_.erase(found);
    pending->deliver(std::move(answer.reply));
  }
  machine_deadline_ = effects.deadline;
  work_.notify();
}

void Quorum::fail(Error error) {
  if (std::exchange(has_failed_, true)) return;
  log_.error("{}", error.message);
  for (Wakeup* follower : followers_) follower->notify();
  work_.notify();
  dispatch(machine_.lose_leadership());
  failed_(error);
}

}  // namespace millrace::controller
