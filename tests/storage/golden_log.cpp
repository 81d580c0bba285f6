#include "golden_log.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>

import millrace.base;
import millrace.protocol.compression;

namespace millrace::golden {

namespace {

constexpr std::size_t tar_block_bytes = 512;

std::string read_data(const std::string& name) {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/kafka-log/" + name,
                     std::ios::binary);
  check(file.good(), "the golden data is there: " + name);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string decompress(std::string_view packed) {
  protocol::Decompressor decompressor;
  protocol::DecompressionLimits limits;
  limits.ratio_max = 1'000'000;
  check(decompressor.start(protocol::Codec::gzip, as_bytes(packed), limits).has_value(),
        "the archive is gzip");
  std::string plain;
  for (;;) {
    const auto piece = decompressor.next(0);
    check(piece.has_value(), "the archive is whole");
    if (piece->empty()) break;
    plain += as_text(*piece);
  }
  check(decompressor.finished(), "the archive is whole");
  return plain;
}

// A field of a header of a tar archive: text up to a NUL.
std::string_view tar_field(std::string_view header, std::size_t at, std::size_t length) {
  const std::string_view field = header.substr(at, length);
  return field.substr(0, field.find('\0'));
}

template <class Integer>
Integer number(std::string_view text, int base = 10) {
  Integer value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  check(parsed.ec == std::errc{}, "a number stands in the golden data");
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// A line of the manifest, column by column.
class Row {
 public:
  explicit Row(std::string_view line) : columns_(split(line, '\t')) {}

  [[nodiscard]] std::string_view kind() const { return columns_.front(); }
  [[nodiscard]] std::string_view text() { return columns_.at(++at_); }
  template <class T>
  [[nodiscard]] T next() {
    if constexpr (std::integral<T>) {
      return number<T>(text());
    } else {
      return T(number<typename T::integer_type>(text()));
    }
  }

 private:
  std::vector<std::string_view> columns_;
  std::size_t at_ = 0;
};

// As FileView.java writes bytes: "null", hex after an "x", or plain text.
std::optional<std::string> payload(std::string_view text) {
  if (text == "null") return std::nullopt;
  if (!text.starts_with('x')) return std::string(text);
  std::string bytes;
  for (std::size_t i = 1; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(number<unsigned>(text.substr(i, 2), 16));
  }
  return bytes;
}

std::vector<Offset> ranges(std::string_view text) {
  std::vector<Offset> offsets;
  if (text == "-") return offsets;
  for (const std::string_view range : split(text, ',')) {
    const auto ends = split(range, '-');
    const auto last = number<std::int64_t>(ends.back());
    for (auto at = number<std::int64_t>(ends.front()); at <= last; ++at) {
      offsets.emplace_back(at);
    }
  }
  return offsets;
}

GoldenBatch batch(Row& row) {
  GoldenBatch batch;
  batch.position = row.next<std::uint64_t>();
  protocol::BatchHeader& header = batch.header;
  header.batch_length =
      row.next<std::int32_t>() - static_cast<std::int32_t>(record_batch_prefix_bytes);
  header.base_offset = row.next<Offset>();
  header.last_offset_delta =
      static_cast<std::int32_t>(row.next<Offset>().since(header.base_offset));
  header.leader_epoch = row.next<LeaderEpoch>();
  header.attributes = protocol::BatchAttributes(row.next<std::int16_t>());
  header.base_timestamp = row.next<Timestamp>();
  header.max_timestamp = row.next<Timestamp>();
  header.producer.id = row.next<ProducerId>();
  header.producer.epoch = row.next<ProducerEpoch>();
  header.producer.base_sequence = row.next<Sequence>();
  header.record_count = row.next<std::int32_t>();
  header.crc = row.next<std::uint32_t>();
  return batch;
}

GoldenRecord record(Row& row) {
  GoldenRecord record;
  record.offset = row.next<Offset>();
  record.timestamp = row.next<Timestamp>();
  record.key = payload(row.text());
  record.value = payload(row.text());
  const std::string_view headers = row.text();
  if (headers == "-") return record;
  for (const std::string_view header : split(headers, ',')) {
    const auto parts = split(header, '=');
    record.headers.emplace_back(payload(parts.at(0)).value(), payload(parts.at(1)));
  }
  return record;
}

storage::ProducerSnapshotEntry producer(Row& row) {
  storage::ProducerSnapshotEntry entry;
  entry.producer = row.next<ProducerId>();
  entry.epoch = row.next<ProducerEpoch>();
  entry.last_sequence = row.next<Sequence>();
  entry.last_offset = row.next<Offset>();
  entry.offset_delta = row.next<std::int32_t>();
  entry.timestamp = row.next<Timestamp>();
  entry.coordinator_epoch = row.next<storage::CoordinatorEpoch>();
  entry.transaction_start = row.next<Offset>();
  return entry;
}

// Nothing where the broker answered that there is none.
std::optional<storage::TimestampOffset> found_at(Offset offset, Timestamp timestamp) {
  if (offset == no_offset) return std::nullopt;
  return storage::TimestampOffset{timestamp, offset};
}

void read_answer(Row& row, GoldenPartition& partition) {
  if (row.kind() == "live") {
    GoldenAnswers& answers = partition.answers.emplace();
    answers.start = row.next<Offset>();
    answers.end = row.next<Offset>();
    answers.last_stable = row.next<Offset>();
    return;
  }
  GoldenAnswers& answers = partition.answers.value();
  if (row.kind() == "visible") {
    answers.visible = ranges(row.text());
  } else if (row.kind() == "committed") {
    answers.committed = ranges(row.text());
  } else if (row.kind() == "max_timestamp") {
    const auto offset = row.next<Offset>();
    answers.max_timestamp = found_at(offset, row.next<Timestamp>());
  } else {
    check(row.kind() == "lookup", "the kind of a line is known");
    const auto asked = row.next<Timestamp>();
    const auto offset = row.next<Offset>();
    answers.lookups.emplace_back(asked, found_at(offset, row.next<Timestamp>()));
  }
}

void read_file_line(Row& row, GoldenPartition& partition) {
  if (row.kind() == "segment") {
    GoldenSegment& added = partition.segments.emplace_back();
    added.base = row.next<Offset>();
    added.log_bytes = row.next<std::uint64_t>();
    return;
  }
  if (row.kind() == "snapshot") {
    partition.snapshots[row.next<Offset>()];
    return;
  }
  if (row.kind() == "producer") {
    partition.snapshots.rbegin()->second.push_back(producer(row));
    return;
  }
  GoldenSegment& segment = partition.segments.back();
  if (row.kind() == "batch") {
    segment.batches.push_back(batch(row));
  } else if (row.kind() == "record") {
    segment.batches.back().records.push_back(record(row));
  } else if (row.kind() == "offset_entry") {
    const auto offset = row.next<Offset>();
    segment.offset_entries.push_back({offset, row.next<std::uint32_t>()});
  } else if (row.kind() == "time_entry") {
    const auto timestamp = row.next<Timestamp>();
    segment.time_entries.push_back({timestamp, row.next<Offset>()});
  } else {
    check(row.kind() == "aborted", "the kind of a line is known");
    storage::AbortedTransaction& entry = segment.aborted.emplace_back();
    entry.producer = row.next<ProducerId>();
    entry.first_offset = row.next<Offset>();
    entry.last_offset = row.next<Offset>();
    entry.last_stable_offset = row.next<Offset>();
  }
}

bool is_answer(std::string_view kind) {
  constexpr std::string_view answers[] = {"live", "visible", "committed", "max_timestamp",
                                          "lookup"};
  return std::find(std::begin(answers), std::end(answers), kind) != std::end(answers);
}

}  // namespace

GoldenLog read_golden_log(std::string_view name) {
  GoldenLog log;
  const std::string archive = decompress(read_data(std::string(name) + ".tar.gz"));
  for (std::string_view rest = archive; rest.size() >= tar_block_bytes;) {
    const std::string_view header = rest.substr(0, tar_block_bytes);
    std::string path(tar_field(header, 0, 100));
    if (path.empty()) break;
    const auto size = number<std::size_t>(tar_field(header, 124, 12), 8);
    const bool directory = header[156] == '5';
    rest.remove_prefix(tar_block_bytes);
    if (directory) {
      while (path.ends_with('/')) path.pop_back();
      log.directories.push_back(path);
    } else {
      check(rest.size() >= size, "the archive is whole");
      log.files[path] = rest.substr(0, size);
    }
    const std::size_t blocks = (size + tar_block_bytes - 1) / tar_block_bytes;
    rest.remove_prefix(std::min(rest.size(), blocks * tar_block_bytes));
  }
  check(!log.files.empty(), "the archive holds files");
  return log;
}

Task<IoResult<void>> write_golden_log(FileSystem& files, const GoldenLog& log, std::string root) {
  if (auto made = co_await files.make_directory(root); !made) co_return made;
  for (const std::string& directory : log.directories) {
    const std::string path = root + "/" + directory;
    if (auto made = co_await files.make_directory(path); !made) co_return made;
  }
  for (const auto& [name, contents] : log.files) {
    const std::string path = root + "/" + name;
    const auto file = co_await files.open(path, OpenMode::create_new);
    if (!file) co_return failure(file.error());
    const ByteView pieces[] = {as_bytes(contents)};
    auto written =
        contents.empty() ? IoResult<void>() : co_await files.write(*file, 0, std::span(pieces));
    if (auto closed = co_await files.close(*file); written && !closed) written = closed;
    if (!written) co_return written;
  }
  co_return IoResult<void>();
}

std::vector<GoldenPartition> read_golden_manifest(std::string_view name) {
  std::vector<GoldenPartition> partitions;
  std::istringstream lines(read_data(std::string(name) + ".tsv"));
  for (std::string line; std::getline(lines, line);) {
    Row row(line);
    if (row.kind() == "partition") {
      partitions.emplace_back().directory = row.text();
    } else if (is_answer(row.kind())) {
      read_answer(row, partitions.back());
    } else {
      read_file_line(row, partitions.back());
    }
  }
  return partitions;
}

}  // namespace millrace::golden
