// Small files that are missing or damaged.
#include "recovery_support.hpp"

namespace millrace::storage {
namespace {

struct Damage {
  std::string name;
  std::string what;
};

void damage(LogMachine& machine, const Damage& what) {
  const std::string path = path_in(test_directory, what.name);
  const std::string text = machine.contents(path);
  if (what.what == "missing") machine.remove_file(path);
  if (what.what == "empty") machine.write_file(path, "");
  if (what.what == "short") machine.write_file(path, text.substr(0, text.size() / 2));
  if (what.what == "torn") machine.write_file(path, text.substr(0, text.size() - 3));
  if (what.what == "garbage") machine.write_file(path, std::string(text.size() + 5, '\x7f'));
  // As Kafka leaves an index that it did not close.
  if (what.what == "zeros") machine.write_file(path, text + std::string(10'000, '\0'));
}

// The only snapshot, with all that the log holds before it.
TEST(CleanStart, without_a_snapshot_the_producers_are_read_from_the_records) {
  for (const char* what : {"missing", "empty", "torn", "garbage"}) {
    LogMachine machine(16);
    fill(machine, 10);
    ASSERT_TRUE(machine.close());
    machine.restart();
    damage(machine, {segment_file_name(Offset(10), SegmentFileKind::producer_snapshot), what});
    ASSERT_TRUE(machine.open(true));
    expect_first(machine, 10);
    ASSERT_TRUE(machine.close());
  }
}

// The CRC of a batch does not cover its base offset.
TEST(LogReading, a_base_offset_that_changed_on_the_disk_is_damage_to_who_asks) {
  LogMachine machine(21);
  fill(machine, 10);
  ASSERT_TRUE(machine.close());
  machine.restart();
  std::string bytes = machine.contents(log_path(0));
  bytes[7] ^= 0x20;
  machine.write_file(log_path(0), bytes);
  ASSERT_TRUE(machine.open(true));
  const auto slice = machine.wait(machine.log->read({Offset(0), Offset(10), 100'000, true}));
  ASSERT_TRUE(slice && slice->length > 200);
  const auto loaded = machine.wait(machine.log->load_verified(*slice));
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().storage.fault, StorageFault::corrupt);
  EXPECT_NE(loaded.error().storage.message.find("is damaged at position 0:"), std::string::npos)
      << loaded.error().storage.message;
  ASSERT_TRUE(machine.close());
}

TEST(Recovery, small_files_are_made_again_whatever_became_of_them) {
  LogMachine names(1);
  fill(names, 40, 400);
  const std::int64_t middle = names.log->segments()[3]->base().value();
  const std::int64_t last = names.log->segments().back()->base().value();
  ASSERT_TRUE(names.close());
  std::vector<std::string> files = {"leader-epoch-checkpoint"};
  for (const SegmentFileKind kind : {SegmentFileKind::offset_index, SegmentFileKind::time_index}) {
    for (const std::int64_t base : {std::int64_t{0}, middle, last}) {
      files.push_back(segment_file_name(Offset(base), kind));
    }
  }
  files.push_back(segment_file_name(Offset(40), SegmentFileKind::producer_snapshot));
  files.push_back(segment_file_name(Offset(middle), SegmentFileKind::producer_snapshot));
  for (const std::string& file : files) {
    for (const char* what : {"missing", "empty", "short", "torn", "garbage", "zeros"}) {
      for (const bool clean : {true, false}) {
        SCOPED_TRACE(file + " " + what + (clean ? " after a clean stop" : " after a kill"));
        LogMachine machine(11);
        fill(machine, 40, 400);
        ASSERT_TRUE(machine.close());
        machine.restart();
        damage(machine, {file, what});
        ASSERT_TRUE(machine.open(clean));
        EXPECT_EQ(machine.log->epochs().entries().size(), 2u);
        for (std::int64_t time = 0; time < 40; ++time) {
          const auto found =
              machine.wait(machine.log->find_timestamp(Timestamp(1'000 + time), Offset(40)));
          ASSERT_TRUE(found && *found) << time;
          ASSERT_EQ((*found)->offset, Offset(time));
        }
        const auto youngest = machine.wait(machine.log->find_max_timestamp());
        ASSERT_TRUE(youngest && *youngest);
        EXPECT_EQ((*youngest)->timestamp, Timestamp(1'039));
        expect_first(machine, 40);
        machine.reopen();
        EXPECT_EQ(machine.records().size(), 41u);
        EXPECT_EQ(machine.log->epochs().entries().size(), 2u);
        ASSERT_TRUE(machine.close());
      }
    }
  }
}

TEST(Recovery, leader_epochs_are_not_taken_from_batches_with_impossible_offsets) {
  LogMachine machine(11);
  fill(machine, 10);
  ASSERT_TRUE(machine.close());
  machine.restart();
  std::string bytes = machine.contents(log_path(0));
  bytes[0] = '\xff';
  machine.write_file(log_path(0), bytes);
  damage(machine, {"leader-epoch-checkpoint", "missing"});
  ASSERT_TRUE(machine.open(true));
  for (const EpochEntry& entry : machine.log->epochs().entries()) {
    EXPECT_GE(entry.start_offset, Offset(0));
  }
  ASSERT_TRUE(machine.close());
}

TEST(Recovery, the_transaction_index_is_made_again_too) {
  for (const bool in_last : {true, false}) {
    for (const char* what : {"short", "torn", "garbage", "zeros"}) {
      for (const bool clean : {true, false}) {
        SCOPED_TRACE(std::string(what) + (clean ? " after a clean stop" : " after a kill"));
        LogMachine machine(12);
        ASSERT_TRUE(machine.open());
        for (int i = 0; i < 3; ++i) {
          TestBatch batch = from_producer(i, {"aborted"});
          batch.transactional = true;
          ASSERT_TRUE(machine.append(batch));
          TestBatch marker{.values = {}, .producer = ProducerId(7), .epoch = ProducerEpoch(0)};
          marker.marker = protocol::ControlRecordType::abort;
          ASSERT_TRUE(machine.append(marker, LeaderEpoch(0), AppendOrigin::coordinator));
        }
        if (!in_last) ASSERT_TRUE(machine.wait(machine.log->roll()));
        const auto before = machine.wait(machine.log->aborted(Offset(0), Offset(100)));
        ASSERT_TRUE(before);
        ASSERT_EQ(before->size(), 3u);
        ASSERT_TRUE(machine.close());
        machine.restart();
        damage(machine, {segment_file_name(Offset(0), SegmentFileKind::transaction_index), what});
        ASSERT_TRUE(machine.open(clean));
        ASSERT_TRUE(machine.append({{"more"}}));
        const auto after = machine.wait(machine.log->aborted(Offset(0), Offset(100)));
        ASSERT_TRUE(after) << after.error().storage.message;
        EXPECT_EQ(*after, *before);
        machine.reopen();
        EXPECT_EQ(*machine.wait(machine.log->aborted(Offset(0), Offset(100))), *before);
        ASSERT_TRUE(machine.close());
      }
    }
  }
}

// Three segments with an aborted transaction in each, one with none, one that is written to.
std::vector<AbortedTransaction> fill_with_aborted(LogMachine& machine) {
  machine.config.index_interval_bytes = 100;
  EXPECT_TRUE(machine.open());
  for (int i = 0; i < 4; ++i) {
    TestBatch batch = from_producer(2 * i, {"a", "transaction"});
    batch.transactional = true;
    EXPECT_TRUE(machine.append(batch));
    EXPECT_TRUE(machine.append({{"another"}}));
    TestBatch marker{.values = {}, .producer = ProducerId(7), .epoch = ProducerEpoch(0)};
    marker.marker =
        i < 3 ? protocol::ControlRecordType::abort : protocol::ControlRecordType::commit;
    EXPECT_TRUE(machine.append(marker, LeaderEpoch(0), AppendOrigin::coordinator));
    EXPECT_TRUE(machine.wait(machine.log->roll()));
  }
  EXPECT_TRUE(machine.append({{"more"}}));
  const auto aborted = machine.wait(machine.log->aborted(Offset(0), Offset(100)));
  EXPECT_TRUE(aborted && aborted->size() == 3u);
  return aborted ? *aborted : std::vector<AbortedTransaction>();
}

TEST(Recovery, aborted_transactions_are_found_again_where_indexes_are_missing) {
  for (const SegmentFileKind other : {SegmentFileKind::offset_index, SegmentFileKind::time_index}) {
    for (const bool clean : {true, false}) {
      SCOPED_TRACE(clean ? "after a clean stop" : "after a kill");
      LogMachine machine(13);
      const auto before = fill_with_aborted(machine);
      ASSERT_TRUE(machine.close());
      machine.restart();
      for (const std::int64_t base : {0, 4, 8}) {
        machine.remove_file(machine.path(base, SegmentFileKind::transaction_index));
        machine.remove_file(machine.path(base, other));
      }
      ASSERT_TRUE(machine.open(clean));
      // The others are made again by who reads.
      EXPECT_EQ(machine.records().size(), 17u);
      EXPECT_FALSE(machine.has_file(machine.path(12, SegmentFileKind::transaction_index)));
      // It lasts, whatever comes next.
      machine.power_cut(1);
      ASSERT_TRUE(machine.open());
      EXPECT_EQ(*machine.wait(machine.log->aborted(Offset(0), Offset(100))), before);
      ASSERT_TRUE(machine.close());
    }
  }
}

TEST(LogReading, aborted_transactions_that_cannot_be_found_again_are_an_error) {
  LogMachine machine(14);
  static_cast<void>(fill_with_aborted(machine));
  ASSERT_TRUE(machine.close());
  machine.restart();
  machine.remove_file(machine.path(4, SegmentFileKind::transaction_index));
  machine.remove_file(machine.path(4, SegmentFileKind::offset_index));
  // The length of its first batch.
  ASSERT_TRUE(machine.disk.flip_bit(log_path(4), 8 * 8));
  ASSERT_TRUE(machine.open(true));
  const auto aborted = machine.wait(machine.log->aborted(Offset(4), Offset(8)));
  ASSERT_FALSE(aborted);
  EXPECT_EQ(aborted.error().storage.fault, StorageFault::corrupt);
  EXPECT_TRUE(machine.wait(machine.log->aborted(Offset(8), Offset(12))));
  ASSERT_TRUE(machine.close());
}

TEST(LogReading, a_transaction_index_that_is_missing_alone_is_put_right_by_its_markers) {
  LogMachine machine(15);
  const auto before = fill_with_aborted(machine);
  ASSERT_TRUE(machine.close());
  machine.restart();
  machine.remove_file(machine.path(4, SegmentFileKind::transaction_index));
  ASSERT_TRUE(machine.open(true));
  const auto repair = [&](std::size_t segment, std::vector<Offset> markers) {
    auto repaired = machine.wait(
        machine.log->repair_aborted(machine.log->segments()[segment], std::move(markers)));
    EXPECT_TRUE(repaired);
    return repaired ? *repaired : 1'000;
  };
  // Offset 3 and 7 have the markers.
  EXPECT_EQ(repair(0, {Offset(3)}), 0u);
  // One that ended a transaction without records.
  EXPECT_EQ(repair(0, {Offset(2), Offset(3)}), 0u);
  EXPECT_EQ(repair(1, {Offset(7)}), 1u);
  EXPECT_EQ(repair(1, {Offset(7)}), 0u);
  EXPECT_EQ(*machine.wait(machine.log->aborted(Offset(0), Offset(100))), before);
  machine.power_cut(1);
  ASSERT_TRUE(machine.open());
  EXPECT_EQ(*machine.wait(machine.log->aborted(Offset(0), Offset(100))), before);
  ASSERT_TRUE(machine.close());
}

// Records were deleted, and then the power took the end of the log. Whoever wrote below the start
// was told of these offsets.
TEST(Recovery, gives_no_offset_below_the_log_start_again) {
  std::size_t lost = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    LogMachine machine(seed);
    ASSERT_TRUE(machine.open());
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(machine.append({{std::string(600, 'v')}}));
    machine.log->set_high_watermark(Offset(10));
    ASSERT_TRUE(machine.wait(machine.log->delete_below(Offset(8))));
    machine.power_cut(seed);
    ASSERT_TRUE(machine.open());
    EXPECT_EQ(machine.log->start(), Offset(8)) << seed;
    const Offset end = machine.log->end();
    EXPECT_GE(end, Offset(8)) << seed;
    if (end == Offset(8)) ++lost;
    const auto next = machine.append({{"next"}});
    ASSERT_TRUE(next);
    EXPECT_EQ(next->base_offset, end);
    machine.reopen();
    EXPECT_EQ(machine.log->start(), Offset(8));
    EXPECT_EQ(machine.records().back().value, "next");
    ASSERT_TRUE(machine.close());
  }
  EXPECT_GT(lost, 5u);
}

}  // namespace
}  // namespace millrace::storage
