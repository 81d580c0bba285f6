// Log directories that Apache Kafka wrote (tests/golden/data/kafka-log), for tests: their files,
// and what Kafka says is in them.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.protocol.batch;
import millrace.runtime;
import millrace.storage.index;
import millrace.storage.producers;

namespace millrace::golden {

// A log directory as files in memory. Paths count from the log directory.
struct GoldenLog {
  std::vector<std::string> directories;      // those above others first
  std::map<std::string, std::string> files;  // path and contents
};

// `clean` was left by an orderly stop, `killed` by kill -9. Ends the test program where the data is
// not there or damaged: nothing can be tested then.
[[nodiscard]] GoldenLog read_golden_log(std::string_view name);

// Makes the directory `root`, which is not there, and everything in it.
[[nodiscard]] Task<IoResult<void>> write_golden_log(FileSystem& files, const GoldenLog& log,
                                                    std::string root);

struct GoldenRecord {
  Offset offset;
  Timestamp timestamp;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;

  friend bool operator==(const GoldenRecord&, const GoldenRecord&) = default;
};

struct GoldenBatch {
  std::uint64_t position = 0;
  protocol::BatchHeader header;
  std::vector<GoldenRecord> records;
};

struct GoldenSegment {
  Offset base;
  std::uint64_t log_bytes = 0;
  std::vector<GoldenBatch> batches;
  std::vector<storage::OffsetPosition> offset_entries;
  std::vector<storage::TimestampOffset> time_entries;
  std::vector<storage::AbortedTransaction> aborted;
};

// What the running broker answered for a partition.
struct GoldenAnswers {
  Offset start;
  Offset end;
  Offset last_stable;
  std::vector<Offset> visible;    // to a consumer that reads all
  std::vector<Offset> committed;  // to one that reads committed records only
  std::optional<storage::TimestampOffset> max_timestamp;
  // A timestamp that was asked for, and the first record at or after it.
  std::vector<std::pair<Timestamp, std::optional<storage::TimestampOffset>>> lookups;
};

struct GoldenPartition {
  std::string directory;
  std::optional<GoldenAnswers> answers;  // not for internal topics
  std::vector<GoldenSegment> segments;
  std::map<Offset, std::vector<storage::ProducerSnapshotEntry>> snapshots;
};

// In the order of the directories' names.
[[nodiscard]] std::vector<GoldenPartition> read_golden_manifest(std::string_view name);

}  // namespace millrace::golden
