#include "test_batches.hpp"

namespace millrace::storage {
namespace {

constexpr SegmentFileKind index_kinds[] = {
    SegmentFileKind::offset_index, SegmentFileKind::time_index, SegmentFileKind::transaction_index};

// Segments of five values each; the first three are durable and become one of the even values.
class Compaction {
 public:
  explicit Compaction(std::uint64_t seed, SimulatedFileOptions options = {})
      : machine(seed, options) {
    machine.config.segment_bytes = 500;
    machine.config.compacts = true;
    machine.config.deletes = false;
    EXPECT_TRUE(machine.open());
    for (int i = 0; i < 22; ++i) {
      const TestBatch batch{{"value " + std::to_string(1'000 + i) + std::string(22, '.')},
                            Timestamp(1'000 + i)};
      EXPECT_EQ(encode(batch).size(), 100u);
      EXPECT_TRUE(machine.append(batch));
    }
    machine.executor.advance(std::chrono::minutes(1));
    EXPECT_EQ(machine.log->recovery_point(), Offset(20));
    EXPECT_TRUE(machine.wait(machine.process->keeper.save_recovery_point(*machine.log)));
    before = machine.records();
    for (const TestRecord& record : before) {
      if (record.offset >= Offset(15) || record.offset.value() % 2 == 0) after.push_back(record);
    }
  }

  // The files that a cleaner leaves.
  void clean() {
    const std::string log = machine.contents(LogMachine::path(0, SegmentFileKind::log)) +
                            machine.contents(LogMachine::path(5, SegmentFileKind::log)) +
                            machine.contents(LogMachine::path(10, SegmentFileKind::log));
    std::string kept;
    for (std::size_t i = 0; i < 15; i += 2) kept += log.substr(i * 100, 100);
    machine.write_file(LogMachine::path(0, SegmentFileKind::log, FileStage::cleaned), kept);
    for (const SegmentFileKind kind : index_kinds) {
      machine.write_file(LogMachine::path(0, kind, FileStage::cleaned), "");
    }
    machine.disk.sync_all();
  }
  [[nodiscard]] Task<StorageResult<void>> replace() {
    const auto segments = machine.log->segments();
    return machine.log->replace_segments({segments.begin(), segments.begin() + 3},
                                         machine.log->version());
  }
  void expect_old_or_new() {
    const auto now = machine.records();
    EXPECT_TRUE(now == before || now == after) << now.size() << " records";
  }

  LogMachine machine;
  std::vector<TestRecord> before;
  std::vector<TestRecord> after;
};

TEST(Replacement, the_new_segment_takes_the_place_of_the_old_ones) {
  Compaction test(1);
  LogMachine& machine = test.machine;
  test.clean();
  const std::uint64_t version = machine.log->version();
  ASSERT_TRUE(machine.wait(test.replace()));
  EXPECT_GT(machine.log->version(), version);
  EXPECT_EQ(machine.log->segments().size(), 3u);
  EXPECT_EQ(machine.log->end(), Offset(22));
  EXPECT_EQ(machine.records(), test.after);
  for (const TestRecord& record : test.after) {
    const auto found =
        machine.wait(machine.log->find_timestamp(record.timestamp, machine.log->end()));
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->offset, record.offset);
  }
  machine.executor.advance(std::chrono::minutes(2));
  EXPECT_FALSE(machine.has_file(LogMachine::path(5, SegmentFileKind::log, FileStage::deleted)));
  machine.reopen();
  EXPECT_EQ(machine.records(), test.after);
  machine.kill(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.records(), test.after);
  // Also where everything is looked at again.
  machine.kill(2);
  machine.write_file("/data/recovery-point-offset-checkpoint", "0\n0\n");
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.records(), test.after);
  ASSERT_TRUE(machine.close());
}

TEST(Replacement, snapshots_of_producers_within_it_go_with_the_old_segments) {
  Compaction test(12);
  LogMachine& machine = test.machine;
  const auto has_snapshot = [&](std::int64_t offset) {
    return machine.has_file(LogMachine::path(offset, SegmentFileKind::producer_snapshot));
  };
  for (const std::int64_t offset : {5, 10, 15, 20}) EXPECT_TRUE(has_snapshot(offset)) << offset;
  test.clean();
  ASSERT_TRUE(machine.wait(test.replace()));
  for (const std::int64_t offset : {5, 10}) EXPECT_FALSE(has_snapshot(offset)) << offset;
  for (const std::int64_t offset : {15, 20}) EXPECT_TRUE(has_snapshot(offset)) << offset;
  // The producers are found again from what is left.
  machine.kill(1);
  machine.write_file("/data/recovery-point-offset-checkpoint", "0\n0\n");
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(machine.records(), test.after);
}

// After a start a segment that ends at the recovery point is settled once more, into its own files.
TEST(Replacement, what_is_still_being_settled_comes_first) {
  Compaction test(9);
  LogMachine& machine = test.machine;
  machine.kill(1);
  machine.write_file("/data/recovery-point-offset-checkpoint", "0\n1\norders 0 15\n");
  machine.disk.faults().plan({.kind = IoKind::write,
                              .fault = IoFault::no_space,
                              .path_part = "10.timeindex",
                              .times = PlannedFault::always});
  ASSERT_TRUE(machine.open());
  test.clean();
  const auto refused = machine.wait(test.replace());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fault, StorageFault::no_space);
  machine.disk.faults().clear();
  ASSERT_TRUE(machine.wait(test.replace()));
  machine.reopen();
  EXPECT_EQ(machine.records(), test.after);
  ASSERT_TRUE(machine.close());
}

TEST(Replacement, what_is_not_there_or_not_durable_is_refused) {
  Compaction test(2);
  LogMachine& machine = test.machine;
  const auto fault = [&](std::vector<std::shared_ptr<Segment>> segments) {
    const auto done =
        machine.wait(machine.log->replace_segments(std::move(segments), machine.log->version()));
    EXPECT_FALSE(done);
    return done ? StorageFault::offline : done.error().fault;
  };
  const std::vector<std::shared_ptr<Segment>> all(machine.log->segments().begin(),
                                                  machine.log->segments().end());
  EXPECT_EQ(fault({}), StorageFault::invalid);
  EXPECT_EQ(fault({all[1], all[0]}), StorageFault::invalid);
  EXPECT_EQ(fault({all[0], all[2]}), StorageFault::invalid);
  EXPECT_EQ(fault({all.back()}), StorageFault::invalid) << "it is written to";
  machine.log->set_high_watermark(Offset(20));
  ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(7))));
  EXPECT_EQ(fault({all[0], all[1]}), StorageFault::invalid) << "one was removed";
  EXPECT_FALSE(machine.log->offline());
  EXPECT_EQ(machine.records().size(), 15u);
  ASSERT_TRUE(machine.close());
}

