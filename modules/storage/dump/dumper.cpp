module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.storage.dump;

namespace millrace::storage {

namespace {

std::string_view last_part(std::string_view path) {
  const auto slash = path.find_last_of('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::size_t entry_bytes_of(SegmentFileKind kind) {
  if (kind == SegmentFileKind::offset_index) return offset_index_entry_bytes;
  if (kind == SegmentFileKind::time_index) return time_index_entry_bytes;
  return transaction_index_entry_bytes;
}

}  // namespace

Task<StorageResult<DumpTotals>> Dumper::dump(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const auto status = co_await context_.files.status(path);
  if (!status) co_return storage_failure(status.error(), path);
  StorageResult<void> done;
  if (status->kind == EntryKind::directory) {
    done = co_await directory(path, 0);
    if (done && totals_.files == 0 && printer_.wanted()) {
      done = storage_failure(StorageFault::invalid, path + " has no files of a log directory");
    }
  } else {
    done = co_await file(path, true);
  }
  if (!done) co_return failure(done.error());
  co_return totals_;
}

// Files before directories, both by name: those of a segment stand together. Directories are those
// of a log directory, or of one level above.
Task<StorageResult<void>> Dumper::directory(std::string path, int depth) {
  constexpr int depth_max = 2;
  auto listed = co_await context_.files.list(path);
  if (!listed) co_return storage_failure(listed.error(), path);
  std::sort(listed->begin(), listed->end(), [](const auto& a, const auto& b) {
    return std::pair(a.kind, std::string_view(a.name)) <
           std::pair(b.kind, std::string_view(b.name));
  });
  for (const DirectoryEntry& entry : *listed) {
    if (!printer_.wanted()) break;
    StorageResult<void> done;
    if (entry.kind == EntryKind::file) {
      done = co_await file(path_in(path, entry.name), false);
    } else if (parse_segment_file_name(entry.name)) {
      begin_file(path_in(path, entry.name), 0);
      problem(0, 0, "is no regular file: a broker passes over it");
    } else if (entry.kind == EntryKind::directory && depth < depth_max) {
      done = co_await directory(path_in(path, entry.name), depth + 1);
    }
    if (!done) co_return done;
  }
  co_return StorageResult<void>();
}

Task<StorageResult<void>> Dumper::file(std::string path, bool asked_for) {
  const std::string_view name = last_part(path);
  if (const auto segment = parse_segment_file_name(name)) {
    co_return co_await segment_file(std::move(path), *segment);
  }
  if (auto parse = text_file(name, path)) {
    co_return co_await small_file(path, checkpoint_bytes_max, std::move(*parse));
  }
  if (!asked_for) co_return StorageResult<void>();
  co_return storage_failure(StorageFault::invalid,
                            path + " has not the name of a file of a log directory");
}

Task<StorageResult<void>> Dumper::segment_file(std::string path, SegmentFileName name) {
  if (name.kind == SegmentFileKind::producer_snapshot) {
    co_return co_await small_file(path, producer_snapshot_bytes_max,
                                  [this, path](ByteView contents) -> StorageResult<void> {
                                    const auto parsed = parse_producer_snapshot(contents, path);
                                    if (!parsed) return failure(parsed.error());
                                    snapshot(*parsed);
                                    return {};
                                  });
  }
  const auto opened = co_await context_.files.open(path, OpenMode::read);
  if (!opened) co_return storage_failure(opened.error(), path);
  StorageResult<void> done;
  const auto bytes = co_await context_.files.file_size(*opened);
  if (!bytes) {
    done = storage_failure(bytes.error(), path);
  } else {
    begin_file(path, *bytes);
    if (name.kind == SegmentFileKind::log) {
      done = co_await log(*opened, path, *bytes);
    } else if (name.base_offset > segment_base_max) {
      problem(0, *bytes, "the name has an offset that no log reaches");
    } else {
      done =
          co_await entries(*opened, path, *bytes, entry_bytes_of(name.kind), entry_printer(name));
    }
  }
  const auto closed = co_await context_.files.close(*opened);
  if (!closed && done) done = storage_failure(closed.error(), path);
  co_return done;
}

Task<StorageResult<void>> Dumper::small_file(std::string path, std::size_t bytes_max, Parse parse) {
  const auto contents = co_await read_file(context_.files, path, bytes_max);
  if (!contents && contents.error().fault != StorageFault::limit) {
    co_return failure(contents.error());
  }
  begin_file(path, contents ? contents->size() : 0);
  StorageResult<void> parsed;
  if (contents) {
    parsed = parse(*contents);
  } else {
    parsed = failure(contents.error());
  }
  if (!parsed) problem(0, contents ? contents->size() : 0, parsed.error().message);
  co_return StorageResult<void>();
}

std::optional<Dumper::Parse> Dumper::text_file(std::string_view name, std::string path) {
  const auto parsed_by = [path](auto read, auto print) -> Parse {
    return [path, read, print](ByteView contents) -> StorageResult<void> {
      const auto parsed = read(as_text(contents), path);
      if (!parsed) return failure(parsed.error());
      print(*parsed);
      return {};
    };
  };
  for (const std::string_view checkpoint_name :
       {recovery_point_checkpoint_name, replication_checkpoint_name, log_start_checkpoint_name,
        cleaner_checkpoint_name}) {
    if (name != checkpoint_name) continue;
    return parsed_by(parse_offset_checkpoint, [this](const auto& entries) { checkpoint(entries); });
  }
  if (name == leader_epoch_checkpoint_name) {
    return parsed_by(parse_leader_epoch_checkpoint, [this](const auto& entries) {
      for (const EpochEntry& entry : entries) {
        printer_.begin("leader_epoch");
        printer_.field("epoch", entry.epoch);
        printer_.field("start_offset", entry.start_offset);
        printer_.end();
        ++totals_.entries;
      }
    });
  }
  if (name == partition_metadata_name) {
    return parsed_by(parse_partition_metadata, [this](const PartitionMetadata& metadata) {
      printer_.begin("partition_metadata");
      printer_.field("topic_id", to_string(metadata.topic_id));
      printer_.end();
    });
  }
  if (name == meta_properties_name) {
    return parsed_by(parse_meta_properties, [this](const MetaProperties& properties) {
      printer_.begin("meta_properties");
      printer_.field("cluster_id", properties.cluster_id);
      printer_.field("node_id", properties.node_id);
      if (properties.directory_id) {
        printer_.field("directory_id", to_string(*properties.directory_id));
      }
      printer_.end();
    });
  }
  if (name == clean_shutdown_name) {
    return [this](ByteView contents) -> StorageResult<void> {
      const CleanShutdown parsed = parse_clean_shutdown(as_text(contents));
      printer_.begin("clean_shutdown");
      if (parsed.broker_epoch) printer_.field("broker_epoch", *parsed.broker_epoch);
      printer_.end();
      return {};
    };
  }
  return std::nullopt;
}

void Dumper::begin_file(std::string_view path, std::uint64_t bytes) {
  ++totals_.files;
  printer_.begin("file");
  printer_.field("path", path);
  printer_.field("bytes", bytes);
  printer_.end();
}

void Dumper::problem(std::uint64_t position, std::uint64_t bytes, std::string_view reason) {
  ++totals_.problems;
  printer_.begin("problem");
  printer_.field("position", position);
  printer_.field("bytes", bytes);
  printer_.field("reason", reason);
  printer_.end();
}

}  // namespace millrace::storage
