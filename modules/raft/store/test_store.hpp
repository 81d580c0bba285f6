// What the tests of the store share: a simulated disk with the directory /raft, and short names.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.raft.store;

namespace millrace::raft {

inline constexpr std::string_view store_directory = "/raft";

// A disk and the process that uses it now.
class StoreMachine {
 public:
  explicit StoreMachine(std::uint64_t seed = 1) : executor(seed), disk(seed), seed_(seed) {
    start();
    EXPECT_TRUE(run(make_directory(*files_)));
    disk.sync_all();
  }
  ~StoreMachine() {
    executor.run_until_idle();
    log.reset();
  }

  SimulatedExecutor executor;
  SimulatedDisk disk;
  std::unique_ptr<DurableLog> log;
  StoreOptions options{.segment_bytes = 400, .reserve_bytes = 0};

  [[nodiscard]] SimulatedFileSystem& files() { return *files_; }

  // A new process; the log of the old one is gone.
  void start() {
    executor.run_until_idle();
    log.reset();
    files_.reset();
    files_ =
        std::make_unique<SimulatedFileSystem>(disk, executor, SimulatedFileOptions{.seed = seed_});
  }
  template <class T>
  T run(Task<T> task) {
    auto ended = executor.run(std::move(task));
    EXPECT_TRUE(ended) << ended.error().message;
    return std::move(ended.value());
  }

  storage::StorageResult<void> format(Membership first = Membership({NodeId(1)})) {
    return run(DurableLog::format(*files_, std::string(store_directory), std::move(first)));
  }
  // What the node would begin with.
  storage::StorageResult<Recovered> open() {
    auto opened = run(DurableLog::open(*files_, std::string(store_directory), options));
    if (!opened) return failure(opened.error());
    log = std::move(*opened);
    return log->take_recovered();
  }
  Recovered open_well() {
    auto recovered = open();
    EXPECT_TRUE(recovered) << recovered.error().message;
    return recovered ? std::move(*recovered) : Recovered{};
  }
  // The process is killed, and the next one opens the log.
  Recovered reopen() {
    start();
    return open_well();
  }
  storage::StorageResult<Persisted> persist(const Write& write) { return run(log->persist(write)); }
  void persist_well(const Write& write) {
    const auto done = persist(write);
    EXPECT_TRUE(done) << done.error().message;
  }
  storage::StorageResult<SnapshotSaved> save(const SnapshotMeta& meta, std::string_view state,
                                             std::size_t piece = 7) {
    std::size_t offset = 0;
    do {
      const SnapshotPart part{meta, offset, Payload(state.substr(offset, piece))};
      const auto saved = run(log->save(part));
      if (!saved) return failure(saved.error());
      offset += part.data.size();
    } while (offset < state.size());
    return run(log->finish_save(meta));
  }
  storage::StorageResult<void> receive(const SnapshotMeta& meta, std::string_view state) {
    const SnapshotPart part{meta, 0, Payload(state)};
    return run(log->receive(part));
  }
  std::string contents(std::string_view name) {
    return disk.contents(storage::path_in(store_directory, name)).value_or("");
  }
  void flip(std::string_view name, std::uint64_t bit) {
    EXPECT_TRUE(disk.flip_bit(storage::path_in(store_directory, name), bit));
  }

 private:
  static Task<IoResult<void>> make_directory(FileSystem& files) {
    co_return co_await files.make_directory(store_directory);
  }

  std::uint64_t seed_;
  std::unique_ptr<SimulatedFileSystem> files_;
};

inline Entry entry(std::int64_t index, std::int64_t term, std::string_view data = "data") {
  return {LogIndex(index), Term(term), EntryKind::command, Payload(data)};
}
inline Write write_of(std::vector<Entry> entries, std::optional<HardState> state = std::nullopt) {
  return {WriteNumber(1), state, std::nullopt, std::move(entries)};
}
inline HardState state_of(std::int64_t term, int vote = 1) {
  return {Term(term), NodeId(vote)};
}
inline SnapshotMeta meta_of(std::int64_t index, std::int64_t term, std::string_view state) {
  return {{LogIndex(index), Term(term)}, Membership({NodeId(1)}), state.size()};
}

}  // namespace millrace::raft
