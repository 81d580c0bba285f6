// Log directories of Apache Kafka, taken over: producers, indexes and what is appended next.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "golden_log.hpp"
#include "kafka_machine.hpp"

import millrace.storage.dump;

namespace millrace::storage {
namespace {

using golden::GoldenBatch;
using golden::GoldenPartition;
using golden::GoldenSegment;

class KafkaTakeover : public testing::TestWithParam<const char*> {
 protected:
  std::vector<GoldenPartition> manifest = golden::read_golden_manifest(GetParam());
};

using Producers = std::map<ProducerId, ProducerSnapshotEntry>;

// What a batch changes of its producer.
void follow(Producers& producers, const GoldenBatch& batch) {
  const protocol::BatchHeader& header = batch.header;
  if (!header.has_producer_id()) return;
  // A marker that was compacted away says nothing.
  if (header.attributes.is_control() && batch.records.empty()) return;
  ProducerSnapshotEntry& entry = producers[header.producer.id];
  entry.producer = header.producer.id;
  if (header.producer.epoch != entry.epoch) {
    entry.epoch = header.producer.epoch;
    entry.last_sequence = no_sequence;
    entry.last_offset = no_offset;
    entry.offset_delta = 0;
  }
  entry.timestamp = header.max_timestamp;
  if (header.attributes.is_control()) {
    entry.transaction_start = no_offset;
    const std::string& value = batch.records.at(0).value.value();
    const auto* bytes = reinterpret_cast<const std::byte*>(value.data());
    entry.coordinator_epoch = CoordinatorEpoch(load_big_endian<std::int32_t>(bytes + 2));
    return;
  }
  entry.last_sequence = header.last_sequence();
  entry.last_offset = header.last_offset();
  entry.offset_delta = header.last_offset_delta;
  const bool open = entry.transaction_start != no_offset;
  if (header.attributes.is_transactional() && !open) entry.transaction_start = header.base_offset;
}

TEST_P(KafkaTakeover, knows_the_producers) {
  KafkaMachine machine(GetParam(), Missing::nothing);
  std::size_t known = 0;
  for (const GoldenPartition& partition : manifest) {
    SCOPED_TRACE(partition.directory);
    // The last snapshot of Kafka's, and what lies behind it.
    Producers expected;
    Offset from{0};
    if (!partition.snapshots.empty()) {
      from = partition.snapshots.rbegin()->first;
      for (const auto& entry : partition.snapshots.rbegin()->second) {
        expected[entry.producer] = entry;
      }
    }
    for (const GoldenSegment& segment : partition.segments) {
      for (const GoldenBatch& batch : segment.batches) {
        if (batch.header.base_offset >= from) follow(expected, batch);
      }
    }
    machine.open(partition);
    if (HasFatalFailure()) return;
    Producers found;
    for (const auto& entry : machine.log->producers().snapshot_entries()) {
      found[entry.producer] = entry;
    }
    for (const auto& [id, entry] : expected) {
      ASSERT_TRUE(found.contains(id)) << id.value();
      EXPECT_EQ(found[id], entry) << id.value();
    }
    // Recovery may begin with an older snapshot, which knows producers that expired since.
    if (machine.clean) EXPECT_EQ(found.size(), expected.size());
    known += expected.size();
    machine.close();
  }
  EXPECT_GT(known, 20u);
}

TEST_P(KafkaTakeover, makes_the_producers_again_from_the_batches) {
  KafkaMachine machine(GetParam(), Missing::all_derived);
  for (const GoldenPartition& partition : manifest) {
    SCOPED_TRACE(partition.directory);
    machine.open(partition);
    if (HasFatalFailure()) return;
    Producers expected;
    for (const GoldenSegment& segment : partition.segments) {
      for (const GoldenBatch& batch : segment.batches) {
        if (batch.header.last_offset() < machine.log->start()) continue;
        follow(expected, batch);
      }
    }
    Producers found;
    for (const auto& entry : machine.log->producers().snapshot_entries()) {
      found[entry.producer] = entry;
    }
    // Where Kafka compacted, its snapshots are left, which know more than the batches do.
    if (machine.log->config().compacts && !partition.snapshots.empty()) {
      for (const auto& entry : partition.snapshots.rbegin()->second) {
        expected.try_emplace(entry.producer, entry);
      }
    }
    EXPECT_EQ(found.size(), expected.size());
    for (const auto& [id, entry] : expected) EXPECT_EQ(found[id], entry) << id.value();
    machine.close();
  }
}

std::vector<OffsetPosition> offset_entries(const std::string& bytes, Offset base) {
  const OffsetIndexView view(as_bytes(bytes), base);
  std::vector<OffsetPosition> entries;
  for (std::size_t i = 0; i < view.entries(); ++i) entries.push_back(view.entry(i));
  return entries;
}
std::vector<TimestampOffset> time_entries(const std::string& bytes, Offset base) {
  const TimeIndexView view(as_bytes(bytes), base);
  std::vector<TimestampOffset> entries;
  for (std::size_t i = 0; i < view.entries(); ++i) entries.push_back(view.entry(i));
  return entries;
}
std::vector<AbortedTransaction> aborted_entries(const std::string& bytes) {
  const TransactionIndexView view(as_bytes(bytes));
  std::vector<AbortedTransaction> entries;
  for (std::size_t i = 0; i < view.entries(); ++i) entries.push_back(view.entry(i));
  return entries;
}

// Where the broker began another life within a segment, with another leader epoch: it counts anew
// from there when the next entry is due.
std::optional<Offset> other_life(const GoldenSegment& segment) {
  for (const GoldenBatch& batch : segment.batches) {
    if (batch.header.leader_epoch != segment.batches.front().header.leader_epoch) {
      return batch.header.base_offset;
    }
  }
  return std::nullopt;
}

TEST_P(KafkaTakeover, makes_the_indexes_again_as_kafka_made_them) {
  KafkaMachine machine(GetParam(), Missing::all_derived);
  const bool killed = GetParam() == std::string_view("killed");
  std::size_t compared = 0;
  for (const GoldenPartition& partition : manifest) {
    SCOPED_TRACE(partition.directory);
    machine.open(partition);
    if (HasFatalFailure()) return;
    const bool compacts = machine.log->config().compacts;
    machine.close();
    // Kafka's cleaner writes indexes in another rhythm, and forgets aborted transactions.
    if (compacts) continue;
    for (std::size_t i = 0; i < partition.segments.size(); ++i) {
      const GoldenSegment& segment = partition.segments[i];
      SCOPED_TRACE(segment.base.value());
      const auto bytes = [&](SegmentFileKind kind) {
        return machine.contents(partition.directory, segment.base, kind);
      };
      EXPECT_EQ(aborted_entries(bytes(SegmentFileKind::transaction_index)), segment.aborted);
      auto offsets = offset_entries(bytes(SegmentFileKind::offset_index), segment.base);
      auto times = time_entries(bytes(SegmentFileKind::time_index), segment.base);
      auto kafkas = segment.offset_entries;
      compared += offsets.size() + segment.aborted.size();
      if (const auto begin = other_life(segment)) {
        const auto behind = [&](const OffsetPosition& entry) { return entry.offset >= *begin; };
        std::erase_if(offsets, behind);
        std::erase_if(kafkas, behind);
        EXPECT_EQ(offsets, kafkas);
        continue;
      }
      EXPECT_EQ(offsets, kafkas);
      // The last entry comes when a segment is closed, which the kill prevented.
      const bool unfinished = killed && i + 1 == partition.segments.size();
      if (unfinished && times.size() > segment.time_entries.size()) times.pop_back();
      EXPECT_EQ(times, segment.time_entries);
      compared += times.size();
    }
  }
  EXPECT_GT(compared, 100u);
}

std::vector<std::byte> next_batch(Timestamp timestamp) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  builder.start(protocol::BatchOptions{});
  protocol::RecordInput record;
  record.key = as_bytes("key");
  record.value = as_bytes("written by millrace");
  record.timestamp = timestamp;
  EXPECT_TRUE(builder.append(record).has_value());
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes.has_value());
  return {bytes->begin(), bytes->end()};
}