// The locks of a log are waited for: what had them before may have cut and appended.
TEST(Replacement, of_a_log_that_was_cut_meanwhile_is_refused) {
  Compaction test(10);
  LogMachine& machine = test.machine;
  test.clean();
  const std::vector<std::shared_ptr<Segment>> segments(machine.log->segments().begin(),
                                                       machine.log->segments().end());
  const std::uint64_t version = machine.log->version();
  ASSERT_TRUE(machine.wait(machine.log->truncate(Offset(12))));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine.append({{std::string(31, 'n')}}));
  machine.executor.advance(std::chrono::minutes(1));
  const std::vector<TestRecord> now = machine.records();
  ASSERT_EQ(machine.log->segments()[2], segments[2]);
  ASSERT_GE(machine.log->recovery_point(), Offset(15));
  const auto done =
      machine.wait(machine.log->replace_segments({segments[0], segments[1], segments[2]}, version));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, StorageFault::invalid);
  EXPECT_EQ(machine.records(), now);
  ASSERT_TRUE(machine.close());
}

// A start would put the new segment into its place, whatever was appended before.
TEST(Replacement, one_whose_new_name_is_not_durable_takes_the_log_offline) {
  Compaction test(11);
  LogMachine& machine = test.machine;
  test.clean();
  machine.disk.faults().plan(
      {.kind = IoKind::sync_directory, .fault = IoFault::too_many_open, .after = 1});
  EXPECT_FALSE(machine.wait(test.replace()));
  EXPECT_TRUE(machine.log->offline());
  machine.end_of_process();
  ASSERT_TRUE(machine.open());
  test.expect_old_or_new();
  ASSERT_TRUE(machine.close());
}

