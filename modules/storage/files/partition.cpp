module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.storage.files;

import :error;
import :partition;
import :small_file;
import :text;

namespace millrace::storage {

namespace {

constexpr std::string_view metadata_first_line = "version: 0\n";
constexpr std::string_view topic_id_label = "topic_id: ";

// "5 1234"
std::optional<EpochEntry> parse_epoch_line(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto epoch = read_integer<std::int32_t>(line.substr(0, space));
  const auto offset = read_integer<std::int64_t>(line.substr(space + 1));
  if (!epoch || *epoch < 0 || !offset || *offset < 0) return std::nullopt;
  return EpochEntry{LeaderEpoch(*epoch), Offset(*offset)};
}

}  // namespace

StorageResult<PartitionMetadata> parse_partition_metadata(std::string_view text,
                                                          std::string_view path) {
  const auto corrupt = [path](std::string_view problem) {
    return storage_failure(StorageFault::corrupt, formatted("{}: {}", path, problem));
  };
  if (!text.starts_with(metadata_first_line)) {
    return corrupt("the first line is not \"version: 0\"");
  }
  text.remove_prefix(metadata_first_line.size());
  if (!text.starts_with(topic_id_label)) return corrupt("the second line has no topic_id");
  text.remove_prefix(topic_id_label.size());
  // Kafka ends the file without a line break; an editor may have added one.
  if (text.ends_with('\n')) text.remove_suffix(1);
  const auto topic_id = uuid_from_string(text);
  if (!topic_id) return corrupt("the topic_id is not one");
  if (topic_id->is_zero()) return corrupt("the topic_id is that of no topic");
  return PartitionMetadata{*topic_id};
}

std::string format_partition_metadata(const PartitionMetadata& metadata) {
  return formatted("{}{}{}", metadata_first_line, topic_id_label, metadata.topic_id);
}

Task<StorageResult<PartitionMetadata>> load_partition_metadata(FileSystem& files,
                                                               std::string directory) {
  const std::string path = path_in(directory, partition_metadata_name);
  const auto bytes = co_await read_file(files, path, partition_metadata_bytes_max);
  if (!bytes) co_return failure(bytes.error());
  co_return parse_partition_metadata(as_text(*bytes), path);
}

Task<StorageResult<void>> save_partition_metadata(FileSystem& files, std::string directory,
                                                  PartitionMetadata metadata) {
  const std::string text = format_partition_metadata(metadata);
  co_return co_await replace_file(files, std::move(directory), std::string(partition_metadata_name),
                                  as_bytes(text));
}

StorageResult<std::vector<EpochEntry>> parse_leader_epoch_checkpoint(std::string_view text,
                                                                     std::string_view path) {
  Lines lines(text, path);
  const auto count = read_checkpoint_header(lines);
  if (!count) return failure(count.error());
  std::vector<EpochEntry> entries;
  // A line has at least four characters: what is not there is not made room for.
  entries.reserve(std::min(*count, text.size() / 4));
  while (entries.size() < *count) {
    const auto line = lines.next();
    if (!line) return lines.corrupt(formatted("entry {} of {} is cut off", entries.size(), *count));
    const auto entry = parse_epoch_line(*line);
    if (!entry) return lines.corrupt("not an epoch and an offset");
    if (!entries.empty() && (entry->epoch <= entries.back().epoch ||
                             entry->start_offset <= entries.back().start_offset)) {
      return lines.corrupt("epoch and offset are not above those of the line before");
    }
    entries.push_back(*entry);
  }
  if (auto end = check_checkpoint_end(lines, *count); !end) return failure(end.error());
  return entries;
}

std::string format_leader_epoch_checkpoint(std::span<const EpochEntry> entries) {
  std::string text = format_checkpoint_header(entries.size());
  for (const EpochEntry& entry : entries) {
    text += formatted("{} {}\n", entry.epoch, entry.start_offset);
  }
  return text;
}

Task<StorageResult<std::vector<EpochEntry>>> load_leader_epoch_checkpoint(FileSystem& files,
                                                                          std::string directory) {
  const std::string path = path_in(directory, leader_epoch_checkpoint_name);
  const auto bytes = co_await read_file(files, path, leader_epoch_checkpoint_bytes_max);
  if (!bytes) co_return failure(bytes.error());
  co_return parse_leader_epoch_checkpoint(as_text(*bytes), path);
}

Task<StorageResult<void>> save_leader_epoch_checkpoint(FileSystem& files, std::string directory,
                                                       std::span<const EpochEntry> entries) {
  const std::string text = format_leader_epoch_checkpoint(entries);
  co_return co_await replace_file(files, std::move(directory),
                                  std::string(leader_epoch_checkpoint_name), as_bytes(text));
}

}  // namespace millrace::storage
