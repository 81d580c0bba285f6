#include "trial.hpp"

namespace millrace::storage::crash {

namespace {

Task<void> ask_offline(Log& log, Bytes batch, std::string& problem) {
  const auto refused = [&](const auto& result, std::string_view what) {
    if (result) {
      problem = formatted("{} succeeds", what);
    } else if (result.error().fault != StorageFault::offline) {
      problem = formatted("{} fails otherwise: {}", what, result.error().message);
    }
  };
  LeaderAppend append;
  append.batch = batch;
  append.epoch = LeaderEpoch(1'000);
  const auto appended = co_await log.append(append);
  if (appended || appended.error().storage != StorageFault::offline) problem = "append succeeds";
  refused(co_await log.flush(), "flush");
  refused(co_await log.roll(), "roll");
  refused(co_await log.truncate(log.start()), "truncate");
  refused(co_await log.restart_at(log.end()), "restart");
  refused(co_await log.delete_below(log.start()), "delete_below");
  refused(co_await log.apply_retention(), "retention");
  const auto read = co_await log.read({log.start(), log.end(), 1'000, true});
  if (read || read.error().storage.fault != StorageFault::offline) problem = "a read succeeds";
}

}  // namespace

// What a close that failed has lost is told to who uses the file next, if anybody does.
std::string Trial::failures_since_told() {
  std::string kinds;
  for (std::size_t kind = 0; kind < io_kinds; ++kind) {
    const std::uint64_t injected = machine_.disk.faults().injected(static_cast<IoKind>(kind));
    if (std::exchange(failures_told_[kind], injected) == injected) continue;
    if (static_cast<IoKind>(kind) == IoKind::close) continue;
    kinds += formatted(" {}", millrace::name_of(static_cast<IoKind>(kind)));
  }
  return kinds;
}

// Whoever uses such a file next is told, also who only looks at what there is.
bool Trial::closed_badly() {
  return machine_.disk.faults().injected(IoKind::close) != closes_failed_;
}

// A failure of the device that nobody is told of would be one that is passed over.
void Trial::require_failures_told() {
  if (options_.trouble != Trouble::device) return;
  const std::string failed = failures_since_told();
  if (failed.empty()) return;
  machine_.drain();
  if (machine_.alive() && !machine_.log->offline()) {
    differ("a failure is passed over, of:{}", failed);
  }
}

// The log went offline: it has said so once, and touches nothing any more, although the device
// would answer again. What is left is found after the power was away, without what a sync that
// failed has given up.
void Trial::end_offline() {
  ++coverage_.went_offline;
  if (options_.trouble == Trouble::none || options_.trouble == Trouble::space) {
    differ("the log went offline by itself");
  }
  trace("  offline: {}", machine_.process->keeper.offline.front());
  end_trouble();
  kind_to_cut_.reset();
  machine_.disk.cut_power_at(0, 0);
  machine_.drain();
  if (machine_.process->keeper.offline.size() != 1) {
    differ("the keeper is told {} times", machine_.process->keeper.offline.size());
  }
  const std::uint64_t steps = machine_.disk.steps();
  std::string problem;
  BatchPlan plan;
  machine_.run(ask_offline(*machine_.log, maker_.make(plan, random_).bytes, problem));
  machine_.executor.advance(std::chrono::seconds(1));
  if (!problem.empty()) differ("offline, {}", problem);
  if (machine_.disk.steps() != steps) {
    differ("offline, {} operations are tried", machine_.disk.steps() - steps);
  }
  machine_.disk.power_cut(random_.next());
  recover(false);
}

}  // namespace millrace::storage::crash
