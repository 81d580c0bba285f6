module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.storage.manager;

import :log_directories;

namespace millrace::storage {

namespace {

// That a directory is offline was told when it went; what else failed is told by nobody but us.
void keep_untold(StorageResult<void>& outcome, StorageResult<void> failed) {
  const bool has_other = !outcome && outcome.error().fault != StorageFault::offline;
  if (!has_other) outcome = std::move(failed);
}

}  // namespace

LogDirectories::LogDirectories(Executor& executor, FileSystem& files, Crossing& crossing,
                               Random& random, const std::vector<std::string>& paths, Logger log,
                               DirectoryObserver& observer)
    : files_(files), crossing_(crossing), log_(std::move(log)), observer_(observer) {
  for (std::uint32_t i = 0; i < paths.size(); ++i) {
    directories_.push_back(std::make_unique<LogDirectory>(
        executor, files, random, paths[i], log_, [this, i] { went_offline(DirectoryIndex(i)); }));
  }
}

LogDirectories::~LogDirectories() {
  check(users_.empty() && tasks_.running() == 0, "log directories are closed before they go");
}

Task<StorageResult<void>> LogDirectories::open(DirectoryOwner owner) {
  if (directories_.empty()) {
    co_return storage_failure(StorageFault::invalid, "log.dirs names no directory");
  }
  for (const auto& directory : directories_) {
    auto opened = co_await directory->open(owner);
    if (!opened && directory->online()) co_return opened;
  }
  // A wrong setting must not make anybody forget how the directories were left: they are changed
  // when all is known to be right.
  if (auto checked = co_await check_doubles(); !checked) co_return checked;
  for (const auto& directory : directories_) {
    if (!directory->online()) continue;
    auto taken = co_await directory->take_over();
    if (!taken && directory->online()) co_return taken;
  }
  co_await tasks_.wait();
  if (online() > 0) co_return StorageResult<void>();
  co_return failure(*directories_.front()->failed());
}

// A directory that was copied, or a partition that two disks have: nothing says which one is right,
// unless one of them is empty.
Task<StorageResult<void>> LogDirectories::check_doubles() {
  std::map<Uuid, LogDirectory*> ids;
  std::map<TopicPartition, LogDirectory*> partitions;
  for (const auto& directory : directories_) {
    if (!directory->online()) continue;
    const auto [same, is_new] = ids.emplace(directory->id(), directory.get());
    if (!is_new) {
      co_return storage_failure(
          StorageFault::invalid,
          formatted("{} and {} have the same directory.id: one is a copy of the other",
                    same->second->path(), directory->path()));
    }
    const std::vector<FoundPartition> found = directory->found();
    for (const FoundPartition& each : found) {
      const auto [other, first] = partitions.emplace(each.partition, directory.get());
      if (first) continue;
      const auto kept = co_await resolve_double(each.partition, *other->second, *directory);
      if (!kept) co_return failure(kept.error());
      other->second = *kept;
    }
  }
  co_return StorageResult<void>();
}

// The one of two directories that keeps the partition.
Task<StorageResult<LogDirectory*>> LogDirectories::resolve_double(TopicPartition partition,
                                                                  LogDirectory& first,
                                                                  LogDirectory& second) {
  using Kept = StorageResult<LogDirectory*>;
  const auto first_has = co_await first.has_records(partition);
  if (!first_has && !first.online()) co_return Kept(&second);
  if (!first_has) co_return failure(first_has.error());
  const auto second_has = co_await second.has_records(partition);
  if (!second_has && !second.online()) co_return Kept(&first);
  if (!second_has) co_return failure(second_has.error());
  if (*first_has && *second_has) {
    co_return storage_failure(
        StorageFault::invalid,
        formatted("{} is in {} and in {}: move the one that is out of date away",
                  to_string(partition), first.path(), second.path()));
  }
  LogDirectory& empty = *second_has ? first : second;
  const auto removed = co_await empty.remove_double(partition);
  if (!removed && empty.online()) co_return failure(removed.error());
  co_return Kept(*second_has ? &second : &first);
}

std::size_t LogDirectories::online() const {
  return static_cast<std::size_t>(
      std::count_if(directories_.begin(), directories_.end(),
                    [](const auto& directory) { return directory->online(); }));
}

std::optional<BrokerEpoch> LogDirectories::stopped_epoch() const {
  std::optional<BrokerEpoch> epoch;
  for (const auto& directory : directories_) {
    if (!directory->online() || !directory->stopped_epoch()) return std::nullopt;
    if (epoch && epoch != directory->stopped_epoch()) return std::nullopt;
    epoch = directory->stopped_epoch();
  }
  return epoch;
}

Task<std::vector<DirectoryDescription>> LogDirectories::describe() {
  std::vector<DirectoryDescription> all;
  for (const auto& directory : directories_) {
    DirectoryDescription description{directory->path(), directory->id(), directory->failed(), 0,
                                     directory->kept()};
    if (directory->online()) {
      const auto free = co_await files_.free_bytes(directory->path());
      if (free) {
        description.free_bytes = *free;
      } else {
        description.failed = storage_error(free.error(), directory->path());
      }
    }
    all.push_back(std::move(description));
  }
  co_return all;
}

// --- Failures ---

void LogDirectories::fail(DirectoryIndex directory, const StorageError& error) {
  at(directory).fail(error);
}

void LogDirectories::went_offline(DirectoryIndex directory) {
  observer_.directory_failed(at(directory));
  if (online() == 0) observer_.all_directories_failed();
  tasks_.start(tell(directory, *at(directory).failed()));
}

Task<void> LogDirectories::tell(DirectoryIndex directory, StorageError error) {
  // Nobody is removed from the list while somebody is told.
  const auto guard = co_await telling_.lock();
  const std::vector<User> users = users_;
  for (const User& each : users) {
    co_await crossing_.run(each.shard, [&]() -> Task<void> {
      each.user->directory_failed(directory, error);
      co_return;
    });
  }
}

void LogDirectories::add_user(ShardIndex shard, DirectoryUser& user) {
  users_.push_back({shard, &user});
  for (std::uint32_t i = 0; i < directories_.size(); ++i) {
    if (!directories_[i]->online()) {
      tasks_.start(tell(DirectoryIndex(i), *directories_[i]->failed()));
    }
  }
}

Task<void> LogDirectories::remove_user(DirectoryUser& user) {
  const auto guard = co_await telling_.lock();
  std::erase_if(users_, [&](const User& each) { return each.user == &user; });
}

// --- Partitions ---

Task<StorageResult<Placement>> LogDirectories::place(TopicPartition partition, Uuid topic_id,
                                                     Novelty novelty) {
  using Placed = StorageResult<Placement>;
  std::optional<StorageError> refused;
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < directories_.size(); ++i) {
    if (directories_[i]->online()) order.push_back(i);
    if (directories_[i]->taken_over() || novelty == Novelty::is_new) continue;
    co_return storage_failure(
        StorageFault::offline,
        formatted("{} may be in the log directory {}, which is offline: it is not made anew",
                  to_string(partition), directories_[i]->path()));
  }
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(directories_[a]->partitions(), a) <
           std::pair(directories_[b]->partitions(), b);
  });
  // A disk that is full, or fails just now, is no reason not to take the next one.
  for (const std::uint32_t index : order) {
    LogDirectory& directory = *directories_[index];
    directory.count_partition(true);
    const auto made = co_await directory.make_partition(partition, topic_id);
    if (made) co_return Placed(Placement{DirectoryIndex(index), directory.path_of(partition)});
    directory.count_partition(false);
    refused = made.error();
  }
  if (!refused) {
    co_return storage_failure(StorageFault::offline, "all log directories are offline");
  }
  co_return failure(*refused);
}

