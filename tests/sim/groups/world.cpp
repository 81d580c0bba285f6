// Also defines what coverage.hpp declares.
#include "world.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

namespace millrace::groups::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration believes_on_max = seconds{4};

// Who asks for what, as far as it has to do with members.
std::string described(const Request& request) {
  static constexpr const char* names[] = {"join",   "sync",  "heartbeat",      "leave",
                                          "commit", "fetch", "delete offsets", "describe",
                                          "list",   "delete"};
  static_assert(std::size(names) == std::variant_size_v<Request>);
  std::string text = names[request.index()];
  std::visit(
      [&](const auto& one) {
        if constexpr (requires { one.group; }) text += " in " + one.group;
        if constexpr (requires { one.member_id; }) text += " by " + one.member_id;
        if constexpr (requires { one.instance_id; }) text += " " + one.instance_id.value_or("");
        if constexpr (requires { one.generation; }) {
          text += formatted(" of generation {}", one.generation.value());
        }
        if constexpr (requires { one.assignments; }) {
          text += formatted(" with {} assignments", one.assignments.size());
        }
      },
      request);
  return text;
}

ErrorCode error_of(const Reply& reply) {
  return std::visit([](const auto& one) { return one.error; }, reply);
}

}  // namespace

std::string Coverage::text() const {
  std::string text;
  const auto add = [&text](const char* what, std::uint64_t count) {
    text += formatted("{} {}, ", count, what);
  };
  add("runs", runs);
  add("joined", joined);
  add("assigned", assigned);
  add("committed", committed);
  add("read back", fetched);
  add("generations", generations);
  add("told their id", id_rounds);
  add("members fenced", fenced_members);
  add("rebalances told", rebalances_told);
  add("sessions lost", sessions_lost);
  add("groups full", full);
  add("crashes", crashes);
  add("coordinators fenced", fenced_coordinators);
  add("appends lost", appends_lost);
  add("compactions", compactions);
  add("offsets expired", offsets_expired);
  add("groups deleted", groups_deleted);
  return text + formatted("{} static members back\n", static_returns);
}

World::World(std::uint64_t seed, Options options, Coverage& coverage, bool trace)
    : random_(seed), options_(options), coverage_(coverage), trace_(trace), reference_(coverage) {
  load();
}

void World::trace(const std::string& line) const {
  if (trace_) std::puts(formatted("{} us: {}", now_.count() / 1000, line).c_str());
}

Now World::clock() const {
  constexpr std::int64_t begin_ms = 1'700'000'000'000;
  return {MonotonicTime{} + seconds{1} + now_,
          Timestamp(begin_ms + std::chrono::duration_cast<milliseconds>(now_).count())};
}

void World::after(Duration delay, std::function<void()> action) {
  queue_.push({now_ + delay, ++actions_, std::move(action)});
}

void World::run_until(Duration time) {
  while (!broken() && !queue_.empty() && queue_.top().time <= time) {
    now_ = queue_.top().time;
    const auto action = queue_.top().run;
    queue_.pop();
    action();
  }
  now_ = time;
}

Coordinator World::replayed() {
  Coordinator coordinator(options_);
  for (const Records& records : log_) {
    for (const Record& record : records) {
      std::optional<ByteView> value;
      if (record.value) value = *record.value;
      if (!coordinator.replay(record.key, value)) reference_.fail("the log cannot be loaded");
    }
  }
  return coordinator;
}

void World::load() {
  const std::uint64_t number = ++processes_;
  process_ = std::make_unique<Process>(Process{number, Coordinator(options_)});
  trace(formatted("coordinator {} begins to load", number));
  after(draw(weather_.loading_max), [this, number] {
    if (process_->number != number) return;
    // What its requests found while it was loading is answered.
    process_->coordinator = replayed();
    const Now now = clock();
    reference_.loaded(now.monotonic);
    carry_out(*process_, process_->coordinator.loaded(now));
  });
}

void World::keep_some() {
  for (std::uint64_t kept = random_.below(pending_.size() + 1); kept > 0; --kept) {
    write(std::move(pending_.front()));
    pending_.pop_front();
  }
  coverage_.appends_lost += pending_.size();
  pending_.clear();
}

void World::write(Records records) {
  for (const Record& record : records) reference_.committed(record);
  log_.push_back(std::move(records));
}

void World::crash() {
  ++coverage_.crashes;
  trace(formatted("coordinator {} dies", process_->number));
  keep_some();
  std::erase_if(open_, [&](const auto& open) { return open.second.process == process_->number; });
  load();
}

void World::fence() {
  ++coverage_.fenced_coordinators;
  trace(formatted("coordinator {} is fenced", process_->number));
  if (old_process_) retire(old_process_->number);
  keep_some();
  old_process_ = std::move(process_);
  old_process_->is_fenced = true;
  after(draw(believes_on_max), [this, number = old_process_->number] { retire(number); });
  load();
}

void World::retire(std::uint64_t number) {
  if (!old_process_ || old_process_->number != number) return;
  // It ends here for good: a timer of it finds nobody.
  const std::unique_ptr<Process> process = std::move(old_process_);
  Coordinator& coordinator = process->coordinator;
  const bool was_refused = random_.chance(0.5);
  carry_out(*process, was_refused ? coordinator.append_failed() : coordinator.unload());
  if (coordinator.open_requests() != 0) reference_.fail("a request has no answer");
}