TEST(Replacement, indexes_that_an_earlier_attempt_left_are_not_taken) {
  Compaction test(12);
  LogMachine& machine = test.machine;
  test.clean();
  const SegmentFileKind kind = SegmentFileKind::transaction_index;
  if (machine.has_file(LogMachine::path(0, kind, FileStage::cleaned))) {
    machine.remove_file(LogMachine::path(0, kind, FileStage::cleaned));
  }
  machine.write_file(LogMachine::path(0, kind, FileStage::swap), "of another");
  ASSERT_TRUE(machine.wait(test.replace()));
  EXPECT_FALSE(machine.has_file(LogMachine::path(0, kind)));
  EXPECT_FALSE(machine.has_file(LogMachine::path(0, kind, FileStage::swap)));
  EXPECT_EQ(machine.records(), test.after);
  ASSERT_TRUE(machine.close());
}

// A failure at any operation: before the point of no return the log is as it was; behind it the
// directory goes offline, and a start finishes it.
TEST(Replacement, a_failure_at_any_step_leaves_the_old_or_the_new_records) {
  std::size_t failed = 0;
  for (const IoFault fault : {IoFault::failed, IoFault::no_space}) {
    for (const IoKind kind : {IoKind::rename, IoKind::sync_directory, IoKind::status}) {
      for (std::uint64_t after = 0; after < 24; ++after) {
        Compaction test(3);
        LogMachine& machine = test.machine;
        test.clean();
        const std::uint64_t injected = machine.disk.faults().injected();
        machine.disk.faults().plan({.kind = kind, .fault = fault, .after = after});
        const auto done = machine.wait(test.replace());
        const bool met = machine.disk.faults().injected() > injected;
        machine.disk.faults().clear();
        // For a name on a full disk there is another way.
        if (!met) EXPECT_TRUE(done) << after;
        if (met && fault == IoFault::failed) EXPECT_FALSE(done) << after;
        failed += done ? 0 : 1;
        if (!machine.log->offline()) {
          test.expect_old_or_new();
          ASSERT_TRUE(machine.append({{"more"}}));
          test.before.push_back(machine.records().back());
          test.after.push_back(test.before.back());
        }
        machine.end_of_process();
        ASSERT_TRUE(machine.open());
        test.expect_old_or_new();
        if (done) EXPECT_EQ(machine.records(), test.after);
        ASSERT_TRUE(machine.close());
      }
    }
  }
  EXPECT_GT(failed, 20u);
}

