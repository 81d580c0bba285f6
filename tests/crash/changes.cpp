#include "trial.hpp"

namespace millrace::storage::crash {

namespace {

Task<void> stored(Task<StorageResult<void>> task, std::optional<StorageResult<void>>& result) {
  result.emplace(co_await std::move(task));
}

}  // namespace

// Runs what changes the log, with what may run beside it. True if it ended and the process lives.
bool Trial::change(Task<StorageResult<void>> task) {
  ++changes_;
  TaskGroup group;
  Beside beside;
  const bool beside_first = random_.chance(0.5);
  std::optional<StorageResult<void>> result;
  if (beside_first) start_beside(group, beside);
  group.start(stored(std::move(task), result));
  if (!beside_first) start_beside(group, beside);
  machine_.wait_for(group);
  if (!machine_.alive()) {
    // What was cut is not durable, whatever was said before.
    beside.flushed.reset();
    recover(false);
    return false;
  }
  beside.flushed.reset();
  end_beside(beside);
  require_fine(*result, name_of(action_));
  return true;
}

void Trial::flush() {
  const Offset end = model_.end();
  const auto flushed = machine_.wait(machine_.log->flush());
  if (flushed) {
    model_.durable_up_to(end);
    if (machine_.log->flushed_end() != end) {
      differ("flushed up to {} and not to {}", machine_.log->flushed_end(), end);
    }
  }
  require_fine(flushed, "flush");
  static_cast<void>(survived());
}

void Trial::roll() {
  if (change(machine_.log->roll())) static_cast<void>(survived());
}

void Trial::truncate() {
  const auto span = static_cast<std::uint64_t>(model_.end().since(model_.start())) + 4;
  const Offset offset = random_.chance(0.3)
                            ? model_.end().plus(-static_cast<std::int64_t>(
                                  random_.below(std::min<std::uint64_t>(span, 6))))
                            : model_.end().plus(-static_cast<std::int64_t>(random_.below(span)));
  if (offset < Offset(0)) return;
  trace("  to {}", offset);
  const auto& segments = machine_.log->segments();
  const bool all =
      offset < model_.end() && offset <= model_.start() && offset < segments.front()->base();
  if (all) {
    model_.will_restart(offset);
  } else {
    model_.will_truncate(offset);
  }
  if (!change(machine_.log->truncate(offset))) return;
  model_.settled();
  if (all) {
    model_.restarted(offset);
  } else if (offset < model_.end()) {
    model_.truncated(offset);
  }
  require_same_ends();
  static_cast<void>(survived());
}

void Trial::restart() {
  const Offset offset = model_.end().plus(static_cast<std::int64_t>(random_.below(50)) - 20);
  if (offset < Offset(0)) return;
  trace("  at {}", offset);
  model_.will_restart(offset);
  if (!change(machine_.log->restart_at(offset))) return;
  model_.settled();
  model_.restarted(offset);
  require_same_ends();
  static_cast<void>(survived());
}

void Trial::require_same_ends() {
  const Log& log = *machine_.log;
  if (log.start() == model_.start() && log.end() == model_.end()) return;
  differ("the log is {} to {} and should be {} to {}", log.start(), log.end(), model_.start(),
         model_.end());
}

void Trial::delete_below() {
  Log& log = *machine_.log;
  const auto span = static_cast<std::uint64_t>(model_.end().since(model_.start()));
  const Offset offset = model_.start().plus(static_cast<std::int64_t>(random_.below(span + 1)));
  trace("  {}", offset);
  log.set_high_watermark(model_.end());
  model_.will_start_at(offset);
  if (!change(log.delete_below(offset))) return;
  model_.settled();
  model_.started_at(std::max(offset, model_.start()));
  require_same_ends();
  static_cast<void>(survived());
}

namespace {

Task<StorageResult<void>> apply_retention(Log& log) {
  const auto removed = co_await log.apply_retention();
  if (!removed) co_return failure(removed.error());
  co_return StorageResult<void>();
}

}  // namespace

void Trial::retention() {
  Log& log = *machine_.log;
  const auto span = static_cast<std::uint64_t>(model_.end().since(model_.start()));
  log.set_high_watermark(
      std::max(log.high_watermark(),
               model_.start().plus(static_cast<std::int64_t>(random_.below(span + 1)))));
  for (const auto& segment : log.segments()) {
    if (segment->base() > model_.start()) model_.will_start_at(segment->base());
  }
  model_.will_start_at(model_.end());
  const Offset high_watermark = log.high_watermark();
  if (!change(apply_retention(log))) return;
  if (log.start() > high_watermark && log.start() != model_.start()) {
    differ("retention removes up to {}, above the high watermark {}", log.start(), high_watermark);
  }
  model_.check_start(log.start());
  model_.settled();
  model_.started_at(log.start());
  require_same_ends();
  static_cast<void>(survived());
}

void Trial::checkpoint() {
  TaskGroup group;
  std::optional<StorageResult<void>> saved;
  std::optional<StorageResult<void>> flushed;
  group.start(stored(machine_.log->checkpoint(), flushed));
  machine_.wait_for(group);
  if (machine_.alive()) {
    if (random_.chance(0.5)) machine_.executor.advance(std::chrono::milliseconds(20));
    group.start(stored(machine_.process->keeper.save_recovery_point(*machine_.log), saved));
    machine_.wait_for(group);
  }
  model_.durable_up_to(machine_.log->flushed_end());
  if (!survived()) return;
  require_fine(*flushed, "checkpoint");
  require_fine(*saved, "saving the recovery point");
}

// A stop in order, after which the power may go away all the same.
void Trial::reopen() {
  const Offset end = model_.end();
  const auto closed = machine_.close();
  if (!machine_.alive()) return recover(false);
  require_fine(closed, "close");
  model_.durable_up_to(end);
  if (random_.chance(0.5)) {
    machine_.executor.run_until_idle();
    machine_.disk.power_cut(random_.next());
  }
  action_ = Action::open;
  machine_.next_life();
  trace("open after a stop in order");
  const auto opened = machine_.open(true);
  if (!machine_.alive()) return recover(false);
  require_fine(opened, "open");
  ++coverage_.opened;
  if (machine_.log->recovery().scanned_bytes != 0) {
    differ("{} bytes are scanned after a stop in order", machine_.log->recovery().scanned_bytes);
  }
  compare(false, end);
}

// The process dies, perhaps in the middle of things, and the machine goes on.
void Trial::kill() {
  ++coverage_.killed;
  machine_.process->files.kill(random_.next());
  recover(true);
}

}  // namespace millrace::storage::crash
