module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.controller;

import millrace.base;

namespace millrace::controller {
namespace {

constexpr std::size_t snapshot_read_bytes = mebibyte;
// Between two tries to make the reserve again.
constexpr Duration reserve_pause = std::chrono::seconds{10};

// One voter sends no heartbeats; these times only say how often it looks at its timers.
raft::Options raft_options(std::uint64_t seed) {
  raft::Options options;
  options.heartbeat_interval = std::chrono::milliseconds{500};
  options.election_timeout_min = std::chrono::milliseconds{1500};
  options.resend_after = std::chrono::milliseconds{500};
  options.seed = seed;
  options.entry_bytes_max = metadata::entry_bytes_max;
  options.uncommitted_bytes_max = 2 * metadata::uncommitted_bytes_max_default;
  return options;
}

Error error_of(const storage::StorageError& error) {
  const bool is_damage = error.fault == storage::StorageFault::corrupt;
  return {is_damage ? ErrorKind::corrupt : ErrorKind::io, error.message};
}

}  // namespace

Task<Result<std::unique_ptr<Quorum>>> Quorum::open(Executor& executor, FileSystem& files,
                                                   QuorumOptions options, Logger log,
                                                   Failed failed) {
  std::unique_ptr<Quorum> quorum(
      new Quorum(executor, files, std::move(options), std::move(log), std::move(failed)));
  auto recovered = co_await quorum->recover();
  if (recovered) co_return quorum;
  if (quorum->store_) {
    const auto closed = co_await quorum->store_->close();
    if (!closed) quorum->log_.warning("{}", closed.error().message);
  }
  co_return failure(std::move(recovered).error());
}

Task<Result<void>> Quorum::recover() {
  const std::string& directory = options_.directory;
  auto opened = co_await raft::DurableLog::open(files_, directory, options_.store);
  if (!opened && opened.error().fault == storage::StorageFault::not_found) {
    log_.info("begins a new metadata log in {}", directory);
    const auto begun =
        co_await raft::DurableLog::format(files_, directory, raft::Membership({options_.self}));
    if (!begun) co_return failure(error_of(begun.error()));
    opened = co_await raft::DurableLog::open(files_, directory, options_.store);
  }
  if (!opened) co_return failure(error_of(opened.error()));
  store_ = *std::move(opened);
  for (const std::string& note : store_->notes()) log_.warning("{}", note);
  raft::Recovered recovered = store_->take_recovered();
  const raft::SnapshotMeta snapshot = recovered.snapshot;
  node_.emplace(options_.self, raft_options(options_.random()), std::move(recovered), raft_now());
  if (!node_->membership().is_voter(options_.self)) {
    co_return failure(
        ErrorKind::invalid_argument,
        formatted("the metadata log in {} belongs to controllers {}; node.id is {}", directory,
                  raft::to_string(node_->membership()), options_.self.value()));
  }
  if (node_->membership().voters().size() != 1) {
    co_return failure(ErrorKind::unsupported,
                      formatted("the metadata log in {} belongs to several controllers, which this "
                                "version cannot run",
                                directory));
  }
  if (snapshot.last.index.value() == 0) co_return Result<void>();
  co_return co_await restore(snapshot);
}

Task<Result<void>> Quorum::restore(const raft::SnapshotMeta& meta) {
  metadata::ImageBuilder builder(metadata::empty_image());
  builder.begin_snapshot();
  for (std::uint64_t position = 0; position < meta.bytes;) {
    const std::uint64_t length =
        std::min<std::uint64_t>(snapshot_read_bytes, meta.bytes - position);
    const auto part = co_await store_->read_snapshot(meta, position, length);
    if (!part) co_return failure(error_of(part.error()));
    if (auto applied = builder.apply_snapshot(*part); !applied) {
      co_return failure(applied.error().kind,
                        formatted("the snapshot at entry {} of the metadata log: {}",
                                  meta.last.index.value(), applied.error().message));
    }
    position += length;
  }
  const MetadataOffset offset(meta.last.index.value());
  if (auto ended = builder.end_snapshot(offset); !ended) co_return ended;
  machine_.restore(builder.take().first);
  co_return Result<void>();
}

bool Quorum::is_snapshot_overdue() const {
  return snapshot_due_ && now() >= *snapshot_due_;
}

void Quorum::snapshot_if_due() {
  if (is_ending_ || has_failed_) return;
  const bool is_overdue = is_snapshot_overdue();
  if (!is_overdue && bytes_since_snapshot_ < options_.snapshot_after_bytes) return;
  if (is_saving_) {
    // What is not in that one waits for the next.
    if (is_overdue) snapshot_due_ = now() + *options_.snapshot_interval;
    return;
  }
  is_saving_ = true;
  group_.start(save_snapshot());
}

Task<void> Quorum::save_snapshot() {
  std::vector<raft::Payload> pieces;
  std::uint64_t total = 0;
  metadata::write_snapshot(*image(), [&](const metadata::OwnedBytes& piece) {
    total += piece.size();
    pieces.emplace_back(piece);
  });
  const auto meta = node_->describe_snapshot(total);
  bytes_since_snapshot_ = 0;
  snapshot_due_.reset();
  std::uint64_t offset = 0;
  std::optional<storage::StorageError> error;
  for (std::size_t i = 0; meta && i < pieces.size() && !error; ++i) {
    const raft::SnapshotPart part{*meta, offset, pieces[i]};
    const auto saved = co_await store_->save(part);
    if (!saved) error = saved.error();
    offset += pieces[i].size();
  }
  if (meta && !error) {
    auto finished = co_await store_->finish_save(*meta);
    if (finished) {
      options_.metrics->snapshots.add();
      log_.info("wrote a snapshot at entry {}: {} bytes", meta->last.index.value(), total);
      events_.emplace_back(*std::move(finished));
      work_.notify();
    } else {
      error = finished.error();
    }
  }
  is_saving_ = false;
  watch_reserve();
  if (!error) co_return;
  if (storage::is_shortage(error->fault)) {
    log_.error("a snapshot of the metadata was not written: {}", error->message);
  } else {
    fail(error_of(*error));
  }
}

// Called after whatever may have needed the reserve.
void Quorum::watch_reserve() {
  const bool is_missing = options_.store.reserve_bytes > 0 && !store_->reserve_held();
  options_.metrics->reserve_missing.set(is_missing ? 1 : 0);
  if (!is_missing || reserve_due_ || is_restoring_) return;
  reserve_due_ = now() + reserve_pause;
  log_.warning(
      "the metadata log has nothing left for when the disk is full: its reserve of {} bytes "
      "is made again once {} has twice that free",
      options_.store.reserve_bytes, options_.directory);
}

// The log writes nothing else meanwhile: that once, after a disk was full, and only while there is
// room, a change takes as long as 16 MiB need.
Task<void> Quorum::restore_reserve() {
  const auto restored = co_await store_->restore_reserve();
  is_restoring_ = false;
  if (restored) {
    log_.info("the metadata log has its reserve again");
    watch_reserve();
  } else if (storage::is_shortage(restored.error().fault)) {
    reserve_due_ = now() + reserve_pause;
    work_.notify();
  } else {
    fail(error_of(restored.error()));
  }
}

Task<std::optional<std::vector<std::byte>>> Quorum::read_snapshot(raft::SnapshotMeta meta,
                                                                  std::uint64_t position,
                                                                  std::size_t length) {
  if (is_ending_ || has_failed_ || position >= meta.bytes) co_return std::nullopt;
  const std::uint64_t size = std::min<std::uint64_t>(length, meta.bytes - position);
  auto read = co_await store_->read_snapshot(std::move(meta), position, size);
  if (read) co_return *std::move(read);
  if (read.error().fault != storage::StorageFault::not_found) {
    log_.warning("a snapshot could not be read: {}", read.error().message);
  }
  co_return std::nullopt;
}

}  // namespace millrace::controller
