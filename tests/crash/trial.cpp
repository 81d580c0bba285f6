#include <cstdio>

#include "trial.hpp"

namespace millrace::storage::crash {

namespace {

[[nodiscard]] SimulatedFileOptions file_options(Random random) {
  SimulatedFileOptions options;
  constexpr SimulatedCompletion completions[] = {
      SimulatedCompletion::immediate, SimulatedCompletion::mixed, SimulatedCompletion::mixed,
      SimulatedCompletion::posted};
  options.completion = completions[random.below(std::size(completions))];
  if (random.chance(0.2)) options.slow = 0.3;
  return options;
}

[[nodiscard]] LogConfig log_config(Random& random) {
  LogConfig config;
  constexpr std::uint64_t segment_bytes[] = {400, 700, 1'200, 3'000};
  config.segment_bytes = segment_bytes[random.below(std::size(segment_bytes))];
  constexpr std::uint32_t intervals[] = {0, 0, 150, 400, 4'096};
  config.index_interval_bytes = intervals[random.below(std::size(intervals))];
  constexpr std::uint64_t flushes[] = {0, 0, 0, 1, 4};
  const std::uint64_t records = flushes[random.below(std::size(flushes))];
  if (records > 0) config.flush_records = records;
  config.compacts = true;
  config.dirty_ratio_min = 0;
  constexpr int tombstones_kept[] = {0, 0, 20, 500};
  config.delete_retention =
      std::chrono::milliseconds(tombstones_kept[random.below(std::size(tombstones_kept))]);
  if (random.chance(0.2)) config.segment_index_bytes = 5 * time_index_entry_bytes;
  if (random.chance(0.2)) config.segment_age_max = std::chrono::milliseconds(900);
  if (random.chance(0.5)) config.retention_bytes = random.below(4) * config.segment_bytes;
  config.file_delete_delay = std::chrono::milliseconds(random.below(2) * 40);
  return config;
}

}  // namespace

Trial::Trial(std::uint64_t seed, const TrialOptions& options, Coverage& coverage)
    : seed_(seed),
      options_(options),
      coverage_(coverage),
      random_(seed),
      machine_(seed, file_options(Random(seed))) {
  machine_.config = log_config(random_);
  machine_.disk.before_step = [this](const SimulatedStep& step) {
    if (options_.trace) trace("    {} {} {}", step.number, millrace::name_of(step.kind), step.path);
    meet_planned_cut(step);
    if (step.number != cut_step_) return;
    ++coverage_.cuts[static_cast<std::size_t>(action_)][static_cast<std::size_t>(step.kind)];
    trace("    the power goes away");
  };
}

void Trial::print(const std::string& line) {
  std::fputs((line + "\n").c_str(), stderr);
}

void Trial::run() {
  ++coverage_.sequences;
  trace("seed {}", seed_);
  open_first();
  plan_one_cut();
  const std::uint64_t steps_before = machine_.disk.steps();
  while (operations_ < options_.operations_min || changes_ == 0) {
    take_turn();
    // What is left then was looked at.
    if (options_.cuts == Cuts::at_one_step && machine_.disk.power_cuts() > 0) break;
  }
  steps_ = machine_.disk.steps() - steps_before;
  finish();
  coverage_.operations += operations_;
  for (std::size_t kind = 0; kind < io_kinds; ++kind) {
    coverage_.failures[kind] += machine_.disk.faults().injected(static_cast<IoKind>(kind));
  }
}

void Trial::open_first() {
  const auto opened = machine_.open(false);
  if (!opened) differ("an empty directory cannot be opened: {}", opened.error().message);
  ++coverage_.opened;
}

Action Trial::next_action() {
  constexpr std::array<std::uint8_t, actions> many = {40, 6, 5, 6, 1, 4, 3, 6, 6, 2, 2, 2, 0};
  constexpr std::array<std::uint8_t, actions> few = {16, 2, 6, 3, 1, 3, 2, 3, 9, 0, 1, 0, 0};
  const auto& weights = options_.cuts == Cuts::at_random ? many : few;
  // Every sequence has a roll, a truncation or a compaction.
  if (changes_ == 0 && operations_ + 3 >= options_.operations_min) {
    constexpr Action choices[] = {Action::append, Action::roll, Action::truncate};
    return choices[random_.below(std::size(choices))];
  }
  std::uint64_t sum = 0;
  for (const std::uint8_t weight : weights) sum += weight;
  std::uint64_t chosen = random_.below(sum);
  std::size_t action = 0;
  while (chosen >= weights[action]) chosen -= weights[action++];
  return static_cast<Action>(action);
}

void Trial::plan_one_cut() {
  if (options_.cut_at == 0) return;
  cut_step_ = machine_.disk.steps() + options_.cut_at;
  machine_.disk.cut_power_at(cut_step_, seed_ ^ options_.cut_at);
}

void Trial::maybe_plan_cut(Action action) {
  if (options_.cuts == Cuts::at_one_step) return;
  if (cut_step_ >= machine_.disk.steps() || kind_to_cut_) return;
  if (action == Action::compact && random_.chance(0.3)) {
    // Of its many steps those count most that put the names in order.
    kind_to_cut_ = random_.chance(0.3) ? IoKind::rename : IoKind::sync_directory;
    others_before_cut_ = random_.below(6);
    return;
  }
  if (!random_.chance(0.06)) return;
  cut_step_ = machine_.disk.steps() + 1 + random_.below(24);
  machine_.disk.cut_power_at(cut_step_, random_.next());
}

void Trial::meet_planned_cut(const SimulatedStep& step) {
  if (action_ != Action::compact || step.kind != kind_to_cut_ || others_before_cut_-- > 0) return;
  kind_to_cut_.reset();
  cut_step_ = step.number;
  machine_.disk.cut_power_at(cut_step_, seed_ ^ step.number);
}

void Trial::make_trouble() {
  SimulatedFaults& faults = machine_.disk.faults();
  if (options_.trouble == Trouble::space) {
    faults.rates.no_space = random_.chance(0.3) ? 0.3 : 0;
    if (!random_.chance(0.1)) return;
    // A name may need space too.
    const IoKind kind = random_.chance(0.5) ? IoKind::open : IoKind::rename;
    faults.plan({.kind = kind,
                 .fault = IoFault::no_space,
                 .path_part = ".tmp",
                 .after = random_.below(3),
                 .times = 1 + random_.below(2)});
  }
  if (options_.trouble == Trouble::descriptors) {
    faults.rates.open = random_.chance(0.4) ? 0.5 : 0;
    if (!random_.chance(0.15)) return;
    // A directory is opened to be synced.
    faults.plan({.kind = IoKind::sync_directory,
                 .fault = IoFault::too_many_open,
                 .after = random_.below(3),
                 .times = 1 + random_.below(2)});
  }
  if (options_.trouble != Trouble::device || faults.active() || !random_.chance(0.1)) return;
  PlannedFault fault;
  fault.kind = failing_kinds[random_.below(std::size(failing_kinds))];
  fault.after = random_.below(5);
  trace("  {} will fail", millrace::name_of(fault.kind));
  faults.plan(std::move(fault));
}

void Trial::end_trouble() {
  machine_.disk.faults().clear();
  machine_.disk.faults().rates = {};
}

void Trial::take_turn() {
  const Action action = next_action();
  kind_to_cut_.reset();
  maybe_plan_cut(action);
  make_trouble();
  action_ = action;
  ++operations_;
  ++coverage_.done[static_cast<std::size_t>(action)];
  trace("{} [{}, {})", name_of(action), model_.start(), model_.end());
  perform(action);
}

void Trial::perform(Action action) {
  switch (action) {
    case Action::append:
      return append();
    case Action::flush:
      return flush();
    case Action::roll:
      return roll();
    case Action::truncate:
      return truncate();
    case Action::restart:
      return restart();
    case Action::delete_below:
      return delete_below();
    case Action::retention:
      return retention();
    case Action::checkpoint:
      return checkpoint();
    case Action::compact:
      return compact();
    case Action::check:
      return compare(Expected::same, Offset(0));
    case Action::reopen:
      return reopen();
    case Action::kill:
      return kill();
    case Action::open:
      break;
  }
  check(false, "opening is no turn of its own");
}

namespace {

Task<void> stored(Task<StorageResult<void>> task, std::optional<StorageResult<void>>& result) {
  result.emplace(co_await std::move(task));
}

// What is read while the log changes is whole, or is said not to be there any more.
Task<void> read_some(Log& log, Offset from, std::string& problem) {
  const auto slice = co_await log.read({from, log.end(), 500, true});
  if (!slice) {
    if (slice.error().fault != ReadFault::out_of_range) problem = slice.error().storage.message;
    co_return;
  }
  if (slice->empty()) co_return;
  const std::shared_ptr<Segment> segment = slice->segment;
  if (slice->base_offset > from.plus(100)) problem = "what is read lies far behind the offset";
}

}  // namespace

void Trial::start_beside(TaskGroup& group, Beside& beside) {
  Log& log = *machine_.log;
  beside.flushed_to = model_.end();
  if (random_.chance(0.15)) group.start(stored(log.flush(), beside.flushed));
  if (random_.chance(0.1)) {
    group.start(stored(machine_.process->keeper.save_recovery_point(log), beside.saved));
  }
  if (random_.chance(0.1)) group.start(stored(log.checkpoint(), beside.checkpointed));
  if (random_.chance(0.2)) {
    const auto span = static_cast<std::uint64_t>(log.end().since(log.start()));
    group.start(read_some(log, log.start().plus(static_cast<std::int64_t>(random_.below(span + 1))),
                          beside.read_problem));
  }
}

void Trial::end_beside(const Beside& beside) {
  if (beside.flushed && *beside.flushed) model_.durable_up_to(beside.flushed_to);
  if (beside.flushed) static_cast<void>(fine(*beside.flushed, "flush"));
  if (beside.saved) static_cast<void>(fine(*beside.saved, "saving the recovery point"));
  if (beside.checkpointed) static_cast<void>(fine(*beside.checkpointed, "checkpoint"));
  const bool may_fail = options_.trouble == Trouble::descriptors;
  if (well() && !may_fail && !beside.read_problem.empty())
    differ("a read: {}", beside.read_problem);
}

bool Trial::is_short_of(StorageFault fault) const {
  if (options_.trouble == Trouble::space) return fault == StorageFault::no_space;
  return options_.trouble == Trouble::descriptors && fault == StorageFault::limit;
}

bool Trial::fine(const StorageResult<void>& result, std::string_view what) {
  if (result) return true;
  if (!machine_.alive()) return false;
  const StorageError& error = result.error();
  if (is_short_of(error.fault)) {
    ++coverage_.ran_short;
    return false;
  }
  // Where a change is stopped in the middle only a start can put things in order.
  const bool may_go_offline =
      options_.trouble == Trouble::device || options_.trouble == Trouble::descriptors;
  if (may_go_offline && error.fault == StorageFault::offline) {
    // Of what fails outside of the log it is told, as by the cleaner.
    if (machine_.log) machine_.log->report(error);
    return false;
  }
  differ("{} failed: {}", what, error.message);
}

// What the log itself says is durable.
void Trial::note_durable() {
  const Log& log = *machine_.log;
  if (log.flushed_end() > log.end() || log.recovery_point() > log.flushed_end()) {
    differ("the recovery point is {}, durable is {}, the end {}", log.recovery_point(),
           log.flushed_end(), log.end());
  }
  model_.durable_up_to(log.flushed_end());
}

bool Trial::survived() {
  if (!machine_.alive()) {
    recover(false);
    return false;
  }
  require_failures_told();
  if (machine_.log->offline()) {
    end_offline();
    return false;
  }
  note_durable();
  return true;
}

// The next life, until it finds its feet: there may be trouble again meanwhile.
void Trial::recover(bool killed) {
  Offset required = killed ? model_.end() : model_.durable();
  for (int attempt = 0;; ++attempt) {
    action_ = Action::open;
    ++coverage_.done[static_cast<std::size_t>(action_)];
    end_trouble();
    if (options_.trace) print(machine_.disk.dump());
    machine_.next_life();
    closes_failed_ = machine_.disk.faults().injected(IoKind::close);
    if (options_.cuts == Cuts::at_random && attempt < 3 && random_.chance(0.3)) {
      cut_step_ = machine_.disk.steps() + 1 + random_.below(16);
      machine_.disk.cut_power_at(cut_step_, random_.next());
    }
    if (attempt < 3) make_trouble();
    trace("open");
    const auto opened = machine_.open(false);
    if (opened) {
      end_trouble();
      machine_.drain();
      if (well() && !closed_badly()) break;
    } else if (machine_.alive()) {
      static_cast<void>(fine(opened, "open"));
      // For want of something nothing is lost that was there.
      if (runs_short()) continue;
    }
    if (machine_.alive()) machine_.disk.power_cut(random_.next());
    required = model_.durable();
  }
  static_cast<void>(failures_since_told());
  ++coverage_.opened;
  cut_step_ = 0;
  machine_.disk.cut_power_at(0, 0);
  compare(Expected::after_crash, required);
}

void Trial::compare(Expected expected, Offset required) {
  end_trouble();
  const std::uint64_t planned = cut_step_;
  machine_.disk.cut_power_at(0, 0);
  machine_.drain();
  if (well() && closed_badly()) machine_.disk.power_cut(random_.next());
  if (!well()) {
    static_cast<void>(survived());
    return;
  }
  const Found found = found_in(machine_);
  const Timestamp now = machine_.executor.clock().wall_now();
  if (expected == Expected::after_crash) {
    model_.take_over(found, required, now);
  } else if (expected == Expected::same) {
    model_.compare(found);
  } else {
    model_.take_over_cleaned(found, expected == Expected::cleaned, now);
  }
  trace("  it is {} to {} in {} segments", found.start, found.end, machine_.log->segments().size());
  Comparison(machine_, model_, random_).compare_all(found);
  if (planned <= machine_.disk.steps()) return;
  cut_step_ = planned;
  machine_.disk.cut_power_at(planned, random_.next());
}

// The power goes away for the last time, and what is left works.
void Trial::finish() {
  end_trouble();
  machine_.disk.cut_power_at(0, 0);
  machine_.disk.power_cut(random_.next());
  trace("the last power cut");
  recover(false);
  action_ = Action::append;
  append();
  reopen();
}

std::optional<std::string> problem_at_any_step(std::uint64_t seed, const TrialOptions& options,
                                               Coverage& coverage) {
  TrialOptions cut = options;
  cut.cuts = Cuts::at_one_step;
  std::uint64_t steps = 0;
  try {
    do {
      Trial trial(seed, cut, coverage);
      trial.run();
      if (cut.cut_at == 0) steps = trial.steps();
    } while (++cut.cut_at <= steps);
  } catch (const Difference& difference) {
    return formatted("seed {}, cut at step {}: {}\nreplay with MILLRACE_CRASH_SEED={}", seed,
                     cut.cut_at, difference.what(), seed);
  }
  return std::nullopt;
}

std::optional<std::string> problem_of_trial(std::uint64_t seed, const TrialOptions& options,
                                            Coverage& coverage) {
  try {
    Trial trial(seed, options, coverage);
    trial.run();
  } catch (const Difference& difference) {
    return formatted("seed {}: {}\nreplay with MILLRACE_CRASH_SEED={}", seed, difference.what(),
                     seed);
  }
  return std::nullopt;
}

}  // namespace millrace::storage::crash
