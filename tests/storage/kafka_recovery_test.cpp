// Log directories of Apache Kafka, opened and recovered: what our log gives is what Kafka wrote and
// what the running broker answered. Also proves kafka_machine.hpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
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
using golden::GoldenRecord;
using golden::GoldenSegment;

class KafkaRecovery : public testing::TestWithParam<std::tuple<const char*, Missing>> {
 protected:
  KafkaMachine machine{std::get<0>(GetParam()), std::get<1>(GetParam())};
  std::vector<GoldenPartition> manifest = golden::read_golden_manifest(std::get<0>(GetParam()));

  // Opens each partition in turn.
  template <class Check>
  void with_each(Check check) {
    for (const GoldenPartition& partition : manifest) {
      SCOPED_TRACE(partition.directory);
      machine.open(partition);
      if (HasFatalFailure()) return;
      check(partition);
      machine.close();
    }
  }
  // The batches that the log must give.
  [[nodiscard]] std::vector<GoldenBatch> batches(const GoldenPartition& partition) const {
    std::vector<GoldenBatch> all;
    for (const GoldenSegment& segment : partition.segments) {
      for (const GoldenBatch& batch : segment.batches) {
        if (batch.header.last_offset() >= machine.log->start()) all.push_back(batch);
      }
    }
    return all;
  }
  // Their bytes, as Kafka's files have them.
  [[nodiscard]] std::string bytes(const GoldenPartition& partition) const {
    std::string all;
    for (const GoldenSegment& segment : partition.segments) {
      const std::string path =
          path_in(partition.directory, segment_file_name(segment.base, SegmentFileKind::log));
      const std::string& file = machine.golden.files.at(path);
      for (const GoldenBatch& batch : segment.batches) {
        if (batch.header.last_offset() < machine.log->start()) continue;
        all += file.substr(batch.position, batch.header.size_bytes());
      }
    }
    return all;
  }
};

TEST_P(KafkaRecovery, begins_and_ends_where_the_broker_said) {
  std::size_t told = 0;
  with_each([&](const GoldenPartition& partition) {
    EXPECT_EQ(machine.log->recovery().cut_bytes, 0u);
    EXPECT_EQ(machine.log->recovery().dropped_segments, 0u);
    if (machine.clean) EXPECT_EQ(machine.log->recovery().scanned_bytes, 0u) << "records were read";
    EXPECT_EQ(machine.log->segments().size(), partition.segments.size());
    if (!partition.answers) return;
    ++told;
    EXPECT_EQ(machine.log->start(), partition.answers->start);
    EXPECT_EQ(machine.log->end(), partition.answers->end);
    EXPECT_EQ(machine.log->last_stable_offset(), partition.answers->last_stable);
  });
  EXPECT_GE(told, 13u);
}