TEST(Replacement, readers_beside_it_see_all_that_stays) {
  const auto read_through = [](Compaction& test, std::uint64_t seed, bool& going) -> Task<bool> {
    Random random(seed);
    LogMachine& machine = test.machine;
    while (going) {
      Offset from(0);
      std::vector<std::int64_t> offsets;
      while (from < Offset(22)) {
        const auto slice =
            co_await machine.log->read({from, Offset(22), 90 + random.below(400), true});
        EXPECT_TRUE(slice) << slice.error().storage.message;
        if (!slice || slice->empty()) break;
        const auto bytes = co_await machine.log->load_verified(*slice);
        // It may have been replaced since it was found; then it is asked for again.
        if (!bytes) {
          EXPECT_EQ(bytes.error().fault, ReadFault::out_of_range);
          continue;
        }
        protocol::BatchSplitter splitter(bytes->bytes());
        for (protocol::BatchView batch; splitter.next(batch);) {
          offsets.push_back(batch.header().base_offset.value());
          from = batch.header().last_offset().next();
        }
      }
      for (const TestRecord& record : test.after) {
        EXPECT_TRUE(std::binary_search(offsets.begin(), offsets.end(), record.offset.value()))
            << seed << " lacks " << record.offset.value();
      }
      const auto found = co_await machine.log->find_timestamp(Timestamp(1'004), Offset(22));
      EXPECT_TRUE(found && *found) << seed;
      if (found && *found) EXPECT_EQ((*found)->offset, Offset(4));
      co_await sleep_until(machine.executor, machine.executor.clock().now() +
                                                 std::chrono::milliseconds(random.below(20)));
    }
    co_return true;
  };
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Compaction test(seed, slowly);
    test.clean();
    bool going = true;
    for (std::uint64_t i = 0; i < 4; ++i) {
      static_cast<void>(test.machine.start(read_through(test, seed * 4 + i, going)));
    }
    test.machine.executor.advance(std::chrono::milliseconds(seed));
    ASSERT_TRUE(test.machine.wait(test.replace()));
    test.machine.executor.advance(std::chrono::milliseconds(200));
    going = false;
    test.machine.finish_started();
    EXPECT_EQ(test.machine.records(), test.after);
    ASSERT_TRUE(test.machine.close());
  }
}

// What a cleaner had made or was making when the process ended.
TEST(Replacement, a_start_finishes_what_is_complete_and_drops_what_is_not) {
  for (const bool complete : {true, false}) {
    for (const bool clean : {true, false}) {
      Compaction test(5);
      LogMachine& machine = test.machine;
      test.clean();
      const auto cleaned = LogMachine::path(0, SegmentFileKind::log, FileStage::cleaned);
      const std::string log = machine.contents(cleaned);
      ASSERT_TRUE(machine.close());
      machine.restart();
      machine.remove_file(cleaned);
      if (complete) {
        machine.write_file(LogMachine::path(0, SegmentFileKind::log, FileStage::swap), log);
      }
      ASSERT_TRUE(machine.open(clean));
      EXPECT_EQ(machine.records(), complete ? test.after : test.before);
      EXPECT_EQ(machine.log->end(), Offset(22));
      ASSERT_TRUE(machine.append({{"more"}}));
      ASSERT_TRUE(machine.close());
    }
  }
}

std::string index_with_an_aborted_transaction() {
  GrowingIndex entries(transaction_index_entry_bytes);
  add_transaction_entry(entries, {ProducerId(7), Offset(2), Offset(4), Offset(5)});
  const ByteView bytes = entries.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The records do not tell of the transaction any more: an index that lost its name, or that of the
// segment before, would be believed.
TEST(Replacement, that_a_start_finishes_has_the_new_indexes_wherever_the_power_is_cut) {
  const auto file = [](SegmentFileKind kind, FileStage stage = FileStage::current) {
    return LogMachine::path(0, kind, stage);
  };
  std::uint64_t cuts = 0;
  for (const bool in_new : {true, false}) {
    for (std::uint64_t step = 1, cuts_at_step = 1; cuts_at_step > 0; ++step) {
      cuts_at_step = 0;
      for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(std::to_string(in_new) + " " + std::to_string(step) + " " +
                     std::to_string(seed));
        Compaction test(5);
        LogMachine& machine = test.machine;
        test.clean();
        ASSERT_TRUE(machine.close());
        machine.restart();
        for (const SegmentFileKind kind : index_kinds) {
          machine.remove_file(file(kind, FileStage::cleaned));
          if (kind == SegmentFileKind::transaction_index) continue;
          machine.write_file(file(kind, FileStage::swap), "");
        }
        machine.write_file(
            file(SegmentFileKind::transaction_index, in_new ? FileStage::swap : FileStage::current),
            index_with_an_aborted_transaction());
        machine.write_file(file(SegmentFileKind::log, FileStage::swap),
                           machine.contents(file(SegmentFileKind::log, FileStage::cleaned)));
        machine.remove_file(file(SegmentFileKind::log, FileStage::cleaned));
        machine.disk.sync_all();
        const std::uint64_t before = machine.disk.power_cuts();
        machine.disk.cut_power_at(machine.disk.steps() + step, seed);
        static_cast<void>(machine.open(true).has_value());
        machine.disk.cut_power_at(0, 0);
        cuts_at_step += machine.disk.power_cuts() - before;
        if (machine.disk.power_cuts() > before) {
          machine.end_of_process();
          ASSERT_TRUE(machine.open(true));
        }
        ASSERT_EQ(machine.records(), test.after);
        const auto aborted = machine.wait(machine.log->aborted(Offset(0), Offset(22)));
        ASSERT_TRUE(aborted);
        ASSERT_EQ(aborted->size(), in_new ? 1u : 0u);
        ASSERT_TRUE(machine.close());
      }
      cuts += cuts_at_step;
    }
  }
  EXPECT_GT(cuts, 200u);
}

// Until the old files lose their names all is as before; behind that only a start can tell what
// they mean.
TEST(Replacement, without_descriptors_or_memory_it_is_the_old_or_the_new_one) {
  for (const IoKind kind : {IoKind::open, IoKind::read, IoKind::write, IoKind::status,
                            IoKind::rename, IoKind::remove, IoKind::sync_directory}) {
    for (std::uint64_t step = 0;; ++step) {
      const std::string place = std::string(name_of(kind)) + " " + std::to_string(step);
      Compaction test(step + 1, at_once);
      LogMachine& machine = test.machine;
      test.clean();
      const std::uint64_t before = machine.disk.faults().injected(kind);
      machine.disk.faults().plan({.kind = kind, .fault = IoFault::too_many_open, .after = step});
      const auto done = machine.wait(test.replace());
      const bool took_place = machine.disk.faults().injected(kind) > before;
      machine.disk.faults().clear();
      if (done) {
        ASSERT_EQ(machine.records(), test.after) << place;
      } else if (machine.log->offline()) {
        ASSERT_EQ(done.error().fault, StorageFault::offline) << place;
        ASSERT_NE(done.error().message.find("too many open"), std::string::npos) << place;
        step % 2 == 0 ? machine.kill(1) : machine.power_cut(1);
        ASSERT_TRUE(machine.open()) << place;
        test.expect_old_or_new();
      } else {
        ASSERT_EQ(done.error().fault, StorageFault::limit) << place;
        ASSERT_EQ(machine.records(), test.before) << place;
        test.clean();
        ASSERT_TRUE(machine.wait(test.replace())) << place;
        ASSERT_EQ(machine.records(), test.after) << place;
      }
      ASSERT_TRUE(machine.append({{"next"}})) << place;
      machine.reopen();
      ASSERT_EQ(machine.records().back().value, "next") << place;
      ASSERT_TRUE(machine.close()) << place;
      if (!took_place) break;
    }
  }
}

// What the last batch of the new segment says is what the others are removed by, and the CRC does
// not cover its offset.
TEST(Replacement, a_damaged_offset_in_the_new_segment_removes_no_other) {
  std::size_t refused = 0;
  for (std::uint64_t bit = 0; bit < 64; ++bit) {
    SCOPED_TRACE("bit " + std::to_string(bit));
    Compaction test(13);
    LogMachine& machine = test.machine;
    test.clean();
    const std::string swap = LogMachine::path(0, SegmentFileKind::log, FileStage::swap);
    // The new segment has its name, the old ones are still there.
    machine.disk.faults().plan({.kind = IoKind::rename,
                                .fault = IoFault::failed,
                                .path_part = "00000000000000000000.index",
                                .after = 1});
    static_cast<void>(machine.wait(test.replace()));
    ASSERT_TRUE(machine.has_file(swap));
    machine.end_of_process();
    const std::uint64_t last_batch = machine.contents(swap).size() - 100;
    ASSERT_TRUE(machine.disk.flip_bit(swap, last_batch * 8 + bit));
    const auto opened = machine.open();
    if (opened) {
      test.expect_old_or_new();
      ASSERT_TRUE(machine.close());
      continue;
    }
    ++refused;
    EXPECT_EQ(opened.error().fault, StorageFault::corrupt);
    EXPECT_NE(opened.error().message.find(swap), std::string::npos) << opened.error().message;
    for (const std::int64_t base : {0, 5, 10, 15, 20}) {
      EXPECT_TRUE(machine.has_file(LogMachine::path(base, SegmentFileKind::log))) << base;
    }
  }
  EXPECT_GT(refused, 60u);
}

}  // namespace
}  // namespace millrace::storage
