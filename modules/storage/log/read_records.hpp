// The records of a log, read back by tests.
#pragma once

#include <gtest/gtest.h>

#include <coroutine>
#include <cstdint>
#include <string>
#include <vector>

import millrace.storage.log;

namespace millrace::storage {

struct TestRecord {
  Offset offset;
  Timestamp timestamp;
  std::string value;

  friend bool operator==(const TestRecord&, const TestRecord&) = default;
};

inline std::vector<std::string> values_of(const std::vector<TestRecord>& records) {
  std::vector<std::string> all;
  for (const TestRecord& record : records) all.push_back(record.value);
  return all;
}

// From an offset up to an end, through as many slices as it takes.
inline Task<void> read_records(Log& log, Offset from, Offset to, std::uint64_t bytes_max,
                               std::vector<TestRecord>& found) {
  protocol::Decompressor decompressor;
  while (from < to) {
    const auto slice = co_await log.read({from, to, bytes_max, true});
    EXPECT_TRUE(slice) << slice.error().storage.message;
    if (!slice || slice->empty()) break;
    const auto bytes = co_await log.load_verified(*slice);
    EXPECT_TRUE(bytes) << bytes.error().storage.message;
    if (!bytes) break;
    protocol::BatchSplitter splitter(bytes->bytes());
    for (protocol::BatchView batch; splitter.next(batch);) {
      protocol::RecordReader reader(decompressor);
      EXPECT_TRUE(reader.open(batch).has_value());
      for (protocol::RecordView record; reader.next(record);) {
        if (record.offset < from) continue;
        found.push_back({record.offset, record.timestamp, std::string(as_text(record.value))});
      }
      from = batch.header().last_offset().next();
    }
  }
}

}  // namespace millrace::storage
