// What Kafka's DumpLogSegments must show of a log, kept while the log is written.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.storage.log;

namespace millrace::clients {

// The batches of one log, cut and compacted as the log is.
class Expectation {
 public:
  // A batch as the log has it: with its offset and its leader epoch.
  void add(ByteView batch);
  // The log ends here.
  void cut(Offset end);
  // The first segment that is left begins here.
  void drop_below(Offset base);
  // Of the records below, only the last one of each key is left, and none that was aborted.
  void compact(Offset end);

  // In the tool's words, without what only the files know: positions, sizes, CRCs. Of a compacted
  // log only the records.
  void print(std::ostream& to, const std::string& directory) const;

 private:
  struct Record {
    Offset offset;
    Timestamp timestamp;
    std::optional<std::string> key;
    std::optional<std::string> value;
    std::string headers;  // their keys, with commas between
  };
  struct Batch {
    protocol::BatchHeader header;
    std::vector<Record> records;
    std::optional<protocol::ControlRecordType> marker;
    std::int32_t coordinator_epoch = -1;
  };
  struct Transactions;

  static void print_batch(std::ostream& to, const protocol::BatchHeader& header);
  static void print_record(std::ostream& to, const Batch& batch, const Record& record);

  std::vector<Batch> batches_;
  Offset base_{0};
  bool compacted_ = false;
};

}  // namespace millrace::clients
