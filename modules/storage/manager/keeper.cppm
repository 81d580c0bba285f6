// A log directory, as the logs of one shard see it.
module;
#include <coroutine>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

module millrace.storage.manager:keeper;

import millrace.base;
import millrace.runtime;
import millrace.storage.files;
import millrace.storage.log;
import millrace.storage.producers;
import millrace.storage.segment;
import :checkpoints;
import :crossing;
import :log_directories;
import :log_manager;
import :metrics;
import :space;

namespace millrace::storage {

// Owned by the manager; outlives the logs.
class LogManager::Keeper final : public DirectoryKeeper {
 public:
  Keeper(LogManager& manager, DirectoryIndex index)
      : manager_(manager),
        index_(index),
        context{manager.segments_, manager.producers_, *this, &manager.tails_},
        path(manager.options_.directories[index.value()]),
        space(manager.options_.reserve_bytes, manager.context_.shard_count),
        metrics(manager.metrics_.of_directory(path)) {}

  // A log that goes up only shortens the next recovery.
  [[nodiscard]] Task<StorageResult<void>> save_recovery_point(const Log& log) override {
    return set(CheckpointKind::recovery_point, {log.partition(), log.recovery_point()}, false);
  }
  [[nodiscard]] Task<StorageResult<void>> save_log_start(const Log& log) override {
    return set(CheckpointKind::log_start, {log.partition(), log.start()}, true);
  }
  void went_offline(const Log&, const StorageError& error) override {
    manager_.fail_directory(index_, error);
  }
  // Markers end transactions that were let in; internal topics keep the cluster going.
  [[nodiscard]] StorageResult<void> admit(const Log& log, AppendOrigin origin,
                                          std::size_t bytes) override {
    const bool admitted = space.admit(bytes);
    if (space.should_ask()) manager_.ask_for_space();
    if (admitted || origin == AppendOrigin::coordinator ||
        is_internal_topic(log.partition().topic)) {
      return {};
    }
    metrics.refused_appends.add();
    return storage_failure(
        StorageFault::no_space,
        formatted("{} has {} bytes free, of which {} are kept for internal topics and for making "
                  "room (millrace.disk.reserve.bytes)",
                  path, space.free_bytes(), space.reserve_bytes()));
  }

  [[nodiscard]] DirectoryIndex index() const { return index_; }

 private:
  [[nodiscard]] Task<StorageResult<void>> set(CheckpointKind kind, PartitionOffset line,
                                              bool must_last) {
    Offset before = no_offset;
    const auto known = manager_.hosted_.find(line.partition);
    if (known != manager_.hosted_.end()) {
      before = std::exchange(known->second.told[kind], line.offset);
    }
    const CheckpointChange change{index_, kind, line};
    auto done = co_await cross<StorageResult<void>>(
        manager_.context_.crossing, manager_.context_.home,
        [&] { return manager_.directories_.set(change, must_last); });
    if (done || line.offset < before) co_return done;
    // Home has not kept it: where the log goes on with it all the same, it is told again.
    const auto hosted = manager_.hosted_.find(line.partition);
    if (hosted != manager_.hosted_.end() && hosted->second.told[kind] == line.offset) {
      hosted->second.told[kind] = before;
    }
    co_return done;
  }

  LogManager& manager_;
  DirectoryIndex index_;

 public:
  LogContext context;
  std::string path;
  bool clean = false;
  // Whether every log here was opened, and closed again: only then is it left in order.
  bool in_order = false;
  std::optional<StorageError> failed;
  SpaceGate space;
  DirectoryMetrics metrics;
};

}  // namespace millrace::storage
