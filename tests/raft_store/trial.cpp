#include "trial.hpp"

#include <algorithm>
#include <array>
#include <coroutine>
#include <iterator>
#include <string_view>

namespace millrace::raft::store_crash {
namespace {

using storage::StorageFault;
using storage::StorageResult;

const std::string directory = "/raft";

// What may be durable.
struct State {
  HardState hard_state{};
  SnapshotMeta snapshot{};
  std::vector<Entry> entries{};  // directly above the snapshot

  [[nodiscard]] LogIndex last() const {
    return entries.empty() ? snapshot.last.index : entries.back().index;
  }
  void truncate_from(LogIndex index) {
    std::erase_if(entries, [index](const Entry& entry) { return entry.index >= index; });
  }
  friend bool operator==(const State&, const State&) = default;
};

std::string describe(const State& state) {
  std::string text =
      formatted("term {} vote {} snapshot {}/{} entries", state.hard_state.term,
                state.hard_state.vote, state.snapshot.last.index, state.snapshot.last.term);
  for (const Entry& entry : state.entries) text += formatted(" {}/{}", entry.index, entry.term);
  return text;
}

std::string snapshot_state(const SnapshotMeta& meta) {
  return std::string(static_cast<std::size_t>(meta.bytes),
                     static_cast<char>('a' + meta.last.index.value() % 26));
}

// All that may be found when the power goes away during the write: it is durable from the front on.
std::vector<State> states_during(State state, const Write& write) {
  std::vector<State> all{state};
  if (write.hard_state) {
    state.hard_state = *write.hard_state;
    all.push_back(state);
  }
  if (write.install) {
    state.snapshot = *write.install;
    state.entries.clear();
    all.push_back(state);
  }
  for (const Entry& entry : write.entries) {
    state.truncate_from(entry.index);
    state.entries.push_back(entry);
    all.push_back(state);
  }
  return all;
}

class Trial {
 public:
  Trial(const Plan& plan, Coverage& coverage)
      : plan_(plan),
        coverage_(coverage),
        random_(plan.seed),
        executor_(plan.seed),
        disk_(plan.seed) {}
  ~Trial() { stop(); }
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  std::optional<std::string> run();

 private:
  template <class T>
  T wait(Task<T> task) {
    auto ended = executor_.run(std::move(task));
    check(ended.has_value(), "every operation ends");
    return std::move(ended.value());
  }
  void start() {
    stop();
    files_ = std::make_unique<SimulatedFileSystem>(disk_, executor_,
                                                   SimulatedFileOptions{.seed = random_.next()});
  }
  void stop() {
    executor_.run_until_idle();
    log_.reset();
    files_.reset();
  }
  static Task<IoResult<void>> make_directory(FileSystem& files) {
    co_return co_await files.make_directory(directory);
  }

  void begin();
  void operate();
  void append();
  void overwrite();
  void vote();
  void install();
  void save();
  void compact();
  void persist(const Write& write);
  template <class Call>
  bool until_done(Call call);
  void restart();
  void recover();
  void look_at_snapshot();
  void trouble_on();
  void fail(std::string what) {
    if (!problem_) problem_ = formatted("seed {}: {}", plan_.seed, what);
  }
  Entry entry_at(LogIndex index, Term term) {
    const auto size = static_cast<std::size_t>(random_.below(60));
    const std::string data(size, static_cast<char>('a' + random_.below(26)));
    return {index, term, EntryKind::command, Payload(data)};
  }

