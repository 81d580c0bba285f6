#include "machine.hpp"

namespace millrace::storage::crash {

Task<StorageResult<void>> Keeper::save_recovery_point(const Log& log) {
  const auto guard = co_await saving_.lock();
  const std::vector<PartitionOffset> entries{{log.partition(), log.recovery_point()}};
  co_return co_await save_offset_checkpoint(files_, std::string(log_root),
                                            recovery_point_checkpoint_name, entries);
}

Task<StorageResult<void>> Keeper::save_log_start(const Log& log) {
  const auto guard = co_await saving_.lock();
  const std::vector<PartitionOffset> entries{{log.partition(), log.start()}};
  co_return co_await save_offset_checkpoint(files_, std::string(log_root),
                                            log_start_checkpoint_name, entries);
}

void Keeper::went_offline(const Log&, const StorageError& error) {
  offline.push_back(error.message);
}

namespace {

// Room for all keys that there are.
constexpr std::size_t cleaner_buffer_bytes = 2 * kibibyte;

}  // namespace

Process::Process(SimulatedDisk& disk, SimulatedExecutor& simulated,
                 const SimulatedFileOptions& options, bool keeps_tails, Logger log)
    : executor(simulated),
      files(disk, simulated, options),
      keeper(files),
      segments{executor, files, open_files, index_cache, buffers, decompressor, std::move(log)},
      context{segments, producers, keeper, keeps_tails ? &tails : nullptr},
      cleaned(files, std::string(log_root)),
      cleaner(segments, compressor, cleaned, {cleaner_buffer_bytes}) {}

Machine::Machine(std::uint64_t seed, const SimulatedFileOptions& options)
    : executor(seed),
      disk(seed),
      options_(options),
      keeps_tails_(Random(seed).chance(0.5)),
      logger_(std::make_shared<SilentLog>(), "crash") {
  options_.seed = seed;
  executor.steps_max = 100'000;
  start_process();
  run(make_directories());
  disk.sync_all();
}

Machine::~Machine() {
  // What is left is of no interest; nothing it does may fail a test.
  disk.before_step = nullptr;
  disk.cut_power_at(0, 0);
  executor.run_until_idle();
  const auto ended = executor.run(end_life());
  check(ended.has_value(), "a life can be ended");
}

void Machine::start_process() {
  process = std::make_unique<Process>(disk, executor, options_, keeps_tails_, logger_);
}

Task<void> Machine::make_directories() {
  const auto root = co_await process->files.make_directory(log_root);
  const auto directory = co_await process->files.make_directory(log_directory);
  check(root && directory, "an empty disk takes directories");
}

void Machine::run(Task<void> task) {
  const auto ended = executor.run(std::move(task));
  if (!ended) throw Difference(ended.error().message);
}

namespace {

Task<void> wait_all(TaskGroup& group) {
  co_await group.wait();
}

}  // namespace

void Machine::wait_for(TaskGroup& group) {
  run(wait_all(group));
}

void Machine::drain() {
  executor.run_until_idle();
  while (process->files.in_flight() > 0) check(executor.advance_to_next_timer(), "it ends");
}

Task<StorageResult<Offset>> Machine::checkpoint(std::string_view name) {
  const auto entries = co_await load_offset_checkpoint(process->files, std::string(log_root), name);
  if (!entries && entries.error().fault == StorageFault::not_found) co_return Offset(0);
  if (!entries) co_return failure(entries.error());
  co_return entries->empty() ? Offset(0) : entries->front().offset;
}

Task<StorageResult<std::unique_ptr<Log>>> Machine::open_log(bool clean) {
  LogOpening opening;
  opening.directory = std::string(log_directory);
  opening.partition = {"orders", PartitionIndex(0)};
  opening.config = config;
  opening.clean = clean;
  // As a log directory does before it trusts what is there.
  const auto synced = co_await process->files.sync_directory(log_root);
  if (!synced) co_return failure(directory_sync_error(synced.error(), std::string(log_root)));
  const auto recovery_point = co_await checkpoint(recovery_point_checkpoint_name);
  if (!recovery_point) co_return failure(recovery_point.error());
  opening.recovery_point = *recovery_point;
  const auto start = co_await checkpoint(log_start_checkpoint_name);
  if (!start) co_return failure(start.error());
  opening.log_start = *start;
  const auto cleaned = co_await process->cleaned.load();
  if (!cleaned) co_return failure(cleaned.error());
  co_return co_await Log::open(process->context, std::move(opening));
}

StorageResult<void> Machine::open(bool clean) {
  auto opened = wait(open_log(clean));
  if (!opened) return failure(opened.error());
  log = std::move(*opened);
  process->cleaner.add(*log, process->cleaned.cleaned_end(log->partition()));
  return {};
}

Task<StorageResult<void>> Machine::close_log() {
  co_await process->cleaner.remove(*log);
  co_return co_await log->close();
}

StorageResult<void> Machine::close() {
  auto closed = wait(close_log());
  if (closed) closed = wait(process->keeper.save_recovery_point(*log));
  log.reset();
  return closed;
}

Offset Machine::start_in_file() const {
  const auto text = disk.contents(path_in(log_root, log_start_checkpoint_name));
  const std::size_t last = text ? text->rfind(' ') : std::string::npos;
  return Offset(last == std::string::npos ? 0 : std::stoll(text->substr(last)));
}

Task<void> Machine::end_life() {
  if (log) {
    co_await process->cleaner.remove(*log);
    co_await log->abandon();
  }
  log.reset();
  co_await process->open_files.close_all();
}

void Machine::next_life() {
  executor.run_until_idle();
  run(end_life());
  executor.run_until_idle();
  process.reset();
  start_process();
}

}  // namespace millrace::storage::crash