Task<AppendResult> append(Log& log, std::vector<std::byte> bytes) {
  LeaderAppend append;
  append.batch = bytes;
  append.epoch = LeaderEpoch(90);
  co_return co_await log.append(append);
}

// Everything is in order afterwards, for a check that looks at every byte, and for the next start.
TEST_P(KafkaTakeover, goes_on_where_kafka_ended) {
  for (const Missing missing : {Missing::nothing, Missing::indexes, Missing::all_derived}) {
    KafkaMachine machine(GetParam(), missing);
    std::map<std::string, std::string> read;
    for (const GoldenPartition& partition : manifest) {
      SCOPED_TRACE(partition.directory);
      machine.open(partition);
      if (HasFatalFailure()) return;
      const Offset end = machine.log->end();
      const auto appended =
          machine.wait(append(*machine.log, next_batch(Timestamp(1'900'000'000'000))));
      ASSERT_TRUE(appended) << appended.error().message;
      EXPECT_EQ(appended->base_offset, end);
      machine.log->set_high_watermark(machine.log->end());
      const auto found = machine.wait(
          machine.log->find_timestamp(Timestamp(1'800'000'000'000), machine.log->end()));
      ASSERT_TRUE(found) << found.error().storage.message;
      EXPECT_EQ((*found)->offset, end);
      read[partition.directory] =
          machine.read(machine.log->start(), machine.log->end(), 64 * mebibyte);
      machine.close();
    }
    machine.stop();
    FindingList findings;
    const VerifySummary summary = machine.verify(findings);
    EXPECT_EQ(findings.text(), "");
    EXPECT_EQ(summary.partitions, manifest.size());
    machine.clean = true;
    for (const GoldenPartition& partition : manifest) {
      SCOPED_TRACE(partition.directory);
      machine.open(partition);
      if (HasFatalFailure()) return;
      EXPECT_EQ(machine.log->recovery().scanned_bytes, 0u);
      EXPECT_TRUE(machine.read(machine.log->start(), machine.log->end(), 64 * mebibyte) ==
                  read[partition.directory]);
      machine.close();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kafka, KafkaTakeover, testing::Values("clean", "killed"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace millrace::storage
