#include "trial.hpp"

namespace millrace::storage::crash {

namespace {

Task<void> stored(Task<StorageResult<void>> task, std::optional<StorageResult<void>>& result) {
  result.emplace(co_await std::move(task));
}

}  // namespace

// Runs what changes the log, with what may run beside it. When it has `ended` what was left was
// looked at.
Trial::Outcome Trial::change(Task<StorageResult<void>> task) {
  TaskGroup group;
  Beside beside;
  const bool beside_first = random_.chance(0.5);
  std::optional<StorageResult<void>> result;
  if (beside_first) start_beside(group, beside);
  group.start(stored(std::move(task), result));
  if (!beside_first) start_beside(group, beside);
  machine_.wait_for(group);
  // What was cut is not durable, whatever was said before.
  beside.flushed.reset();
  end_beside(beside);
  const bool done = fine(*result, name_of(action_));
  if (!well()) {
    static_cast<void>(survived());
    return Outcome::ended;
  }
  if (done) return Outcome::done;
  if (options_.trouble != Trouble::descriptors) return Outcome::refused;
  // How far it came is seen in what there is, and, of where the log begins, at the next start.
  model_.doubt_starts();
  const bool cuts = action_ == Action::truncate || action_ == Action::restart;
  compare(Expected::after_crash, cuts ? model_.durable() : model_.end());
  return Outcome::ended;
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
  static_cast<void>(fine(flushed, "flush"));
  static_cast<void>(survived());
}

void Trial::roll() {
  if (!machine_.log->segments().back()->empty()) ++changes_;
  if (change(machine_.log->roll()) != Outcome::ended) static_cast<void>(survived());
}

void Trial::truncate() {
  const auto span = static_cast<std::uint64_t>(model_.end().since(model_.start())) + 4;
  Offset offset = model_.end().plus(-static_cast<std::int64_t>(
      random_.below(random_.chance(0.3) ? std::min<std::uint64_t>(span, 6) : span)));
  // Cleaned is only what is below the high watermark, which is rarely cut: only where a leader
  // takes over that was not in sync. Drawn apart, so that other sequences stay what they are.
  const bool spares_cleaned = (seed_ + machine_.disk.steps()) % 4 != 0;
  if (spares_cleaned) offset = std::max(offset, std::min(cleaned_to_, model_.end()));
  if (offset < Offset(0)) return;
  if (offset < model_.end()) ++changes_;
  trace("  to {}", offset);
  const auto& segments = machine_.log->segments();
  const bool all =
      offset < model_.end() && offset <= model_.start() && offset < segments.front()->base();
  if (all) {
    model_.will_restart(offset);
  } else {
    model_.will_truncate(offset);
  }
  const Outcome outcome = change(cut(offset, machine_.log->truncate(offset)));
  if (outcome == Outcome::ended) return;
  model_.settled();
  // Without space for the epochs the records are gone all the same, and it says so.
  const bool unchanged = outcome == Outcome::refused && machine_.log->end() == model_.end();
  if (outcome == Outcome::refused) {
    model_.start_not_saved(model_.start());
    model_.start_not_saved(machine_.start_in_file());
  } else if (offset < model_.end()) {
    model_.start_saved();
  }
  if (all && !unchanged) {
    model_.restarted(offset);
  } else if (offset < model_.end() && !unchanged) {
    model_.truncated(offset);
    forget_what_a_cut_forgets();
  }
  require_same_ends();
  static_cast<void>(survived());
}

void Trial::restart() {
  const Offset offset = model_.end().plus(static_cast<std::int64_t>(random_.below(50)) - 20);
  if (offset < Offset(0)) return;
  trace("  at {}", offset);
  model_.will_restart(offset);
  const Outcome outcome = change(cut(offset, machine_.log->restart_at(offset)));
  if (outcome == Outcome::ended) return;
  model_.settled();
  const Log& log = *machine_.log;
  const bool same_ends = log.end() == model_.end() && log.start() == model_.start();
  const bool cleared = log.start() == offset && log.end() == offset && log.producers().empty();
  const bool unchanged = outcome == Outcome::refused && same_ends && !cleared;
  if (outcome == Outcome::refused) {
    model_.start_not_saved(model_.start());
    model_.start_not_saved(machine_.start_in_file());
  } else {
    model_.start_saved();
  }
  if (!unchanged) model_.restarted(offset);
  if (!unchanged) cleaned_to_ = Offset(0);
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
  // Without space to say where the log begins the segments go one by one.
  for (const auto& segment : log.segments()) {
    const bool between = segment->base() > model_.start() && segment->base() < offset;
    if (between && runs_short()) model_.will_start_at(segment->base());
  }
  const Outcome outcome = change(log.delete_below(offset));
  if (outcome == Outcome::ended) return;
  model_.settled();
  const bool unchanged = outcome == Outcome::refused && log.start() == model_.start();
  if (!unchanged) model_.started_at(std::max(offset, model_.start()));
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
  if (change(apply_retention(log)) == Outcome::ended) return;
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
  if (well()) {
    if (random_.chance(0.5)) machine_.executor.advance(std::chrono::milliseconds(20));
    group.start(stored(machine_.process->keeper.save_recovery_point(*machine_.log), saved));
    machine_.wait_for(group);
  }
  model_.durable_up_to(machine_.log->flushed_end());
  static_cast<void>(fine(*flushed, "checkpoint"));
  if (saved) static_cast<void>(fine(*saved, "saving the recovery point"));
  static_cast<void>(survived());
}

// A stop in order, after which the power may go away all the same.
void Trial::reopen() {
  const Offset end = model_.end();
  const auto closed = machine_.close();
  if (!machine_.alive()) return recover(false);
  const bool failed_at_last = !machine_.process->keeper.offline.empty();
  if (!fine(closed, "close") || failed_at_last) {
    // The next start is one after a crash. A device that failed is not asked again.
    if (options_.trouble == Trouble::device) machine_.disk.power_cut(random_.next());
    return recover(runs_short());
  }
  end_trouble();
  model_.durable_up_to(end);
  if (random_.chance(0.5)) {
    machine_.executor.run_until_idle();
    machine_.disk.power_cut(random_.next());
  }
  action_ = Action::open;
  machine_.next_life();
  closes_failed_ = machine_.disk.faults().injected(IoKind::close);
  trace("open after a stop in order");
  const auto opened = machine_.open(true);
  if (!machine_.alive()) return recover(false);
  static_cast<void>(fine(opened, "open"));
  ++coverage_.opened;
  if (machine_.log->recovery().scanned_bytes != 0) {
    differ("{} bytes are scanned after a stop in order", machine_.log->recovery().scanned_bytes);
  }
  compare(Expected::same, end);
}

// The process dies, perhaps in the middle of things, and the machine goes on.
void Trial::kill() {
  ++coverage_.killed;
  if (!failures_since_told().empty()) {
    // Nobody knows any more that a sync failed.
    machine_.disk.power_cut(random_.next());
    return recover(false);
  }
  machine_.process->files.kill(random_.next());
  recover(true);
}

}  // namespace millrace::storage::crash
