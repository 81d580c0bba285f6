// What Kafka's own cleaner made of random logs, held against ours. The columns of the traces are
// described in tests/golden/java-storage/README.md.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;
using Row = std::vector<std::string>;

std::vector<Row> rows_of(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    std::istringstream cells(line);
    Row row;
    for (std::string cell; std::getline(cells, cell, '\t');) row.push_back(cell);
    rows.push_back(row);
  }
  return rows;
}

std::int64_t number(const std::string& text) {
  return std::stoll(text);
}

Bytes unhex(std::string_view hex) {
  Bytes bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(at, 2)), nullptr, 16)));
  }
  return bytes;
}

AbortedTransaction transaction_of(const Row& row) {
  return {ProducerId(number(row[1])), Offset(number(row[2])), Offset(number(row[3])),
          Offset(number(row[4]))};
}

ProducerSnapshotEntry producer_of(const Row& row) {
  ProducerSnapshotEntry entry;
  entry.producer = ProducerId(number(row[1]));
  entry.epoch = ProducerEpoch(static_cast<std::int16_t>(number(row[2])));
  entry.last_offset = Offset(number(row[3]));
  entry.last_sequence = Sequence(entry.last_offset < Offset(0) ? -1 : 0);
  entry.timestamp = Timestamp(0);
  return entry;
}

struct Pass {
  PassOptions options;
  std::int64_t cleaned_end = 0;
  std::vector<Bytes> before;
  std::vector<Bytes> after;
  std::vector<AbortedTransaction> aborted_before;
  std::vector<AbortedTransaction> aborted_after;
  std::vector<ProducerSnapshotEntry> producers;
};

std::vector<Pass> passes_of(const std::vector<Row>& rows) {
  std::vector<Pass> passes;
  std::int64_t retention_ms = 0;
  std::string last;
  for (const Row& row : rows) {
    const std::string& what = row[0];
    if (what == "begin") {
      retention_ms = number(row[1]);
    } else if (what == "before") {
      if (last != "before") passes.emplace_back();
      passes.back().before.push_back(unhex(row[1]));
    } else if (what == "after") {
      passes.back().after.push_back(unhex(row[1]));
    } else if (what == "aborted_before") {
      passes.back().aborted_before.push_back(transaction_of(row));
    } else if (what == "aborted_after") {
      passes.back().aborted_after.push_back(transaction_of(row));
    } else if (what == "producer") {
      passes.back().producers.push_back(producer_of(row));
    } else if (what == "clean") {
      passes.back().options = {number(row[1]), number(row[2]), number(row[3]), retention_ms};
    } else {
      EXPECT_EQ(what, "cleaned");
      passes.back().cleaned_end = number(row[1]);
    }
    last = what;
  }
  return passes;
}

// The codecs need not give the same bytes in every version of their libraries.
BatchHeader without_size(BatchHeader header) {
  header.crc = 0;
  header.batch_length = 0;
  return header;
}

TEST(KafkaCleanerTraces, ours_leaves_what_kafka_leaves) {
  const auto rows =
      rows_of(std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/data/storage/cleaner_traces.tsv");
  const std::vector<Pass> passes = passes_of(rows);
  ASSERT_EQ(passes.size(), 40u);
  std::size_t rewritten = 0;
  std::size_t emptied = 0;
  for (std::size_t number = 0; number < passes.size(); ++number) {
    SCOPED_TRACE("pass " + std::to_string(number));
    const Pass& pass = passes[number];
    MemoryLog log;
    log.batches = pass.before;
    log.aborted = pass.aborted_before;
    log.producers().restore(pass.producers, Timestamp(0), std::numeric_limits<int>::max());
    const auto ours = clean(log, pass.options);
    ASSERT_TRUE(ours) << protocol::sentence(ours.error());
    EXPECT_EQ(ours->mapped_end, pass.cleaned_end);
    EXPECT_EQ(ours->aborted, pass.aborted_after);
    ASSERT_EQ(ours->batches.size(), pass.after.size());
    for (std::size_t i = 0; i < pass.after.size(); ++i) {
      const Taken kafkas = taken(pass.after[i]);
      const Taken mine = taken(ours->batches[i]);
      ASSERT_EQ(without_size(mine.header), without_size(kafkas.header))
          << kafkas.header.base_offset.value();
      ASSERT_EQ(mine.items, kafkas.items) << kafkas.header.base_offset.value();
      if (kafkas.header.attributes.codec() == Codec::none) {
        ASSERT_EQ(ours->batches[i], pass.after[i]) << kafkas.header.base_offset.value();
      }
    }
    for (const BatchFate fate : ours->fates) {
      rewritten += fate == BatchFate::rewritten ? 1 : 0;
      emptied += fate == BatchFate::emptied ? 1 : 0;
    }
  }
  EXPECT_GT(rewritten, 100u) << "the traces show something";
  EXPECT_GT(emptied, 10u);
}

}  // namespace
}  // namespace millrace::storage
