module;
#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../segment/planted.hpp"

module millrace.storage.manager;

import :log_directory;

namespace millrace::storage {

namespace {

// Kafka's own log of metadata, where its controller and broker were one process: not ours to open.
constexpr std::string_view metadata_topic = "__cluster_metadata";

// What stands in a log directory and belongs to nobody here.
[[nodiscard]] bool is_expected(std::string_view name) {
  constexpr std::array names = {meta_properties_name,        clean_shutdown_name,
                                directory_lock_name,         recovery_point_checkpoint_name,
                                replication_checkpoint_name, log_start_checkpoint_name,
                                cleaner_checkpoint_name};
  return std::find(names.begin(), names.end(), name) != names.end() || name == "lost+found" ||
         name == "bootstrap.checkpoint" || name == "remote-log-index-cache";
}

[[nodiscard]] std::string_view words_for(PartitionDirectoryKind kind) {
  return kind == PartitionDirectoryKind::future ? "a copy for another disk that was not finished"
                                                : "a replica that did not belong here";
}

}  // namespace

Uuid random_uuid(Random& random) {
  Uuid uuid;
  do {
    for (std::byte& byte : uuid.bytes) byte = static_cast<std::byte>(random.below(256));
    uuid.bytes[6] = (uuid.bytes[6] & std::byte{0x0f}) | std::byte{0x40};
    uuid.bytes[8] = (uuid.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  } while (to_string(uuid).starts_with('-'));
  return uuid;
}

LogDirectory::LogDirectory(Executor& executor, FileSystem& files, Random& random, std::string path,
                           Logger log, std::function<void()> went_offline)
    : executor_(executor),
      files_(files),
      random_(random),
      path_(std::move(path)),
      log_(std::move(log)),
      went_offline_(std::move(went_offline)),
      checkpoints_(files, path_, log_),
      sync_names_([this]() -> Task<StorageResult<void>> {
        const auto synced = co_await files_.sync_directory(path_);
        if (synced) co_return StorageResult<void>();
        co_return failure(directory_sync_error(synced.error(), path_));
      }),
      removals_(executor, files, log_, [this](const StorageError& error) { fail(error); }) {}

LogDirectory::~LogDirectory() {
  check(lock_ == no_file, "a log directory is closed before it goes");
}

void LogDirectory::fail(const StorageError& error) {
  if (failed_) return;
  failed_ = error;
  log_.error("the log directory {} goes offline: {}", path_, error.message);
  went_offline_();
}

StorageResult<void> LogDirectory::usable() const {
  if (!failed_) return {};
  return storage_failure(StorageFault::offline,
                         formatted("the log directory {} is offline: {}", path_, failed_->message));
}

StorageResult<void> LogDirectory::noted(StorageResult<void> done) {
  if (!done && done.error().fault == StorageFault::offline) fail(done.error());
  return done;
}

std::string LogDirectory::path_of(const TopicPartition& partition) const {
  return path_in(path_, to_string(partition));
}

// --- Opening ---

Task<StorageResult<void>> LogDirectory::open(const DirectoryOwner& owner) {
  auto done = co_await make_directories(path_);
  if (done) done = co_await lock();
  if (done) done = co_await look_around();
  if (done) done = co_await identify(owner, !found_.empty());
  co_return noted(std::move(done));
}

Task<StorageResult<void>> LogDirectory::take_over() {
  // A process before this one may have ended between a rename and its sync. What stands here is
  // trusted from now on: it has to outlast a loss of power.
  StorageResult<void> done = co_await sync_names_.run();
  if (done) done = co_await take_mark();
  for (const std::string& path : std::exchange(temporaries_, {})) {
    if (done) done = co_await remove_file_if_there(files_, path);
  }
  if (done) done = co_await checkpoints_.load();
  if (!done) co_return noted(std::move(done));
  std::set<TopicPartition> there;
  for (FoundPartition& found : found_) {
    found.offsets = checkpoints_.of(found.partition);
    there.insert(found.partition);
  }
  // A partition that is made later under the name of one that is gone inherits nothing.
  const std::size_t gone = checkpoints_.keep_only(
      [&](const TopicPartition& partition) { return there.contains(partition); });
  if (gone > 0) {
    log_.info("{}: the checkpoint files have lines of {} partitions that are not there", path_,
              gone);
    done = co_await checkpoints_.save_changed();
    // Without space or descriptors the lines go before anything else is made.
    if (!done && !is_shortage(done.error().fault)) co_return noted(std::move(done));
  }
  partitions_ = found_.size();
  for (std::string& path : leftovers_) removals_.add(std::move(path), Duration::zero());
  leftovers_.clear();
  taken_over_ = true;
  co_return StorageResult<void>();
}

// With those above it that are not there.
Task<StorageResult<void>> LogDirectory::make_directories(std::string path) {
  const auto status = co_await files_.status(path);
  if (status) {
    if (status->kind == EntryKind::directory) co_return StorageResult<void>();
    co_return storage_failure(StorageFault::invalid, path + " is not a directory");
  }
  if (status.error().fault != IoFault::not_found) co_return storage_failure(status.error(), path);
  const std::size_t slash = path.rfind('/');
  const bool has_parent = slash != std::string::npos && slash > 0;
  const std::string parent = has_parent ? path.substr(0, slash) : slash == 0 ? "/" : ".";
  if (has_parent) {
    if (auto made = co_await make_directories(parent); !made) co_return made;
  }
  const auto made = co_await files_.make_directory(path);
  if (!made && made.error().fault != IoFault::already_exists) {
    co_return storage_failure(made.error(), path);
  }
  const auto synced = co_await files_.sync_directory(parent);
  if (!synced) co_return storage_failure(synced.error(), parent);
  co_return StorageResult<void>();
}

Task<StorageResult<void>> LogDirectory::lock() {
  const auto locked = co_await lock_directory(files_, path_);
  if (!locked) co_return failure(locked.error());
  lock_ = *locked;
  co_return StorageResult<void>();
}

Task<StorageResult<void>> LogDirectory::identify(const DirectoryOwner& owner, bool has_partitions) {
  const auto properties = co_await load_meta_properties(files_, path_);
  if (!properties) {
    if (properties.error().fault != StorageFault::not_found) co_return failure(properties.error());
    if (has_partitions) {
      co_return storage_failure(
          StorageFault::invalid,
          formatted("{} has partitions but no {}, which says whose they are; put that file back, "
                    "or name another directory in log.dirs",
                    path_, meta_properties_name));
    }
    id_ = random_uuid(random_);
    co_return co_await write_identity(owner);
  }
  if (properties->cluster_id != owner.cluster_id) {
    co_return storage_failure(
        StorageFault::invalid,
        formatted("{} belongs to the cluster {}, and this server to the cluster {}: is it the "
                  "right directory in log.dirs?",
                  path_, properties->cluster_id, owner.cluster_id));
  }
  if (properties->node_id != owner.node_id) {
    co_return storage_failure(
        StorageFault::invalid,
        formatted("{} belongs to the server with node.id {}, and this one has {}: is it the right "
                  "directory in log.dirs?",
                  path_, properties->node_id, owner.node_id));
  }
  if (properties->directory_id) {
    id_ = *properties->directory_id;
    co_return StorageResult<void>();
  }
  id_ = random_uuid(random_);
  co_return co_await write_identity(owner);
}

Task<StorageResult<void>> LogDirectory::write_identity(const DirectoryOwner& owner) {
  MetaProperties properties;
  properties.cluster_id = owner.cluster_id;
  properties.node_id = owner.node_id;
  properties.directory_id = id_;
  co_return co_await save_meta_properties(files_, path_, std::move(properties),
                                          executor_.clock().wall_now());
}

// The mark goes before anything changes: whoever finds it after a crash would believe it.
Task<StorageResult<void>> LogDirectory::take_mark() {
  const auto mark = co_await load_clean_shutdown(files_, path_);
  if (!mark) co_return failure(mark.error());
  clean_ = mark->has_value();
  if (!clean_) co_return StorageResult<void>();
  stopped_epoch_ = (*mark)->broker_epoch;
  if (planted(Planted::mark_not_removed)) co_return StorageResult<void>();
  co_return co_await remove_clean_shutdown(files_, path_);
}

Task<StorageResult<void>> LogDirectory::look_around() {
  const auto entries = co_await files_.list(path_);
  if (!entries) co_return storage_failure(entries.error(), path_);
  for (const DirectoryEntry& entry : *entries) {
    if (is_expected(entry.name)) continue;
    if (entry.kind == EntryKind::directory) {
      note_directory(entry.name);
    } else if (entry.name.ends_with(temporary_suffix)) {
      temporaries_.push_back(path_in(path_, entry.name));
    }
  }
  std::sort(found_.begin(), found_.end(), [](const FoundPartition& a, const FoundPartition& b) {
    return a.partition < b.partition;
  });
  co_return StorageResult<void>();
}

void LogDirectory::note_directory(const std::string& name) {
  const auto parsed = parse_partition_directory_name(name);
  if (!parsed) {
    log_.warning("{}: {}", path_, parsed.error().message);
    return;
  }
  if (parsed->partition.topic == metadata_topic) return;
  switch (parsed->kind) {
    case PartitionDirectoryKind::current:
      found_.push_back({parsed->partition, {}});
      return;
    case PartitionDirectoryKind::deleted:
      leftovers_.push_back(path_in(path_, name));
      return;
    case PartitionDirectoryKind::future:
    case PartitionDirectoryKind::stray:
      log_.warning("{} is kept and not used: it is {}", path_in(path_, name),
                   words_for(parsed->kind));
      kept_.push_back({name, parsed->kind});
      return;
  }
}

std::vector<FoundPartition> LogDirectory::take_found(
    const std::function<bool(const TopicPartition&)>& belongs) {
  std::vector<FoundPartition> taken;
  std::vector<FoundPartition> left;
  for (FoundPartition& found : found_) {
    (belongs(found.partition) ? taken : left).push_back(std::move(found));
  }
  found_ = std::move(left);
  given_out_ = true;
  return taken;
}

// --- Partitions ---

Task<StorageResult<void>> LogDirectory::make_partition(TopicPartition partition, Uuid topic_id) {
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  // Lines of a partition that had the name before must be out of the files.
  checkpoints_.forget(partition);
  auto done = co_await checkpoints_.save_changed();
  if (!done) co_return noted(std::move(done));
  const std::string path = path_of(partition);
  auto made = co_await files_.make_directory(path);
  if (!made && made.error().fault == IoFault::already_exists) {
    const auto has = co_await has_records(partition);
    if (!has) co_return failure(has.error());
    if (*has) {
      done = co_await put_away(partition, PartitionDirectoryKind::stray, Duration::zero());
      if (!done) co_return done;
      made = co_await files_.make_directory(path);
    } else {
      made = {};
    }
  }
  if (!made) co_return noted(storage_failure(made.error(), path));
  if (!planted(Planted::topic_id_not_saved)) {
    done = co_await save_partition_metadata(files_, path, PartitionMetadata{topic_id});
  }
  if (done && !planted(Planted::partition_not_synced)) done = co_await sync_names_.run();
  if (!done && done.error().fault != StorageFault::offline) {
    // Whatever stays is found to be empty at the next start.
    const std::string metadata = path_in(path, partition_metadata_name);
    const auto removed = co_await remove_file_if_there(files_, metadata);
    if (removed) co_await remove_empty(path);
  }
  co_return noted(std::move(done));
}

Task<void> LogDirectory::remove_empty(std::string path) {
  const auto removed = co_await files_.remove_directory(path);
  if (!removed) log_.warning("{} is left: {}", path, describe(removed.error(), path));
}

Task<StorageResult<bool>> LogDirectory::has_records(TopicPartition partition) {
  if (auto usable_now = usable(); !usable_now) co_return failure(usable_now.error());
  const auto has = co_await find_records(path_of(partition));
  if (!has && has.error().fault == StorageFault::offline) fail(has.error());
  co_return has;
}

Task<StorageResult<bool>> LogDirectory::find_records(std::string path) {
  const auto entries = co_await files_.list(path);
  if (!entries) co_return storage_failure(entries.error(), path);
  for (const DirectoryEntry& entry : *entries) {
    const auto name = parse_segment_file_name(entry.name);
    if (!name || name->kind != SegmentFileKind::log) continue;
    const auto status = co_await files_.status(path_in(path, entry.name));
    if (!status) co_return storage_failure(status.error(), path);
    // A log that begins further on had records.
    if (status->size > 0 || name->base_offset > Offset(0)) co_return StorageResult<bool>(true);
  }
  co_return StorageResult<bool>(false);
}

Task<StorageResult<void>> LogDirectory::remove_double(TopicPartition partition) {
  log_.info("{} is removed: it is empty, and another disk has the partition", path_of(partition));
  std::erase_if(found_, [&](const FoundPartition& found) { return found.partition == partition; });
  --partitions_;
  co_return co_await put_away(partition, PartitionDirectoryKind::deleted, Duration::zero());
}

Task<StorageResult<void>> LogDirectory::put_away(TopicPartition partition,
                                                 PartitionDirectoryKind kind, Duration delay) {
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  const auto name = partition_directory_name(partition, kind, random_uuid(random_));
  if (!name) co_return failure(name.error());
  const std::string from = path_of(partition);
  const std::string to = path_in(path_, *name);
  const auto renamed = co_await files_.rename(from, to);
  if (!renamed) co_return noted(storage_failure(renamed.error(), from));
  auto done = co_await sync_names_.run();
  if (!done && is_shortage(done.error().fault)) {
    co_return noted(co_await put_back(to, from, done.error()));
  }
  if (!done) co_return noted(std::move(done));
  if (kind == PartitionDirectoryKind::deleted) {
    removals_.add(to, delay);
  } else {
    log_.warning("{} is kept and not used as {}: it is {}", from, *name, words_for(kind));
    kept_.push_back({*name, kind});
  }
  checkpoints_.forget(partition);
  done = co_await checkpoints_.save_changed();
  // Without space or descriptors the lines go before a partition of that name is made.
  if (!done && is_shortage(done.error().fault)) done = {};
  co_return noted(std::move(done));
}

// The partition stays. After a crash it may still be gone: nothing is appended to it before the
// name that it has again is durable.
Task<StorageResult<void>> LogDirectory::put_back(std::string from, std::string to,
                                                 StorageError reason) {
  names_unsettled_ = true;
  const auto renamed = co_await files_.rename(from, to);
  if (renamed) co_return failure(std::move(reason));
  // Only a start can tell what is there.
  co_return storage_failure(StorageFault::offline, describe(renamed.error(), from));
}

Task<StorageResult<void>> LogDirectory::settle_names() {
  if (auto usable_now = usable(); !usable_now) co_return usable_now;
  if (!std::exchange(names_unsettled_, false)) co_return StorageResult<void>();
  auto done = co_await sync_names_.run();
  if (!done) names_unsettled_ = true;
  co_return noted(std::move(done));
}

// --- Ending ---

Task<StorageResult<void>> LogDirectory::close(bool clean, BrokerEpoch epoch) {
  co_await removals_.stop();
  StorageResult<void> done = usable();
  // What nobody has opened is in order only if it was before.
  const bool others_in_order = found_.empty() || clean_;
  const bool in_order = taken_over_ && others_in_order && (clean || !given_out_);
  if (done && in_order) done = co_await checkpoints_.save_changed();
  if (done && in_order) {
    const BrokerEpoch last = given_out_ ? epoch : stopped_epoch_.value_or(epoch);
    done = co_await save_clean_shutdown(files_, path_, last);
  }
  if (lock_ != no_file) {
    const auto closed = co_await files_.close(std::exchange(lock_, no_file));
    if (!closed && done) done = storage_failure(closed.error(), path_);
  }
  co_return noted(std::move(done));
}

}  // namespace millrace::storage
