// A log directory of ours for tests, to be dumped, damaged and checked.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../log/log_machine.hpp"
#include "test_sinks.hpp"

import millrace.storage.dump;

namespace millrace::storage {

// Three segments of partition orders-0 with two leader epochs, an idempotent producer, and one with
// transactions: committed in the first segment, aborted in the second.
class DirectoryTest : public testing::Test {
 protected:
  DirectoryTest() {
    machine.config.segment_bytes = 1'000;
    machine.config.index_interval_bytes = 100;
    fill();
  }

  static constexpr std::string_view base = "00000000000000000000";

  // The path of a file of the partition: of the segment with this number, from 0 on.
  std::string path_of(SegmentFileKind kind, std::size_t segment) const {
    return path_in(test_directory, segment_file_name(bases.at(segment), kind));
  }
  static std::string in_partition(std::string_view name) { return path_in(test_directory, name); }
  static std::string in_root(std::string_view name) { return path_in(test_root, name); }

  [[nodiscard]] std::string contents(const std::string& path) {
    return machine.disk.contents(path).value();
  }
  void write(const std::string& path, std::string_view bytes) {
    machine.run(write_file(path, bytes));
  }
  void remove(const std::string& path) {
    machine.run([](FileSystem& files, std::string gone) -> Task<void> {
      EXPECT_TRUE(co_await files.remove(gone));
    }(machine.process->files, path));
  }
  void make_directory(const std::string& path) {
    machine.run([](FileSystem& files, std::string made) -> Task<void> {
      EXPECT_TRUE(co_await files.make_directory(made));
    }(machine.process->files, path));
  }
  // Changes a file by a function of its bytes.
  void edit(const std::string& path, const std::function<void(std::string&)>& change) {
    std::string bytes = contents(path);
    change(bytes);
    write(path, bytes);
  }
  // The last stop was no orderly one: recovery begins at this offset.
  void make_unclean(Offset recovery_point) {
    remove(in_root(clean_shutdown_name));
    const std::vector<PartitionOffset> entries{{{"orders", PartitionIndex(0)}, recovery_point}};
    write(in_root(recovery_point_checkpoint_name), format_offset_checkpoint(entries));
  }

  VerifySummary verify(const VerifyOptions& options = {}) {
    found.findings.clear();
    DumpContext context = dump_context();
    auto summary =
        machine.wait(verify_log_directory(context, std::string(test_root), options, found));
    EXPECT_TRUE(summary) << summary.error().message;
    EXPECT_EQ(machine.process->files.open_files(), 0u) << "all files are closed";
    return summary ? *summary : VerifySummary{};
  }
  // The one finding of a check; none or several fail the test.
  Finding only_finding(const VerifyOptions& options = {}) {
    verify(options);
    EXPECT_EQ(found.findings.size(), 1u) << found.text();
    return found.findings.size() == 1 ? found.findings.front() : Finding{};
  }

  std::string dump(std::string path, DumpFormat format = DumpFormat::text,
                   const DumpOptions& options = {}) {
    const auto done = try_dump(std::move(path), format, options);
    EXPECT_TRUE(done) << done.error().message;
    if (done) totals = *done;
    return std::exchange(sink.text, {});
  }
  // One that may be refused.
  StorageResult<DumpTotals> try_dump(std::string path, DumpFormat format = DumpFormat::text,
                                     const DumpOptions& options = {}) {
    ItemPrinter printer(sink, format);
    DumpContext context = dump_context();
    Dumper dumper(context, options, printer);
    auto done = machine.wait(dumper.dump(std::move(path)));
    EXPECT_EQ(printer.finish(), sink.refused_piece == 0);
    EXPECT_EQ(machine.process->files.open_files(), 0u) << "all files are closed";
    return done;
  }

  [[nodiscard]] DumpContext dump_context() {
    return {machine.executor, machine.process->files, machine.process->buffers,
            machine.process->decompressor};
  }

  LogMachine machine{1};
  std::vector<Offset> bases;
  FindingList found;
  TextSink sink;
  DumpTotals totals;

 private:
  void fill() {
    ASSERT_TRUE(machine.open());
    constexpr ProducerId idempotent(10);
    constexpr ProducerId transactional(11);
    int sequence = 0;
    int transaction_sequence = 0;
    for (int i = 0; machine.log->segments().size() < 3; ++i) {
      const LeaderEpoch epoch(machine.log->segments().size() == 1 ? 0 : 2);
      const Timestamp now(1'000'000 + 1'000 * i - (i % 4 == 3 ? 1'500 : 0));
      ASSERT_TRUE(machine.append({.values = {"one", "two"},
                                  .timestamp = now,
                                  .producer = idempotent,
                                  .epoch = ProducerEpoch(0),
                                  .sequence = Sequence(sequence)},
                                 epoch));
      sequence += 2;
      if (i % 3 != 1) continue;
      ASSERT_TRUE(machine.append({.values = {"in a transaction"},
                                  .timestamp = now,
                                  .producer = transactional,
                                  .epoch = ProducerEpoch(0),
                                  .sequence = Sequence(transaction_sequence++),
                                  .transactional = true},
                                 epoch));
      const bool aborts = machine.log->segments().size() > 1;
      ASSERT_TRUE(machine.append({.values = {},
                                  .timestamp = now,
                                  .producer = transactional,
                                  .epoch = ProducerEpoch(0),
                                  .marker = aborts ? protocol::ControlRecordType::abort
                                                   : protocol::ControlRecordType::commit},
                                 epoch, AppendOrigin::coordinator));
    }
    ASSERT_TRUE(machine.append({{"last"}, Timestamp(2'000'000)}, LeaderEpoch(2)));
    for (const auto& segment : machine.log->segments()) bases.push_back(segment->base());
    ASSERT_TRUE(machine.close());
    machine.restart();
    MetaProperties properties;
    properties.cluster_id = "test";
    properties.node_id = BrokerId(1);
    write(in_root(meta_properties_name), format_meta_properties(properties, Timestamp(0)));
    write(in_root(clean_shutdown_name), format_clean_shutdown(BrokerEpoch(7)));
  }
  Task<void> write_file(std::string path, std::string_view bytes) {
    FileSystem& files = machine.process->files;
    const auto file = co_await files.open(path, OpenMode::create_truncated);
    EXPECT_TRUE(file) << describe(file.error(), path);
    if (!file) co_return;
    const ByteView pieces[] = {as_bytes(bytes)};
    if (!bytes.empty()) EXPECT_TRUE(co_await files.write(*file, 0, std::span(pieces)));
    EXPECT_TRUE(co_await files.close(*file));
  }
};

}  // namespace millrace::storage