void World::compact() {
  ++coverage_.compactions;
  const bool keeps_tombstones = random_.chance(0.5);
  std::set<OwnedBytes> later;
  for (auto batch = log_.rbegin(); batch != log_.rend(); ++batch) {
    Records kept;
    for (auto record = batch->rbegin(); record != batch->rend(); ++record) {
      const bool is_last = later.insert(record->key).second;
      if (is_last && (record->value || keeps_tombstones)) kept.push_back(std::move(*record));
    }
    std::ranges::reverse(kept);
    *batch = std::move(kept);
  }
  std::erase_if(log_, [](const Records& batch) { return batch.empty(); });
}

void World::compare_with_log() {
  if (!process_ || process_->coordinator.phase() != Phase::active || !pending_.empty()) return;
  reference_.compare(process_->coordinator, replayed());
}

void World::send(Request request, OnReply on_reply, std::uint64_t* met) {
  if (random_.chance(weather_.loss)) return;
  after(draw(weather_.delay_max),
        [this, request = std::move(request), on_reply, met] { deliver(request, on_reply, met); });
}

void World::give_number(Request& request) {
  auto* const commit = std::get_if<CommitRequest>(&request);
  if (commit == nullptr) return;
  ++offsets_;
  for (CommittedTopic& topic : commit->topics) {
    for (CommittedPartition& partition : topic.partitions) partition.offset = Offset(offsets_);
  }
}

void World::deliver(Request request, const OnReply& on_reply, std::uint64_t* met) {
  const bool may_be_old = old_process_ && (met == nullptr || *met <= old_process_->number);
  Process& process = may_be_old && random_.chance(0.4) ? *old_process_ : *process_;
  if (met != nullptr) *met = process.number;
  const RequestId id(++requests_);
  give_number(request);
  joins_ += std::holds_alternative<JoinRequest>(request) ? 1u : 0u;
  // Timers that are due come before the request.
  carry_out(process, process.coordinator.tick(clock()));
  std::visit(
      [&](const auto& one) {
        if constexpr (requires { one.member_id; }) {
          if (!process.is_fenced) reference_.heard(one.member_id, clock().monotonic);
        }
      },
      request);
  if (trace_) trace(formatted("coordinator {} gets {}", process.number, described(request)));
  Delivery delivery =
      reference_.delivered(process.number, process.is_fenced, process.coordinator, request);
  std::string deleted;
  if (const auto* const one = std::get_if<DeleteRequest>(&request)) deleted = one->groups.front();
  if (const auto* const one = std::get_if<OffsetDeleteRequest>(&request)) deleted = one->group;
  open_.emplace(id, Open{process.number, std::move(delivery), on_reply});
  carry_out(process, process.coordinator.request(id, std::move(request), clock()), deleted);
}

void World::carry_out(Process& process, Effects effects, const std::string& deleted) {
  const Coordinator& coordinator = process.coordinator;
  const std::uint64_t number = process.number;
  for (Append& append : effects.appends) {
    if (append.ticket != Ticket(++process.appended)) reference_.fail("a ticket is left out");
    for (const Record& record : append.records) {
      if (process.is_fenced) break;
      reference_.appended(coordinator, record, deleted, clock().wall, options_.offsets_retention);
    }
    if (process.is_fenced) {
      ++coverage_.appends_lost;
      after(draw(weather_.commit_max), [this, number] { retire(number); });
      continue;
    }
    pending_.push_back(std::move(append.records));
    after(draw(weather_.commit_max), [this, number] { commit_one(number); });
  }
  for (Answer& answer : effects.answers) {
    const auto open = open_.find(answer.request);
    if (open == open_.end()) return reference_.fail("an answer to a request that is not open");
    reference_.answered(open->second.delivery, answer.reply);
    if (trace_) {
      trace(formatted("error {} for {}", static_cast<int>(error_of(answer.reply)),
                      described(open->second.delivery.request)));
    }
    if (open->second.on_reply && !random_.chance(weather_.loss)) {
      after(draw(weather_.delay_max), [reply = std::move(answer.reply),
                                       to = std::move(open->second.on_reply)] { to(reply); });
    }
    open_.erase(open);
  }
  if (coordinator.phase() != Phase::active) return;
  reference_.forget(number, coordinator);
  if (!process.is_fenced) reference_.look_at(number, coordinator, clock().monotonic);
  const std::uint64_t timer = ++process.timer;
  if (!effects.deadline) return;
  const Duration wait = std::max(*effects.deadline - clock().monotonic, Duration{});
  after(wait, [this, number, timer] {
    for (Process* const each : {process_.get(), old_process_.get()}) {
      if (each == nullptr || each->number != number || each->timer != timer) continue;
      return carry_out(*each, each->coordinator.tick(clock()));
    }
  });
}

void World::commit_one(std::uint64_t number) {
  // Several at once have been committed before.
  if (!process_ || process_->number != number || pending_.empty()) return;
  std::uint64_t count = 1 + random_.below(pending_.size());
  for (; count > 0; --count) {
    write(std::move(pending_.front()));
    pending_.pop_front();
  }
  const Ticket ticket(process_->appended - pending_.size());
  carry_out(*process_, process_->coordinator.committed(ticket, clock()));
}

}  // namespace millrace::groups::sim
