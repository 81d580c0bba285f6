module;
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

module millrace.runtime.files;

namespace millrace {
namespace {

// Files of a shard whose write-back runs at the same time; each keeps a thread of the pool waiting.
constexpr std::size_t write_backs_max = 4;

[[nodiscard]] bool changes(IoKind kind) {
  return kind == IoKind::write || kind == IoKind::set_size || kind == IoKind::punch ||
         kind == IoKind::set_time;
}

[[nodiscard]] bool ends_in_error(IoOperation& operation, int error_number) {
  files::fail(operation, error_number);
  return true;
}

// Bytes of the file are lost: that is worse than what its errno means, such as missing space.
void fail_as_lost(IoOperation& operation, const files::OpenFile& file) {
  files::fail(operation, file.lost);
  operation.error_.fault = IoFault::failed;
}

}  // namespace

PosixFileSystem::PosixFileSystem(EventLoop& loop, FilePool& pool, const FileSystemOptions& options)
    : loop_(loop),
      limits_(options.in_place),
      in_place_(options.in_place),
      files_(options.open_files_max),
      pool_(
          pool, loop.mailbox(), this,
          [](void* self, IoOperation& operation) {
            static_cast<PosixFileSystem*>(self)->ended(operation);
          },
          options.pool_operations_max),
      next_turn_(this, [](void* self) { static_cast<PosixFileSystem*>(self)->begin_turn(); }) {
  for (std::size_t i = 0; i < write_backs_max; ++i) {
    write_backs_.push_back(std::make_unique<files::WriteBackOperation>(*this));
    free_write_backs_.push_back(write_backs_.back().get());
  }
}

PosixFileSystem::~PosixFileSystem() {
  check(in_flight_ == 0, "a file system outlives its operations");
}

bool PosixFileSystem::start(IoOperation& operation) {
  switch (operation.kind_) {
    case IoKind::open:
      return start_open(operation);
    case IoKind::close:
    case IoKind::read:
    case IoKind::read_in:
    case IoKind::write:
    case IoKind::sync_data:
    case IoKind::set_size:
    case IoKind::punch:
    case IoKind::set_time:
    case IoKind::file_size:
    case IoKind::lock: {
      files::OpenFile* file = files_.find(operation.file_);
      if (file == nullptr) return ends_in_error(operation, EBADF);
      return start_on_file(operation, *file);
    }
    case IoKind::status:
    case IoKind::rename:
    case IoKind::remove:
    case IoKind::make_directory:
    case IoKind::remove_directory:
    case IoKind::list:
    case IoKind::sync_directory:
    case IoKind::free_bytes:
      ++in_flight_;
      carry_out(operation, Reason::blocks);
      return false;
  }
  return ends_in_error(operation, EINVAL);
}

bool PosixFileSystem::start_open(IoOperation& operation) {
  if (!files_.reserve()) return ends_in_error(operation, EMFILE);
  ++in_flight_;
  carry_out(operation, Reason::blocks);
  return false;
}

bool PosixFileSystem::start_on_file(IoOperation& operation, files::OpenFile& file) {
  operation.hold_.descriptor = file.descriptor;
  switch (operation.kind_) {
    case IoKind::close:
      return start_close(operation, file);
    case IoKind::read:
      return start_read(operation, file, Try::first);
    case IoKind::read_in:
      return start_read_in(operation, file);
    case IoKind::write:
      return start_write(operation, file, Try::first);
    case IoKind::file_size:
      // The kernel has it in memory as long as the file is open.
      files::perform(operation);
      return true;
    case IoKind::sync_data:
      return start_sync(operation, file);
    default:
      hand_over(operation, file, Reason::blocks);
      return false;
  }
}

// Most of what is sent was written or sent a moment ago.
bool PosixFileSystem::start_read_in(IoOperation& operation, files::OpenFile& file) {
  if (files::is_cached(operation)) {
    ++counters_.reads_in_place;
    return true;
  }
  hand_over(operation, file, Reason::blocks);
  return false;
}

bool PosixFileSystem::start_read(IoOperation& operation, files::OpenFile& file, Try time) {
  if (!file.reads_in_place || !in_place_.admits_read(operation.buffer_.size())) {
    hand_over(operation, file, Reason::costs_too_much);
    return false;
  }
  if (must_wait(time)) {
    wait_in(deferred_, operation, file);
    return false;
  }
  const MonotonicTime begin = loop_.clock().now();
  const files::CachedRead outcome = files::read_cached(operation);
  spent(loop_.clock().now() - begin);
  if (outcome == files::CachedRead::ended) {
    ++counters_.reads_in_place;
    return true;
  }
  file.reads_in_place = outcome == files::CachedRead::would_block;
  hand_over(operation, file, Reason::blocks);
  return false;
}

bool PosixFileSystem::start_write(IoOperation& operation, files::OpenFile& file, Try time) {
  if (file.lost != 0) {
    fail_as_lost(operation, file);
    return true;
  }
  const std::size_t bytes = files::total_size(operation.pieces_);
  if (bytes == 0) return true;
  const MonotonicTime begin = loop_.clock().now();
  if (!in_place_.admits_write(bytes, begin) ||
      file.write_back.waiting_bytes() > limits_.write_back_bytes_max) {
    hand_over(operation, file, Reason::costs_too_much);
    return false;
  }
  if (file.changing > 0) {
    wait_in(file.waiting, operation, file);
    return false;
  }
  if (must_wait(time)) {
    wait_in(deferred_, operation, file);
    return false;
  }
  write_in_place(operation, file, begin);
  return true;
}

void PosixFileSystem::write_in_place(IoOperation& operation, files::OpenFile& file,
                                     MonotonicTime begin) {
  if (!times_asleep_) times_asleep_ = files::times_asleep();
  files::perform(operation);
  const MonotonicTime end = loop_.clock().now();
  if (in_place_.is_slow_write(end - begin)) {
    const std::uint64_t asleep = files::times_asleep();
    if (std::exchange(times_asleep_, asleep) != asleep) operation.hold_.waited = end - begin;
  }
  ++counters_.writes_in_place;
  spent(end - begin);
  ended_write(operation, file, end);
}

// Those who wait already come first.
bool PosixFileSystem::must_wait(Try time) const {
  return in_place_.turn_is_over() || (time == Try::first && !deferred_.empty());
}

void PosixFileSystem::wait_in(files::OperationQueue& queue, IoOperation& operation,
                              files::OpenFile& file) {
  ++in_flight_;
  ++file.in_flight;
  queue.add(operation);
}

void PosixFileSystem::begin_turn() {
  in_place_.begin_turn();
  times_asleep_.reset();
  files::OperationQueue have_result;
  for (std::size_t left = deferred_.size(); left > 0 && !in_place_.turn_is_over(); --left) {
    IoOperation& operation = *deferred_.take();
    if (try_again(operation)) have_result.add(operation);
  }
  if (!deferred_.empty()) ask_for_turn();
  finish_all(have_result);
}

bool PosixFileSystem::try_again(IoOperation& operation) {
  files::OpenFile& file = files_.get(operation.file_);
  const bool has_ended = operation.kind_ == IoKind::read ? start_read(operation, file, Try::again)
                                                         : start_write(operation, file, Try::again);
  // If it has not ended, it was counted once more.
  if (!has_ended) --in_flight_;
  --file.in_flight;
  if (has_ended) close_if_unused(file);
  return has_ended;
}

void PosixFileSystem::ask_for_turn() {
  if (Callback* callback = next_turn_.ask()) loop_.post(*callback);
}

bool PosixFileSystem::start_sync(IoOperation& operation, files::OpenFile& file) {
  if (file.lost != 0) {
    fail_as_lost(operation, file);
    return true;
  }
  wait_in(file.waiting_syncs, operation, file);
  files::OperationQueue none;
  go_on_syncing(file, none);
  return false;
}

void PosixFileSystem::go_on_syncing(files::OpenFile& file, files::OperationQueue& have_result) {
  if (file.tells_errors() || file.waiting_syncs.empty()) return;
  if (file.lost != 0) {
    file.in_flight -= static_cast<std::uint32_t>(file.waiting_syncs.size());
    while (IoOperation* operation = file.waiting_syncs.take()) {
      fail_as_lost(*operation, file);
      have_result.add(*operation);
    }
    return;
  }
  // What was written before any of them was asked for is on the disk after one call.
  IoOperation& first = *file.waiting_syncs.take();
  file.synced_together.append(file.waiting_syncs);
  file.syncing = true;
  file.write_back.left_to_sync();
  carry_out(first, Reason::blocks);
}

// The descriptor is closed after the last operation that holds it: its number would otherwise mean
// another file meanwhile.
bool PosixFileSystem::start_close(IoOperation& operation, files::OpenFile& file) {
  file.closing = &operation;
  ++in_flight_;
  if (file.in_flight == 0) carry_out(operation, Reason::blocks);
  return false;
}

void PosixFileSystem::hand_over(IoOperation& operation, files::OpenFile& file, Reason reason) {
  ++in_flight_;
  ++file.in_flight;
  if (changes(operation.kind_)) ++file.changing;
  carry_out(operation, reason);
}

void PosixFileSystem::carry_out_in_pool(IoOperation& operation) {
  ++counters_.to_pool;
  pool_.submit(operation);
}

void PosixFileSystem::ended(IoOperation& operation) {
  if (operation.kind_ == files::write_back_kind) {
    ended_write_back(static_cast<files::WriteBackOperation&>(operation));
    return;
  }
  if (operation.kind_ == IoKind::sync_data) {
    ended_sync(operation);
    return;
  }
  --in_flight_;
  if (operation.kind_ == IoKind::open) {
    if (operation.failed_) {
      files_.cancel_reservation();
    } else {
      operation.value_ = static_cast<std::uint64_t>(files_.add(operation.hold_.descriptor).value());
    }
  } else if (operation.file_ != no_file) {
    ended_on_file(operation);
  }
  operation.finish();
}

void PosixFileSystem::ended_on_file(IoOperation& operation) {
  files::OpenFile& file = files_.get(operation.file_);
  if (operation.kind_ == IoKind::close) {
    if (file.lost != 0) fail_as_lost(operation, file);
    files_.remove(operation.file_);
    return;
  }
  if (operation.kind_ == IoKind::write) ended_write(operation, file, loop_.clock().now());
  let_go(file, changes(operation.kind_));
}

void PosixFileSystem::ended_sync(IoOperation& operation) {
  files::OpenFile& file = files_.get(operation.file_);
  const bool lost = operation.failed_ && operation.error_.fault == IoFault::failed;
  if (lost) file.lost = operation.error_.number;
  file.syncing = false;
  files::OperationQueue have_result;
  have_result.add(operation);
  while (IoOperation* other = file.synced_together.take()) {
    other->failed_ = operation.failed_;
    other->error_ = operation.error_;
    --file.in_flight;
    have_result.add(*other);
  }
  go_on_syncing(file, have_result);
  let_go(file, false);
  finish_all(have_result);
}

// Nothing of this object is touched after the last: whoever awaited it may end the file system.
void PosixFileSystem::finish_all(files::OperationQueue& have_result) {
  while (IoOperation* operation = have_result.take()) {
    --in_flight_;
    operation->finish();
  }
}

void PosixFileSystem::let_go(files::OpenFile& file, bool changing) {
  --file.in_flight;
  if (changing) --file.changing;
  if (file.changing == 0 && !file.waiting.empty()) {
    deferred_.append(file.waiting);
    ask_for_turn();
  }
  close_if_unused(file);
}

void PosixFileSystem::close_if_unused(files::OpenFile& file) {
  if (file.in_flight == 0 && file.closing != nullptr) carry_out(*file.closing, Reason::blocks);
}

void PosixFileSystem::ended_write(const IoOperation& operation, files::OpenFile& file,
                                  MonotonicTime now) {
  in_place_.write_waited(operation.hold_.waited, now);
  file.write_back.wrote(operation.position_, operation.hold_.done);
  if (file.write_back.waiting_bytes() >= limits_.write_back_bytes) begin_write_back(file);
}

void PosixFileSystem::begin_write_back(files::OpenFile& file) {
  if (file.tells_errors() || file.closing != nullptr || free_write_backs_.empty()) return;
  files::WriteBackOperation& operation = *free_write_backs_.back();
  free_write_backs_.pop_back();
  ++counters_.write_backs;
  ++file.in_flight;
  operation.file_ = file.handle;
  operation.hold_.descriptor = file.descriptor;
  operation.failed_ = false;
  file.write_back.begin(operation);
  pool_.submit(operation);
}

void PosixFileSystem::ended_write_back(files::WriteBackOperation& operation) {
  files::OpenFile& file = files_.get(operation.file_);
  file.write_back.ended();
  if (operation.failed_) {
    ++counters_.write_backs_failed;
    file.lost = operation.error_.number;
  }
  free_write_backs_.push_back(&operation);
  files::OperationQueue have_result;
  go_on_syncing(file, have_result);
  let_go(file, false);
  finish_all(have_result);
}

void PosixFileSystem::spent(Duration taken) {
  in_place_.spent(taken);
  ask_for_turn();
}

int PosixFileSystem::descriptor(FileHandle file) const {
  const files::OpenFile* open = files_.find(file);
  return open == nullptr ? -1 : open->descriptor;
}

FileSystemCounters PosixFileSystem::counters() const {
  FileSystemCounters counters = counters_;
  counters.slow_writes = in_place_.slow_writes();
  return counters;
}

}  // namespace millrace
