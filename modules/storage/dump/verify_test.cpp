// Also proves findings.cppm, index_check.cpp, partition_check.cpp, segment_check.cpp.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "test_support.hpp"

import millrace.storage.dump;

namespace millrace::storage {
namespace {

constexpr FindingSeverity note = FindingSeverity::note;
constexpr FindingSeverity wrong = FindingSeverity::wrong;
constexpr FindingSeverity loss = FindingSeverity::loss;

class Verify : public DirectoryTest {
 protected:
  void expect_only(FindingSeverity severity, FindingKind kind, const std::string& file,
                   std::uint64_t position = 0, const VerifyOptions& options = {}) {
    const Finding finding = only_finding(options);
    EXPECT_EQ(finding.severity, severity) << found.text();
    EXPECT_EQ(finding.kind, kind) << found.text();
    EXPECT_EQ(finding.file, file) << found.text();
    EXPECT_EQ(finding.position, position) << found.text();
    EXPECT_FALSE(finding.message.empty());
  }

  // The batches of a segment: where each begins.
  std::vector<std::size_t> positions(std::size_t segment) {
    std::vector<std::size_t> begins;
    const std::string bytes = contents(path_of(SegmentFileKind::log, segment));
    protocol::BatchSplitter splitter(as_bytes(bytes));
    std::size_t at = 0;
    for (protocol::BatchView batch; splitter.next(batch); at += batch.bytes().size()) {
      begins.push_back(at);
    }
    return begins;
  }
  // Changes a batch and makes its CRC that of the changed bytes.
  void edit_batch(std::size_t segment, std::size_t batch,
                  const std::function<void(protocol::BatchHeader&)>& change) {
    const std::size_t begin = positions(segment).at(batch);
    edit(path_of(SegmentFileKind::log, segment), [&](std::string& bytes) {
      auto header = *protocol::read_batch_header(as_bytes(bytes).subspan(begin));
      change(header);
      auto* to = reinterpret_cast<std::byte*>(bytes.data()) + begin;
      protocol::write_batch_header(to, header);
      header.crc = protocol::compute_batch_crc({to, header.size_bytes()});
      protocol::write_batch_header(to, header);
    });
  }
};

TEST_F(Verify, finds_nothing_in_what_we_write) {
  const VerifySummary summary = verify();
  EXPECT_EQ(found.text(), "");
  EXPECT_EQ(summary.partitions, 1u);
  EXPECT_EQ(summary.segments, 3u);
  EXPECT_GT(summary.batches, 15u);
  EXPECT_GT(summary.records, summary.batches);
  EXPECT_GT(summary.index_entries, 10u);
  EXPECT_FALSE(summary.worst());
}

TEST_F(Verify, a_flipped_bit_in_a_batch_is_a_loss) {
  const auto begins = positions(1);
  edit(path_of(SegmentFileKind::log, 1), [&](std::string& bytes) { bytes[begins[2] + 70] ^= 4; });
  expect_only(loss, FindingKind::crc_mismatch, path_of(SegmentFileKind::log, 1), begins[2]);
  VerifyOptions headers_only;
  headers_only.depth = VerifyDepth::headers;
  verify(headers_only);
  EXPECT_EQ(found.text(), "") << "headers alone do not show it";
}

TEST_F(Verify, a_batch_that_cannot_be_believed_makes_no_others_look_wrong) {
  const std::string path = path_of(SegmentFileKind::log, 0);
  const std::string good = contents(path);
  for (const std::size_t begin : positions(0)) {
    // A bit of the last offset, of the attributes, of the time, of the producer, of a record.
    for (const std::size_t field : {26u, 22u, 39u, 50u, 70u}) {
      edit(path, [&](std::string& bytes) { bytes[begin + field] ^= 4; });
      expect_only(loss, FindingKind::crc_mismatch, path, begin);
      write(path, good);
    }
  }
}

TEST_F(Verify, finds_every_bit_that_was_turned_over) {
  for (const std::size_t segment : {1u, 2u}) {
    const std::string path = path_of(SegmentFileKind::log, segment);
    const std::string good = contents(path);
    auto begins = positions(segment);
    begins.push_back(good.size());
    const std::size_t last = begins.size() - 2;
    for (const std::size_t batch : {std::size_t{0}, last / 2, last}) {
      for (std::size_t bit = begins[batch] * 8; bit < begins[batch + 1] * 8; ++bit) {
        std::string bytes = good;
        bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
        write(path, bytes);
        found.findings.clear();
        verify();
        ASSERT_FALSE(found.findings.empty())
            << path << ", batch at " << begins[batch] << ", byte " << bit / 8 - begins[batch];
      }
    }
    write(path, good);
  }
}

TEST_F(Verify, bytes_that_are_no_batch_are_a_loss) {
  const auto begins = positions(1);
  edit(path_of(SegmentFileKind::log, 1), [&](std::string& bytes) { bytes[begins[2] + 16] = 0; });
  expect_only(loss, FindingKind::no_batch, path_of(SegmentFileKind::log, 1), begins[2]);
}

TEST_F(Verify, a_closed_segment_that_is_cut_off_is_a_loss) {
  const auto begins = positions(1);
  edit(path_of(SegmentFileKind::log, 1),
       [&](std::string& bytes) { bytes.resize(bytes.size() - 1); });
  make_unclean(Offset(0));
  expect_only(loss, FindingKind::no_batch, path_of(SegmentFileKind::log, 1), begins.back());
}

TEST_F(Verify, a_torn_tail_is_what_a_crash_leaves) {
  const std::string path = path_of(SegmentFileKind::log, 2);
  const std::size_t size = contents(path).size();
  edit(path, [](std::string& bytes) { bytes += bytes.substr(0, 40); });
  expect_only(loss, FindingKind::no_batch, path, size);
  make_unclean(bases[2]);
  expect_only(note, FindingKind::torn_tail, path, size);
}

TEST_F(Verify, offsets_that_go_back_are_found) {
  const auto begins = positions(1);
  edit_batch(1, 0, [](protocol::BatchHeader& header) { header.base_offset = Offset(0); });
  verify();
  ASSERT_FALSE(found.findings.empty());
  EXPECT_EQ(found.findings[0].kind, FindingKind::offset_out_of_range) << found.text();
  EXPECT_EQ(found.findings[0].position, begins[0]);
}

TEST_F(Verify, a_segment_that_reaches_into_the_next_one_is_found) {
  edit_batch(1, positions(1).size() - 1,
             [&](protocol::BatchHeader& header) { header.base_offset = bases[2].plus(3); });
  verify();
  ASSERT_FALSE(found.findings.empty());
  EXPECT_EQ(found.findings[0].kind, FindingKind::offset_out_of_range) << found.text();
}

TEST_F(Verify, records_unlike_their_header_are_a_loss) {
  edit_batch(0, 0, [](protocol::BatchHeader& header) { header.record_count = 1; });
  expect_only(loss, FindingKind::bad_records, path_of(SegmentFileKind::log, 0), 0);
}

TEST_F(Verify, a_max_timestamp_unlike_the_records_is_found) {
  const auto last = positions(2).size() - 1;
  edit_batch(2, last, [](protocol::BatchHeader& header) {
    header.max_timestamp = header.max_timestamp.plus(-1);
  });
  verify();
  ASSERT_FALSE(found.findings.empty());
  EXPECT_EQ(found.findings[0].kind, FindingKind::max_timestamp_wrong) << found.text();
}

TEST_F(Verify, entries_of_the_offset_index_lead_to_their_batches) {
  const std::string path = path_of(SegmentFileKind::offset_index, 0);
  ASSERT_GT(contents(path).size(), 16u);
  edit(path, [](std::string& bytes) { ++bytes[8 + 7]; });
  expect_only(wrong, FindingKind::index_entry_wrong, path, 8);
}

TEST_F(Verify, entries_of_the_offset_index_have_the_last_offset_of_their_batch) {
  const std::string path = path_of(SegmentFileKind::offset_index, 0);
  edit(path, [](std::string& bytes) { --bytes[8 + 3]; });
  expect_only(wrong, FindingKind::index_entry_wrong, path, 8);
}

TEST_F(Verify, entries_of_an_index_ascend) {
  const std::string path = path_of(SegmentFileKind::offset_index, 0);
  edit(path, [](std::string& bytes) { bytes += bytes.substr(0, 8); });
  expect_only(wrong, FindingKind::index_order, path, contents(path).size() - 8);
  edit(path, [](std::string& bytes) { bytes.resize(bytes.size() - 8); });
  const std::string times = path_of(SegmentFileKind::time_index, 0);
  edit(times, [](std::string& bytes) { bytes += bytes.substr(0, 12); });
  expect_only(wrong, FindingKind::index_order, times, contents(times).size() - 12);
}

TEST_F(Verify, an_index_that_is_longer_than_the_log_is_found) {
  const std::string path = path_of(SegmentFileKind::offset_index, 0);
  edit(path, [](std::string& bytes) { bytes += std::string("\0\1\0\0\0\1\0\0", 8); });
  expect_only(wrong, FindingKind::index_entry_wrong, path, contents(path).size() - 8);
}

TEST_F(Verify, a_part_of_an_entry_is_found) {
  const std::string path = path_of(SegmentFileKind::time_index, 0);
  const std::size_t size = contents(path).size();
  edit(path, [](std::string& bytes) { bytes += "x"; });
  expect_only(wrong, FindingKind::index_cut_off, path, size);
}

TEST_F(Verify, zeros_in_an_index_are_only_what_a_crash_leaves) {
  const std::string path = path_of(SegmentFileKind::offset_index, 2);
  const std::size_t size = contents(path).size();
  edit(path, [](std::string& bytes) { bytes.append(80'000, '\0'); });
  expect_only(wrong, FindingKind::index_padding, path, size);
  make_unclean(bases[2]);
  verify();
  EXPECT_EQ(found.text(), "");
  edit(path, [](std::string& bytes) { bytes.back() = 1; });
  verify();
  EXPECT_EQ(found.findings.size(), 1u) << found.text();
}

TEST_F(Verify, timestamps_of_an_index_are_those_of_the_log) {
  const std::string path = path_of(SegmentFileKind::time_index, 0);
  edit(path, [](std::string& bytes) { --bytes[7]; });
  expect_only(wrong, FindingKind::index_entry_wrong, path, 0);
}

TEST_F(Verify, a_time_index_that_lacks_the_latest_timestamp_is_found) {
  const std::string path = path_of(SegmentFileKind::time_index, 0);
  edit(path, [](std::string& bytes) { bytes.resize(bytes.size() - 12); });
  expect_only(wrong, FindingKind::index_incomplete, path);
}

TEST_F(Verify, a_missing_index_is_found) {
  remove(path_of(SegmentFileKind::offset_index, 0));
  expect_only(wrong, FindingKind::index_missing, path_of(SegmentFileKind::offset_index, 0));
}

TEST_F(Verify, a_partition_that_never_had_a_record_lacks_nothing) {
  machine.run([](FileSystem& files) -> Task<void> {
    EXPECT_TRUE(co_await files.make_directory(in_root("unused-0")));
  }(machine.process->files));
  write(in_root("unused-0/" + segment_file_name(Offset(0), SegmentFileKind::log)), "");
  EXPECT_EQ(verify().partitions, 2u);
  EXPECT_EQ(found.text(), "");
}

TEST_F(Verify, aborted_transactions_without_entry_are_found) {
  const std::string path = path_of(SegmentFileKind::transaction_index, 1);
  const std::string bytes = contents(path);
  ASSERT_EQ(bytes.size(), 3 * 34u);
  write(path, bytes.substr(0, 2 * 34u));
  expect_only(wrong, FindingKind::aborted_missing, path);
  write(path, "");
  verify();
  EXPECT_EQ(found.findings.size(), 3u) << "one for each transaction\n" << found.text();
  const std::string empty = found.text();
  remove(path);
  verify();
  EXPECT_EQ(found.text(), empty) << "a file that is not there has no entries";
}

TEST_F(Verify, an_entry_without_aborted_transaction_is_found) {
  const std::string path = path_of(SegmentFileKind::transaction_index, 1);
  edit(path, [](std::string& bytes) { ++bytes[9]; });
  verify();
  ASSERT_EQ(found.findings.size(), 2u) << found.text();
  EXPECT_EQ(found.findings[0].kind, FindingKind::aborted_wrong);
  EXPECT_EQ(found.findings[1].kind, FindingKind::aborted_missing);
}

TEST_F(Verify, leader_epochs_agree_with_the_batches) {
  const std::string path = in_partition(leader_epoch_checkpoint_name);
  // The first batch of the second segment is the last one of epoch 0.
  const auto with_start = [](Offset start) {
    return "0\n2\n0 0\n2 " + std::to_string(start.value()) + "\n";
  };
  ASSERT_EQ(contents(path), with_start(bases[1].plus(2)));
  write(path, with_start(bases[1].plus(4)));
  verify();
  ASSERT_FALSE(found.findings.empty());
  EXPECT_EQ(found.findings[0].kind, FindingKind::epoch_wrong) << found.text();
  EXPECT_EQ(found.findings[0].file, path_of(SegmentFileKind::log, 1));
  write(path, "nonsense\n");
  expect_only(wrong, FindingKind::file_corrupt, path);
  remove(path);
  expect_only(wrong, FindingKind::epoch_wrong, path_of(SegmentFileKind::log, 0));
}

TEST_F(Verify, snapshots_are_checked_and_compared_with_the_log) {
  const std::string path =
      in_partition(segment_file_name(bases[2], SegmentFileKind::producer_snapshot));
  const std::string good = contents(path);
  edit(path, [](std::string& bytes) { bytes.back() ^= 1; });
  expect_only(wrong, FindingKind::snapshot_corrupt, path);
  // The state at the end of the first segment, under the name of the second one's.
  write(path,
        contents(in_partition(segment_file_name(bases[1], SegmentFileKind::producer_snapshot))));
  verify();
  ASSERT_FALSE(found.findings.empty());
  EXPECT_EQ(found.findings[0].kind, FindingKind::snapshot_wrong) << found.text();
  EXPECT_EQ(found.findings[0].file, path);
  make_unclean(Offset(0));
  verify();
  ASSERT_FALSE(found.findings.empty());
  EXPECT_EQ(found.findings[0].severity, note);
}

TEST_F(Verify, a_snapshot_beyond_the_end_is_found) {
  const std::string path =
      in_partition(segment_file_name(Offset(9'000), SegmentFileKind::producer_snapshot));
  write(path, as_text(format_producer_snapshot({})));
  expect_only(wrong, FindingKind::snapshot_wrong, path);
}

TEST_F(Verify, checkpoints_stay_within_the_log) {
  const std::string path = in_root(replication_checkpoint_name);
  std::vector<PartitionOffset> entries{{{"orders", PartitionIndex(0)}, Offset(9'000)}};
  write(path, format_offset_checkpoint(entries));
  expect_only(wrong, FindingKind::checkpoint_wrong, path);
  entries = {{{"gone", PartitionIndex(3)}, Offset(0)}};
  write(path, format_offset_checkpoint(entries));
  expect_only(note, FindingKind::checkpoint_wrong, path);
  write(path, "nonsense");
  expect_only(wrong, FindingKind::file_corrupt, path);
}

TEST_F(Verify, other_small_files_are_parsed) {
  write(in_partition(partition_metadata_name), "version: 9\n");
  expect_only(wrong, FindingKind::file_corrupt, in_partition(partition_metadata_name));
  remove(in_partition(partition_metadata_name));
  remove(in_root(meta_properties_name));
  expect_only(wrong, FindingKind::file_corrupt, in_root(meta_properties_name));
}

TEST_F(Verify, files_that_belong_to_nothing_are_noted) {
  write(in_partition("00000000000000000000.log.cleaned"), "x");
  expect_only(note, FindingKind::leftover, in_partition("00000000000000000000.log.cleaned"));
  remove(in_partition("00000000000000000000.log.cleaned"));
  write(in_partition("notes.txt"), "x");
  expect_only(note, FindingKind::unknown_file, in_partition("notes.txt"));
  remove(in_partition("notes.txt"));
  write(in_partition("00000000000000009000.index"), "");
  expect_only(wrong, FindingKind::no_log_file, in_partition("00000000000000009000.log"));
}

TEST_F(Verify, what_is_called_as_a_segment_and_is_no_file_is_wrong) {
  make_directory(in_partition("00000000000000009000.log"));
  expect_only(wrong, FindingKind::unknown_file, in_partition("00000000000000009000.log"));
}

TEST_F(Verify, reports_so_many_of_a_file_and_counts_the_rest) {
  const std::string path = path_of(SegmentFileKind::offset_index, 0);
  edit(path, [](std::string& bytes) {
    for (int i = 0; i < 50; ++i) bytes += std::string("\0\0\0\1\0\0\0\1", 8);
  });
  VerifyOptions options;
  options.findings_per_file_max = 10;
  const VerifySummary summary = verify(options);
  ASSERT_EQ(found.findings.size(), 11u) << found.text();
  EXPECT_EQ(found.findings.back().kind, FindingKind::more);
  EXPECT_EQ(found.findings.back().severity, wrong);
  EXPECT_EQ(summary.count(wrong), 50u);
  EXPECT_EQ(summary.worst(), wrong);
}

TEST_F(Verify, goes_on_to_the_end_behind_damage) {
  edit(path_of(SegmentFileKind::log, 0), [](std::string& bytes) { bytes[16] = 0; });
  edit(path_of(SegmentFileKind::log, 1), [](std::string& bytes) { bytes[70] ^= 1; });
  edit(path_of(SegmentFileKind::offset_index, 2), [](std::string& bytes) { bytes += "x"; });
  const VerifySummary summary = verify();
  EXPECT_EQ(found.findings.size(), 3u) << found.text();
  EXPECT_EQ(summary.segments, 3u);
  EXPECT_EQ(summary.count(loss), 2u);
  EXPECT_EQ(summary.worst(), loss);
}

TEST_F(Verify, ends_when_the_observer_says_so) {
  found.stop_after = 1;
  const VerifySummary summary = verify();
  EXPECT_TRUE(summary.stopped);
  EXPECT_EQ(summary.segments, 1u);
}

TEST_F(Verify, a_device_that_fails_is_an_error) {
  machine.disk.faults().plan({.kind = IoKind::read});
  DumpContext context = dump_context();
  const VerifyOptions options;
  const auto failed =
      machine.wait(verify_log_directory(context, std::string(test_root), options, found));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().fault, StorageFault::offline);
  EXPECT_EQ(machine.process->files.open_files(), 0u);
}

TEST_F(Verify, refuses_a_directory_that_is_no_log_directory) {
  DumpContext context = dump_context();
  const VerifyOptions options;
  const auto refusal = [&](std::string directory) {
    const auto checked =
        machine.wait(verify_log_directory(context, std::move(directory), options, found));
    EXPECT_FALSE(checked);
    return checked ? StorageError{} : checked.error();
  };
  EXPECT_EQ(refusal(std::string(test_directory)).message,
            "/data/orders-0 is the directory of a partition; the log directory is the one that it "
            "lies in");
  machine.run([](FileSystem& files) -> Task<void> {
    EXPECT_TRUE(co_await files.make_directory("/empty"));
    EXPECT_TRUE(co_await files.make_directory("/empty/photos"));
  }(machine.process->files));
  EXPECT_EQ(refusal("/empty").message,
            "/empty is no log directory: it has neither meta.properties nor directories of "
            "partitions");
  EXPECT_EQ(refusal("/empty").fault, StorageFault::invalid);
  EXPECT_EQ(refusal("/nowhere").fault, StorageFault::not_found);
  EXPECT_EQ(refusal(in_root(meta_properties_name)).message,
            "/data/meta.properties is no directory");
  EXPECT_EQ(found.text(), "") << "nothing of it is called damaged";
}

TEST_F(Verify, a_log_directory_without_partitions_is_empty_and_good) {
  machine.run([](FileSystem& files) -> Task<void> {
    EXPECT_TRUE(co_await files.make_directory("/fresh"));
  }(machine.process->files));
  write("/fresh/" + std::string(meta_properties_name), contents(in_root(meta_properties_name)));
  DumpContext context = dump_context();
  const VerifyOptions options;
  const auto checked = machine.wait(verify_log_directory(context, "/fresh", options, found));
  ASSERT_TRUE(checked) << checked.error().message;
  EXPECT_EQ(checked->partitions, 0u);
  EXPECT_EQ(found.text(), "");
}

TEST_F(Verify, prints_what_it_found) {
  ItemPrinter printer(sink, DumpFormat::json_lines);
  print(printer, Finding{loss, FindingKind::crc_mismatch, "/a.log", 5, "a \"batch\""});
  VerifySummary summary;
  summary.findings[2] = 1;
  print(printer, summary);
  EXPECT_TRUE(printer.finish());
  EXPECT_EQ(sink.text,
            R"({"type":"finding","severity":"loss","kind":"crc_mismatch","file":"/a.log",)"
            R"("position":5,"message":"a \"batch\""})"
            "\n"
            R"({"type":"summary","partitions":0,"segments":0,"batches":0,"records":0,)"
            R"("log_bytes":0,"index_entries":0,"notes":0,"wrong":0,"losses":1,"stopped":false})"
            "\n");
}

}  // namespace
}  // namespace millrace::storage
