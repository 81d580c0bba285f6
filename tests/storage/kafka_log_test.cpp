// Log directories of Apache Kafka, dumped and checked: what is said of them is what Kafka says.
// Also proves golden_log.cpp.
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "../protocol/json.hpp"
#include "golden_log.hpp"
#include "log_machine.hpp"

import millrace.storage.dump;

namespace millrace::storage {
namespace {

using golden::GoldenBatch;
using golden::GoldenPartition;
using golden::GoldenRecord;
using golden::GoldenSegment;

class KafkaLog : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { machine.load(golden::read_golden_log(GetParam())); }

  DumpMachine machine;
  std::vector<GoldenPartition> manifest = golden::read_golden_manifest(GetParam());
};

TEST_P(KafkaLog, has_nothing_that_is_wrong) {
  FindingList found;
  const VerifySummary summary = machine.verify(found);
  EXPECT_EQ(found.text(), "");
  std::size_t segments = 0;
  std::size_t batches = 0;
  std::size_t records = 0;
  std::size_t entries = 0;
  for (const GoldenPartition& partition : manifest) {
    segments += partition.segments.size();
    for (const GoldenSegment& segment : partition.segments) {
      batches += segment.batches.size();
      for (const GoldenBatch& batch : segment.batches) records += batch.records.size();
      entries +=
          segment.offset_entries.size() + segment.time_entries.size() + segment.aborted.size();
    }
  }
  EXPECT_EQ(summary.partitions, manifest.size());
  EXPECT_EQ(summary.segments, segments);
  EXPECT_EQ(summary.batches, batches);
  EXPECT_EQ(summary.records, records);
  EXPECT_EQ(summary.index_entries, entries);
  EXPECT_FALSE(summary.stopped);
}

// The fields of an item `name=value`, in lines of text.
std::map<std::string, std::string> fields(const std::string& line) {
  std::map<std::string, std::string> found;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    const auto equals = word.find('=');
    if (equals != std::string::npos) found[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return found;
}

template <class Strong>
std::string number(Strong strong) {
  return std::to_string(strong.value());
}

void expect_batch(const std::string& line, const GoldenBatch& batch) {
  const protocol::BatchHeader& header = batch.header;
  auto found = fields(line);
  EXPECT_EQ(found["position"], std::to_string(batch.position)) << line;
  EXPECT_EQ(found["bytes"], std::to_string(header.size_bytes())) << line;
  EXPECT_EQ(found["base_offset"], number(header.base_offset)) << line;
  EXPECT_EQ(found["last_offset"], number(header.last_offset())) << line;
  EXPECT_EQ(found["records"], std::to_string(header.record_count)) << line;
  EXPECT_EQ(found["leader_epoch"], number(header.leader_epoch)) << line;
  EXPECT_EQ(found["codec"], protocol::name_of(header.attributes.codec().value())) << line;
  EXPECT_EQ(found["max_timestamp"], number(header.max_timestamp)) << line;
  EXPECT_EQ(found["producer_id"], number(header.producer.id)) << line;
  EXPECT_EQ(found["producer_epoch"], number(header.producer.epoch)) << line;
  EXPECT_EQ(found["base_sequence"], number(header.producer.base_sequence)) << line;
  EXPECT_EQ(found["transactional"], header.attributes.is_transactional() ? "true" : "false");
  EXPECT_EQ(found["control"], header.attributes.is_control() ? "true" : "false") << line;
  EXPECT_EQ(found["crc"], std::to_string(header.crc)) << line;
  EXPECT_EQ(found["crc_valid"], "true") << line;
  const bool horizon = header.attributes.has_delete_horizon();
  EXPECT_EQ(found[horizon ? "delete_horizon" : "base_timestamp"], number(header.base_timestamp))
      << line;
  EXPECT_EQ(found.contains("delete_horizon"), horizon) << line;
}

std::string hex(const std::optional<std::string>& bytes, const std::string& name) {
  if (!bytes) return name + "=null";
  std::string text = name + "_hex=\"";
  append_hex(text, as_bytes(*bytes));
  return text + "\"";
}

void expect_record(const std::string& line, const GoldenRecord& record) {
  auto found = fields(line);
  EXPECT_EQ(found["offset"], number(record.offset)) << line;
  EXPECT_EQ(found["timestamp"], number(record.timestamp)) << line;
  if (found.contains("control")) return;
  std::string expected = " " + hex(record.key, "key") + " " + hex(record.value, "value");
  if (!record.headers.empty()) {
    expected += " headers=[";
    for (const auto& [key, value] : record.headers) {
      if (!expected.ends_with('[')) expected += ", ";
      expected += hex(key, "key") + " " + hex(value, "value");
    }
    expected += "]";
  }
  EXPECT_TRUE(line.ends_with(expected)) << line << "\nshould end with\n" << expected;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST_P(KafkaLog, is_dumped_as_kafka_reads_it) {
  DumpOptions options;
  options.decode_internal_topics = false;
  for (const GoldenPartition& partition : manifest) {
    const std::string directory = std::string(DumpMachine::root) + "/" + partition.directory;
    for (const GoldenSegment& segment : partition.segments) {
      const std::string path =
          path_in(directory, segment_file_name(segment.base, SegmentFileKind::log));
      const auto lines = lines_of(machine.dump(path, DumpFormat::text, options, PayloadForm::hex));
      EXPECT_EQ(machine.last_totals.problems, 0u);
      std::size_t at = 0;
      ASSERT_TRUE(!lines.empty() && lines[at].starts_with("file ")) << path;
      for (const GoldenBatch& batch : segment.batches) {
        ASSERT_LT(++at, lines.size()) << path;
        expect_batch(lines[at], batch);
        for (const GoldenRecord& record : batch.records) {
          ASSERT_LT(++at, lines.size()) << path;
          expect_record(lines[at], record);
        }
      }
      EXPECT_EQ(at + 1, lines.size()) << path;
    }
  }
}

std::vector<std::string> dumped_entries(DumpMachine& machine, const std::string& path) {
  std::vector<std::string> lines;
  for (std::string& line : lines_of(machine.dump(path, DumpFormat::text))) {
    if (!line.starts_with("file ") && !line.starts_with("unused ")) lines.push_back(line);
  }
  EXPECT_EQ(machine.last_totals.problems, 0u) << path;
  return lines;
}

std::vector<std::string> expected_entries(const GoldenSegment& segment, SegmentFileKind kind) {
  std::vector<std::string> lines;
  if (kind == SegmentFileKind::offset_index) {
    for (const OffsetPosition& entry : segment.offset_entries) {
      lines.push_back("offset_entry offset=" + number(entry.offset) +
                      " position=" + std::to_string(entry.position));
    }
  } else if (kind == SegmentFileKind::time_index) {
    for (const TimestampOffset& entry : segment.time_entries) {
      lines.push_back("time_entry timestamp=" + number(entry.timestamp) +
                      " offset=" + number(entry.offset));
    }
  } else {
    for (const AbortedTransaction& entry : segment.aborted) {
      lines.push_back("aborted_transaction version=0 producer_id=" + number(entry.producer) +
                      " first_offset=" + number(entry.first_offset) +
                      " last_offset=" + number(entry.last_offset) +
                      " last_stable_offset=" + number(entry.last_stable_offset));
    }
  }
  return lines;
}

TEST_P(KafkaLog, has_the_index_entries_that_kafka_reads) {
  std::size_t aborted = 0;
  for (const GoldenPartition& partition : manifest) {
    const std::string directory = std::string(DumpMachine::root) + "/" + partition.directory;
    for (const GoldenSegment& segment : partition.segments) {
      for (const SegmentFileKind kind : {SegmentFileKind::offset_index, SegmentFileKind::time_index,
                                         SegmentFileKind::transaction_index}) {
        if (kind == SegmentFileKind::transaction_index && segment.aborted.empty()) continue;
        const std::string path = path_in(directory, segment_file_name(segment.base, kind));
        EXPECT_EQ(dumped_entries(machine, path), expected_entries(segment, kind)) << path;
      }
      aborted += segment.aborted.size();
    }
  }
  EXPECT_GT(aborted, 10u) << "the data has aborted transactions";
}

TEST_P(KafkaLog, has_the_producers_that_kafka_reads) {
  std::size_t producers = 0;
  for (const GoldenPartition& partition : manifest) {
    const std::string directory = std::string(DumpMachine::root) + "/" + partition.directory;
    for (const auto& [offset, entries] : partition.snapshots) {
      const auto loaded = machine.wait(load_producer_snapshot(machine.files, directory, offset));
      ASSERT_TRUE(loaded) << loaded.error().message;
      std::map<ProducerId, ProducerSnapshotEntry> by_id;
      for (const ProducerSnapshotEntry& entry : *loaded) by_id[entry.producer] = entry;
      ASSERT_EQ(by_id.size(), entries.size()) << directory;
      for (const ProducerSnapshotEntry& entry : entries) {
        EXPECT_EQ(by_id[entry.producer], entry) << directory << " " << entry.producer.value();
      }
      producers += entries.size();
    }
  }
  EXPECT_GT(producers, 20u) << "the data has producers";
}

TEST_P(KafkaLog, has_groups_and_transactions_that_can_be_decoded) {
  const std::string text = machine.dump(std::string(DumpMachine::root), DumpFormat::json_lines);
  std::size_t undecoded = 0;
  bool internal = false;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("{\"type\":\"file\"")) {
      internal = line.find("/__") != std::string::npos;
    } else if (internal && line.starts_with("{\"type\":\"record\"") &&
               line.find("\"control\"") == std::string::npos) {
      const bool decoded = line.find("\"decoded_key\":{") != std::string::npos &&
                           (line.find("\"decoded_value\":{") != std::string::npos ||
                            line.find("\"value\":null") != std::string::npos);
      if (!decoded) ++undecoded;
      EXPECT_TRUE(decoded) << line;
    }
  }
  EXPECT_EQ(undecoded, 0u);
  for (const std::string_view part :
       {R"("decoded_key":{"type":1,"name":"OffsetCommitKey","data":{"group":"group-of-a-tool",)"
        R"("topic":"codecs","partition":0}},"decoded_value":{"version":4,)"
        R"("name":"OffsetCommitValue","data":{"offset":7,"leaderEpoch":-1,"metadata":"by hand",)",
        R"("name":"GroupMetadataValue","data":{"protocolType":"consumer",)",
        R"("name":"ConsumerGroupMemberMetadataValue")",
        R"("name":"TransactionLogKey","data":{"transactionalId":"left-open"}})"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
  EXPECT_EQ(machine.last_totals.problems, 0u);
}

// By a parser that shares nothing with the writer: every file, whatever its records hold.
TEST_P(KafkaLog, is_dumped_as_json_that_others_read) {
  for (const PayloadForm payload : {PayloadForm::text, PayloadForm::base64, PayloadForm::hex}) {
    const std::string root(DumpMachine::root);
    const auto lines = lines_of(machine.dump(root, DumpFormat::json_lines, {}, payload));
    ASSERT_GT(lines.size(), 1'000u);
    std::string joined;
    for (const std::string& line : lines) {
      const auto item = table::parse_json(line);
      ASSERT_TRUE(item) << item.error() << " in " << line;
      const auto* members = std::get_if<table::JsonObject>(&item->held);
      ASSERT_TRUE(members != nullptr && !members->empty()) << line;
      EXPECT_EQ(members->front().name, "type") << line;
      joined += (joined.empty() ? "[" : ",") + line;
    }
    const auto document =
        table::parse_json(machine.dump(root, DumpFormat::json_document, {}, payload));
    ASSERT_TRUE(document) << document.error();
    const auto same = table::first_difference(table::parse_json(joined + "]").value(), *document);
    EXPECT_FALSE(same) << *same;
    // As many items as in text.
    EXPECT_EQ(lines_of(machine.dump(root, DumpFormat::text, {}, payload)).size(), lines.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Kafka, KafkaLog, testing::Values("clean", "killed"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace millrace::storage