TEST_P(KafkaRecovery, gives_every_byte) {
  std::size_t total = 0;
  with_each([&](const GoldenPartition& partition) {
    const std::string expected = bytes(partition);
    total += expected.size();
    for (const std::uint64_t bytes_max : {std::uint64_t{1}, std::uint64_t{700}, 64 * mebibyte}) {
      const std::string read = machine.read(machine.log->start(), machine.log->end(), bytes_max);
      EXPECT_TRUE(read == expected) << read.size() << " bytes instead of " << expected.size();
    }
  });
  EXPECT_GT(total, 50'000u) << "the data has batches";
}

GoldenRecord to_golden(const protocol::RecordView& record) {
  const auto payload = [](ByteView bytes) {
    return bytes.data() == nullptr ? std::nullopt
                                   : std::optional<std::string>(std::string(as_text(bytes)));
  };
  GoldenRecord found{
      record.offset, record.timestamp, payload(record.key), payload(record.value), {}};
  for (const protocol::RecordHeader& header : record.headers) {
    found.headers.emplace_back(std::string(header.key), payload(header.value));
  }
  return found;
}

TEST_P(KafkaRecovery, gives_every_record) {
  std::set<protocol::Codec> codecs;
  with_each([&](const GoldenPartition& partition) {
    const std::string read = machine.read(machine.log->start(), machine.log->end(), 2'000);
    protocol::BatchSplitter splitter(as_bytes(read));
    for (const GoldenBatch& expected : batches(partition)) {
      protocol::BatchView batch;
      ASSERT_TRUE(splitter.next(batch));
      codecs.insert(batch.header().attributes.codec().value());
      protocol::RecordReader reader(machine.decompressor);
      ASSERT_TRUE(reader.open(batch).has_value());
      std::vector<GoldenRecord> records;
      for (protocol::RecordView record; reader.next(record);) records.push_back(to_golden(record));
      EXPECT_TRUE(reader.finish().has_value());
      EXPECT_EQ(records, expected.records) << "at " << expected.header.base_offset.value();
    }
  });
  EXPECT_EQ(codecs.size(), 5u) << "the data has all codecs";
}

TEST_P(KafkaRecovery, finds_the_batch_of_every_offset) {
  with_each([&](const GoldenPartition& partition) {
    const auto expected = batches(partition);
    auto batch = expected.begin();
    for (Offset at = machine.log->start(); at < machine.log->end(); at = at.next()) {
      while (batch != expected.end() && batch->header.last_offset() < at) ++batch;
      const auto slice = machine.wait(machine.log->read({at, machine.log->end(), 1, true}));
      ASSERT_TRUE(slice) << at.value();
      ASSERT_EQ(slice->empty(), batch == expected.end()) << at.value();
      if (slice->empty()) continue;
      EXPECT_EQ(slice->base_offset, batch->header.base_offset) << at.value();
      EXPECT_EQ(slice->length, batch->header.size_bytes()) << at.value();
    }
  });
}

TEST_P(KafkaRecovery, finds_timestamps_as_the_broker_does) {
  std::size_t asked = 0;
  with_each([&](const GoldenPartition& partition) {
    if (!partition.answers) return;
    for (const auto& [timestamp, expected] : partition.answers->lookups) {
      const auto found =
          machine.wait(machine.log->find_timestamp(timestamp, machine.log->high_watermark()));
      ASSERT_TRUE(found) << found.error().storage.message;
      EXPECT_EQ(*found, expected) << timestamp.value();
      ++asked;
    }
    const auto latest = machine.wait(machine.log->find_max_timestamp());
    ASSERT_TRUE(latest) << latest.error().storage.message;
    EXPECT_EQ(*latest, partition.answers->max_timestamp);
  });
  EXPECT_GT(asked, 100u);
}

// A reader of committed records: what was aborted is told by the entries.
std::vector<Offset> committed(KafkaMachine& machine) {
  const Offset end = machine.log->last_stable_offset();
  const auto aborted = machine.wait(machine.log->aborted(machine.log->start(), end));
  EXPECT_TRUE(aborted) << aborted.error().storage.message;
  std::vector<Offset> offsets;
  const std::string read = machine.read(machine.log->start(), end, 1'000);
  protocol::BatchSplitter splitter(as_bytes(read));
  for (protocol::BatchView batch; splitter.next(batch);) {
    const protocol::BatchHeader& header = batch.header();
    if (header.attributes.is_control()) continue;
    const bool dropped = std::any_of(aborted->begin(), aborted->end(), [&](const auto& entry) {
      return header.attributes.is_transactional() && entry.producer == header.producer.id &&
             entry.first_offset <= header.base_offset && header.base_offset <= entry.last_offset;
    });
    if (dropped) continue;
    protocol::RecordReader reader(machine.decompressor);
    EXPECT_TRUE(reader.open(batch).has_value());
    for (protocol::RecordView record; reader.next(record);) {
      if (record.offset >= machine.log->start()) offsets.push_back(record.offset);
    }
  }
  return offsets;
}

TEST_P(KafkaRecovery, shows_committed_records_as_the_broker_does) {
  std::size_t kept_back = 0;
  with_each([&](const GoldenPartition& partition) {
    if (!partition.answers) return;
    EXPECT_EQ(committed(machine), partition.answers->committed);
    kept_back += partition.answers->visible.size() - partition.answers->committed.size();
  });
  EXPECT_GT(kept_back, 50u) << "the data has aborted and open transactions";
}

TEST_P(KafkaRecovery, knows_the_aborted_transactions_of_every_range) {
  std::size_t found = 0;
  with_each([&](const GoldenPartition& partition) {
    // Recovery makes these entries again from the batches, and of a transaction whose records were
    // compacted away there is none then, nor need there be one.
    if (machine.log->config().compacts && !machine.clean) return;
    std::vector<AbortedTransaction> all;
    for (const GoldenSegment& segment : partition.segments) {
      all.insert(all.end(), segment.aborted.begin(), segment.aborted.end());
    }
    for (Offset from = machine.log->start(); from < machine.log->end(); from = from.plus(7)) {
      for (Offset to = from.next(); to <= machine.log->end(); to = to.plus(11)) {
        std::vector<AbortedTransaction> expected;
        for (const AbortedTransaction& entry : all) {
          if (entry.last_offset >= from && entry.first_offset < to) expected.push_back(entry);
        }
        const auto answered = machine.wait(machine.log->aborted(from, to));
        ASSERT_TRUE(answered) << answered.error().storage.message;
        EXPECT_EQ(*answered, expected) << from.value() << " to " << to.value();
        found += expected.size();
      }
    }
  });
  EXPECT_GT(found, 100u);
}

std::string name_of_case(const testing::TestParamInfo<std::tuple<const char*, Missing>>& info) {
  constexpr std::string_view missing[] = {"as_it_was", "without_indexes", "batches_alone"};
  return std::string(std::get<0>(info.param)) + "_" +
         std::string(missing[static_cast<std::size_t>(std::get<1>(info.param))]);
}

INSTANTIATE_TEST_SUITE_P(Kafka, KafkaRecovery,
                         testing::Combine(testing::Values("clean", "killed"),
                                          testing::Values(Missing::nothing, Missing::indexes,
                                                          Missing::all_derived)),
                         name_of_case);

}  // namespace
}  // namespace millrace::storage