Task<StorageResult<void>> LogDirectories::put_away(DirectoryIndex directory,
                                                   TopicPartition partition,
                                                   PartitionDirectoryKind kind, Duration delay) {
  auto done = co_await at(directory).put_away(partition, kind, delay);
  if (done) at(directory).count_partition(false);
  co_return done;
}

Task<StorageResult<void>> LogDirectories::settle_names(DirectoryIndex directory) {
  co_return co_await at(directory).settle_names();
}

Task<StorageResult<void>> LogDirectories::set(CheckpointChange change, bool must_last) {
  LogDirectory& directory = at(change.directory);
  if (auto usable = directory.usable(); !usable) co_return usable;
  Checkpoints& checkpoints = directory.checkpoints();
  const Offset before = checkpoints.of(change.line.partition)[change.kind];
  const bool lowered = checkpoints.set(change.kind, change.line.partition, change.line.offset);
  if (!lowered && !must_last) co_return StorageResult<void>();
  auto saved = co_await checkpoints.save(change.kind);
  if (saved) co_return saved;
  if (saved.error().fault == StorageFault::offline) directory.fail(saved.error());
  // The log stays where it was: what is saved next, for another one, must not say otherwise.
  if (before < change.line.offset) {
    static_cast<void>(checkpoints.set(change.kind, change.line.partition, before));
  }
  co_return saved;
}

void LogDirectories::note(const std::vector<CheckpointChange>& changes) {
  for (const CheckpointChange& change : changes) {
    LogDirectory& directory = at(change.directory);
    if (!directory.online()) continue;
    static_cast<void>(
        directory.checkpoints().set(change.kind, change.line.partition, change.line.offset));
  }
}

Task<StorageResult<void>> LogDirectories::save() {
  StorageResult<void> outcome;
  for (const auto& directory : directories_) {
    if (!directory->online()) continue;
    auto saved = co_await directory->checkpoints().save_changed();
    if (!saved && saved.error().fault == StorageFault::offline) directory->fail(saved.error());
    if (!saved) keep_untold(outcome, std::move(saved));
  }
  co_return outcome;
}

// --- Ending ---

Task<StorageResult<void>> LogDirectories::close(std::vector<bool> clean, BrokerEpoch epoch) {
  StorageResult<void> outcome;
  for (std::uint32_t i = 0; i < directories_.size(); ++i) {
    const bool all_closed = i < clean.size() && clean[i];
    auto closed = co_await directories_[i]->close(all_closed, epoch);
    if (!closed) keep_untold(outcome, std::move(closed));
  }
  co_await tasks_.wait();
  co_return outcome;
}

}  // namespace millrace::storage
