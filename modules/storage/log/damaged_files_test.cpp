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
  EXPECT_NE(loaded.error().storage.message.find("was expected"), std::string::npos)
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

}  // namespace
}  // namespace millrace::storage
