module;
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

module millrace.storage.files;

import :error;
import :names;
import :text;

namespace millrace::storage {

namespace {

constexpr std::array segment_file_kinds = {
    SegmentFileKind::log, SegmentFileKind::offset_index, SegmentFileKind::time_index,
    SegmentFileKind::transaction_index, SegmentFileKind::producer_snapshot};
constexpr std::array file_stages = {FileStage::current, FileStage::cleaned, FileStage::swap,
                                    FileStage::deleted};
constexpr std::array directory_kinds = {
    PartitionDirectoryKind::future, PartitionDirectoryKind::stray, PartitionDirectoryKind::deleted};

std::string_view suffix_of(PartitionDirectoryKind kind) {
  switch (kind) {
    case PartitionDirectoryKind::current:
      return "";
    case PartitionDirectoryKind::future:
      return "-future";
    case PartitionDirectoryKind::stray:
      return "-stray";
    case PartitionDirectoryKind::deleted:
      return "-delete";
  }
  return "";
}

std::string hexadecimal(const Uuid& id) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * id.bytes.size());
  for (const std::byte byte : id.bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    text += digits[value >> 4];
    text += digits[value & 0xf];
  }
  return text;
}

bool is_topic_character(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == '.' || character == '_' ||
         character == '-';
}

bool is_visible(char character) {
  return character > ' ' && character < '\x7f' && character != '/';
}

// "orders-3"; a topic may hold dashes, the partition none.
std::optional<TopicPartition> parse_topic_partition(std::string_view text) {
  const std::size_t dash = text.rfind('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view topic = text.substr(0, dash);
  const auto partition = read_integer<std::int32_t>(text.substr(dash + 1));
  if (!is_topic_name(topic) || !partition) return std::nullopt;
  return TopicPartition{std::string(topic), PartitionIndex(*partition)};
}

tl::unexpected<StorageError> no_partition_directory(std::string_view name) {
  return storage_failure(
      StorageFault::invalid,
      formatted("{} is not the name of a directory of a partition: <topic>-<partition>, or this "
                "followed by .<id>-future, .<id>-stray or .<id>-delete",
                name));
}

}  // namespace

std::string_view suffix_of(SegmentFileKind kind) {
  switch (kind) {
    case SegmentFileKind::log:
      return ".log";
    case SegmentFileKind::offset_index:
      return ".index";
    case SegmentFileKind::time_index:
      return ".timeindex";
    case SegmentFileKind::transaction_index:
      return ".txnindex";
    case SegmentFileKind::producer_snapshot:
      return ".snapshot";
  }
  return "";
}

std::string_view suffix_of(FileStage stage) {
  switch (stage) {
    case FileStage::current:
      return "";
    case FileStage::cleaned:
      return ".cleaned";
    case FileStage::swap:
      return ".swap";
    case FileStage::deleted:
      return ".deleted";
  }
  return "";
}

std::string segment_file_name(const SegmentFileName& name) {
  return segment_file_name(name.base_offset, name.kind, name.stage);
}

std::string segment_file_name(Offset base_offset, SegmentFileKind kind, FileStage stage) {
  check(base_offset >= Offset(0), "the first offset of a segment is not negative");
  // Each look at an open file names it: ten times as fast as with a format.
  std::string name(segment_offset_digits, '0');
  auto place = name.rbegin();
  for (std::int64_t rest = base_offset.value(); rest != 0; rest /= 10)
    *place++ = static_cast<char>('0' + rest % 10);
  return name.append(suffix_of(kind)).append(suffix_of(stage));
}

std::optional<SegmentFileName> parse_segment_file_name(std::string_view name) {
  if (name.size() < segment_offset_digits) return std::nullopt;
  std::string_view digits = name.substr(0, segment_offset_digits);
  const std::string_view suffix = name.substr(segment_offset_digits);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), segment_offset_digits - 1));
  const auto offset = read_integer<std::int64_t>(digits);
  if (!offset || *offset < 0) return std::nullopt;
  for (const SegmentFileKind kind : segment_file_kinds) {
    if (!suffix.starts_with(suffix_of(kind))) continue;
    const std::string_view rest = suffix.substr(suffix_of(kind).size());
    for (const FileStage stage : file_stages) {
      if (rest == suffix_of(stage)) return SegmentFileName{Offset(*offset), kind, stage};
    }
  }
  return std::nullopt;
}

std::string to_string(const TopicPartition& partition) {
  return formatted("{}-{}", partition.topic, partition.partition);
}

bool is_topic_name(std::string_view name) {
  return !name.empty() && name.size() <= topic_name_bytes_max && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), is_topic_character);
}

StorageResult<std::string> partition_directory_name(const TopicPartition& partition,
                                                    PartitionDirectoryKind kind, const Uuid& id) {
  check(is_topic_name(partition.topic) && partition.partition >= PartitionIndex(0),
        "a directory is named after a legal topic and partition");
  if (kind == PartitionDirectoryKind::current) {
    std::string name = to_string(partition);
    if (name.size() <= file_name_bytes_max) return name;
    return storage_failure(StorageFault::limit,
                           formatted("{} is too long for the name of a directory", name));
  }
  const std::string suffix =
      formatted("-{}.{}{}", partition.partition, hexadecimal(id), suffix_of(kind));
  std::string_view topic = partition.topic;
  if (topic.size() + suffix.size() > file_name_bytes_max) {
    // The copy is renamed to what it is a copy of, so its name must be read back in full. What goes
    // away is never asked for by its topic.
    if (kind == PartitionDirectoryKind::future) {
      return storage_failure(
          StorageFault::limit,
          formatted("{} with {} is too long for the name of a directory", topic, suffix));
    }
    topic = topic.substr(0, file_name_bytes_max - suffix.size());
  }
  return std::string(topic) + suffix;
}

StorageResult<PartitionDirectoryName> parse_partition_directory_name(std::string_view name) {
  if (name.size() > file_name_bytes_max || !std::all_of(name.begin(), name.end(), is_visible)) {
    return storage_failure(StorageFault::invalid,
                           formatted("a name of {} bytes is none of a partition: too long, or "
                                     "characters that are in no name of a topic",
                                     name.size()));
  }
  PartitionDirectoryName parsed;
  std::string_view partition = name;
  for (const PartitionDirectoryKind kind : directory_kinds) {
    if (!name.ends_with(suffix_of(kind))) continue;
    const std::string_view stem = name.substr(0, name.size() - suffix_of(kind).size());
    const std::size_t dot = stem.rfind('.');
    if (dot == std::string_view::npos || dot + 1 == stem.size()) {
      return no_partition_directory(name);
    }
    parsed.kind = kind;
    parsed.id = stem.substr(dot + 1);
    partition = stem.substr(0, dot);
  }
  auto topic_partition = parse_topic_partition(partition);
  if (!topic_partition) return no_partition_directory(name);
  parsed.partition = std::move(*topic_partition);
  return parsed;
}

}  // namespace millrace::storage