  const Plan& plan_;
  Coverage& coverage_;
  Random random_;
  SimulatedExecutor executor_;
  SimulatedDisk disk_;
  std::unique_ptr<SimulatedFileSystem> files_;
  std::unique_ptr<DurableLog> log_;
  State state_;                  // acknowledged
  std::vector<State> possible_;  // while something is not acknowledged
  LogIndex commit_;
  bool lost_ = false;  // the process cannot go on
  std::optional<std::string> problem_;
};

void Trial::begin() {
  start();
  check(wait(make_directory(*files_)).has_value(), "a directory is made");
  disk_.sync_all();
  const Membership first({NodeId(1)});
  check(wait(DurableLog::format(*files_, directory, first)).has_value(), "a group is begun");
  state_.snapshot.membership = first;
  recover();
  if (plan_.cut_step > 0) disk_.cut_power_at(disk_.steps() + plan_.cut_step, random_.next());
  if (plan_.fault) disk_.faults().plan(*plan_.fault);
}

void Trial::trouble_on() {
  disk_.faults().rates = plan_.rates;
  if (random_.chance(plan_.power_cuts)) {
    disk_.cut_power_at(disk_.steps() + 1 + random_.below(12), random_.next());
  }
}

// A shortage passes; anything else ends the process. Whether it was done.
template <class Call>
bool Trial::until_done(Call call) {
  while (true) {
    const auto done = wait(call());
    if (done) return true;
    if (done.error().fault == StorageFault::offline) break;
    if (!storage::is_shortage(done.error().fault)) {
      fail("refused: " + done.error().message);
      break;
    }
    ++coverage_.shortages;
  }
  lost_ = true;
  return false;
}

void Trial::persist(const Write& write) {
  possible_ = states_during(state_, write);
  if (!until_done([&] { return log_->persist(write); })) return;
  state_ = possible_.back();
  possible_.clear();
}

void Trial::append() {
  Write write{WriteNumber(1), std::nullopt, std::nullopt, {}};
  HardState hard_state = state_.hard_state;
  if (hard_state.term.value() == 0 || random_.chance(0.1)) {
    hard_state = {hard_state.term.next(), NodeId(static_cast<std::int32_t>(random_.below(3)))};
    write.hard_state = hard_state;
  }
  const std::uint64_t count = random_.below(5);
  for (std::uint64_t i = 0; i < count; ++i) {
    const LogIndex index = state_.last().plus(static_cast<std::int64_t>(i) + 1);
    write.entries.push_back(entry_at(index, hard_state.term));
  }
  persist(write);
}

void Trial::overwrite() {
  const auto free = static_cast<std::uint64_t>(state_.last().since(commit_));
  if (free == 0) return append();
  ++coverage_.conflicts;
  Write write{WriteNumber(1), HardState{state_.hard_state.term.next(), no_node}, std::nullopt, {}};
  LogIndex index = commit_.plus(1 + static_cast<std::int64_t>(random_.below(free)));
  const std::uint64_t count = 1 + random_.below(3);
  for (std::uint64_t i = 0; i < count; ++i, index = index.next()) {
    write.entries.push_back(entry_at(index, write.hard_state->term));
  }
  persist(write);
}

void Trial::vote() {
  const NodeId vote(static_cast<std::int32_t>(random_.below(3)));
  persist({WriteNumber(1), HardState{state_.hard_state.term.next(), vote}, std::nullopt, {}});
}

void Trial::install() {
  ++coverage_.installs;
  Write write{WriteNumber(1), HardState{state_.hard_state.term.next(), no_node}, std::nullopt, {}};
  const LogIndex index = commit_.plus(1 + static_cast<std::int64_t>(random_.below(8)));
  const SnapshotMeta meta{
      {index, write.hard_state->term}, Membership({NodeId(1), NodeId(2)}), random_.below(1500)};
  write.install = meta;
  if (random_.chance(0.5)) write.entries.push_back(entry_at(index.next(), meta.last.term));
  const std::string bytes = snapshot_state(meta);
  for (std::size_t at = 0; at == 0 || at < bytes.size(); at += 700) {
    const SnapshotPart part{meta, at, Payload(std::string_view(bytes).substr(at, 700))};
    if (!until_done([&] { return log_->receive(part); })) return;
  }
  persist(write);
  if (!lost_) commit_ = index;
}

void Trial::save() {
  if (state_.entries.empty()) return append();
  ++coverage_.saves;
  const std::size_t place = random_.below(state_.entries.size());
  const LogPosition last = state_.entries[place].position();
  commit_ = std::max(commit_, last.index);
  const SnapshotMeta meta{last, state_.snapshot.membership, random_.below(1500)};
  const std::string bytes = snapshot_state(meta);
  for (std::size_t at = 0; at == 0 || at < bytes.size(); at += 700) {
    const SnapshotPart part{meta, at, Payload(std::string_view(bytes).substr(at, 700))};
    if (!until_done([&] { return log_->save(part); })) return;
  }
  State saved = state_;
  saved.snapshot = meta;
  std::erase_if(saved.entries, [&](const Entry& entry) { return entry.index <= last.index; });
  possible_ = {state_, saved};
  if (!until_done([&] { return log_->finish_save(meta); })) return;
  state_ = saved;
  possible_.clear();
  compact();
}

void Trial::compact() {
  ++coverage_.compactions;
  const auto kept = static_cast<std::int64_t>(random_.chance(0.5) ? 0 : random_.below(6));
  const LogIndex through = state_.snapshot.last.index.plus(-kept);
  if (through.value() < 1) return;
  if (!until_done([&] { return log_->compact_through(through); })) return;
}

void Trial::look_at_snapshot() {
  const SnapshotMeta& meta = state_.snapshot;
  const auto bytes = wait(log_->read_snapshot(meta, 0, meta.bytes));
  if (!bytes) return fail("the snapshot cannot be read: " + bytes.error().message);
  const bool same = as_text(*bytes) == snapshot_state(meta);
  if (!same) fail("the snapshot has other bytes");
}

void Trial::recover() {
  disk_.faults().rates = {};
  const StoreOptions options{.segment_bytes = 300, .reserve_bytes = 0};
  std::uint64_t cuts = disk_.power_cuts();
  auto opened = wait(DurableLog::open(*files_, directory, options));
  // A planned cut may come while the log is opened.
  while (!opened && disk_.power_cuts() != cuts) {
    cuts = disk_.power_cuts();
    start();
    opened = wait(DurableLog::open(*files_, directory, options));
  }
  if (!opened) return fail("it does not open: " + opened.error().message + "\n" + disk_.dump());
  log_ = std::move(*opened);
  Recovered recovered = log_->take_recovered();
  const State found{recovered.hard_state, recovered.snapshot, std::move(recovered.entries)};
  if (possible_.empty()) possible_.push_back(state_);
  if (std::ranges::find(possible_, found) == possible_.end()) {
    return fail("found " + describe(found) + "\nacknowledged " + describe(state_) + "\nat most " +
                describe(possible_.back()));
  }
  if (found != state_) ++coverage_.parts_kept;
  state_ = found;
  commit_ = std::max(commit_, state_.snapshot.last.index);
  possible_.clear();
  look_at_snapshot();
}

// The process ends here and begins anew. Once what was found is known, the power may go away.
void Trial::restart() {
  ++coverage_.restarts;
  disk_.faults().clear();
  lost_ = false;
  start();
  recover();
  if (problem_ || random_.chance(0.5)) return;
  disk_.power_cut(random_.next());
  start();
  recover();
}

void Trial::operate() {
  const std::uint64_t cuts = disk_.power_cuts();
  switch (random_.below(12)) {
    case 0:
      vote();
      break;
    case 1:
    case 2:
      overwrite();
      break;
    case 3:
      install();
      break;
    case 4:
    case 5:
      save();
      break;
    case 6:
      if (random_.chance(0.3)) lost_ = true;
      break;
    default:
      append();
  }
  if (disk_.power_cuts() != cuts) {
    ++coverage_.cuts_in_operation;
    lost_ = true;
  }
}

std::optional<std::string> Trial::run() {
  begin();
  const std::uint64_t first = disk_.steps();
  for (int i = 0; i < plan_.operations && !problem_; ++i) {
    trouble_on();
    operate();
    disk_.cut_power_at(plan_.cut_step > 0 ? first + plan_.cut_step : 0, plan_.seed);
    if (lost_ && !problem_) restart();
  }
  coverage_.steps = disk_.steps() - first;
  coverage_.faults += disk_.faults().injected();
  if (!problem_) {
    disk_.cut_power_at(0, 0);
    disk_.power_cut(random_.next());
    restart();
  }
  return problem_;
}

}  // namespace

std::optional<std::string> problem_of(const Plan& plan, Coverage& coverage) {
  Trial trial(plan, coverage);
  return trial.run();
}

}  // namespace millrace::raft::store_crash
