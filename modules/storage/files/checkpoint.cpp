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

import :checkpoint;
import :error;
import :names;
import :small_file;
import :text;

namespace millrace::storage {

namespace {

// "orders 3 1234"
std::optional<PartitionOffset> parse_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::string_view topic = line.substr(0, first);
  const auto partition = read_integer<std::int32_t>(line.substr(first + 1, second - first - 1));
  const auto offset = read_integer<std::int64_t>(line.substr(second + 1));
  if (!is_topic_name(topic) || !partition || *partition < 0 || !offset || *offset < 0) {
    return std::nullopt;
  }
  return PartitionOffset{{std::string(topic), PartitionIndex(*partition)}, Offset(*offset)};
}

bool names_a_partition_twice(std::span<const PartitionOffset> entries) {
  std::vector<const TopicPartition*> partitions;
  partitions.reserve(entries.size());
  for (const PartitionOffset& entry : entries) partitions.push_back(&entry.partition);
  std::sort(partitions.begin(), partitions.end(),
            [](const auto* left, const auto* right) { return *left < *right; });
  return std::adjacent_find(partitions.begin(), partitions.end(),
                            [](const auto* left, const auto* right) { return *left == *right; }) !=
         partitions.end();
}

}  // namespace

StorageResult<std::vector<PartitionOffset>> parse_offset_checkpoint(std::string_view text,
                                                                    std::string_view path) {
  Lines lines(text, path);
  const auto count = read_checkpoint_header(lines);
  if (!count) return failure(count.error());
  std::vector<PartitionOffset> entries;
  // A line has at least seven characters: what is not there is not made room for.
  entries.reserve(std::min(*count, text.size() / 7));
  while (entries.size() < *count) {
    const auto line = lines.next();
    if (!line) return lines.corrupt(formatted("entry {} of {} is cut off", entries.size(), *count));
    auto entry = parse_line(*line);
    if (!entry) return lines.corrupt("not a topic, a partition and an offset");
    entries.push_back(std::move(*entry));
  }
  if (auto end = check_checkpoint_end(lines, *count); !end) return failure(end.error());
  if (names_a_partition_twice(entries)) {
    return storage_failure(StorageFault::corrupt,
                           formatted("{}: a partition stands there twice", path));
  }
  return entries;
}

std::string format_offset_checkpoint(std::span<const PartitionOffset> entries) {
  std::string text = format_checkpoint_header(entries.size());
  for (const PartitionOffset& entry : entries) {
    text += formatted("{} {} {}\n", entry.partition.topic, entry.partition.partition, entry.offset);
  }
  return text;
}

Task<StorageResult<std::vector<PartitionOffset>>> load_offset_checkpoint(FileSystem& files,
                                                                         std::string directory,
                                                                         std::string_view name) {
  const std::string path = path_in(directory, name);
  const auto bytes = co_await read_file(files, path, checkpoint_bytes_max);
  if (!bytes) co_return failure(bytes.error());
  co_return parse_offset_checkpoint(as_text(*bytes), path);
}

Task<StorageResult<void>> save_offset_checkpoint(FileSystem& files, std::string directory,
                                                 std::string_view name,
                                                 std::span<const PartitionOffset> entries) {
  const std::string text = format_offset_checkpoint(entries);
  co_return co_await replace_file(files, std::move(directory), std::string(name), as_bytes(text));
}

}  // namespace millrace::storage
