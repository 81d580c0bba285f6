// Random operations on a log against a plain list of records, on a disk that ends operations at
// once, later and in any order, without crashes. What a crash leaves is the matter of tests/crash.
#include "test_batches.hpp"

namespace millrace::storage {
namespace {

struct Expected {
  TestRecord record;
  Offset batch;  // the first offset of its batch
  LeaderEpoch epoch;
};

class Trial {
 public:
  explicit Trial(std::uint64_t seed)
      : seed_(seed), random_(seed), machine_(seed, {.slow = seed % 3 == 0 ? 0.3 : 0.0}) {
    LogConfig& config = machine_.config;
    config.segment_bytes = 600 + random_.below(3'000);
    config.index_interval_bytes = static_cast<std::uint32_t>(random_.below(500));
    if (random_.below(4) == 0) config.segment_index_bytes = 60 + random_.below(100);
    if (random_.below(4) == 0) config.segment_age_max = Milliseconds(50 + random_.below(500));
    if (random_.below(4) == 0) config.segment_jitter_max = Milliseconds(20);
    if (random_.below(3) == 0) config.flush_records = 1 + random_.below(5);
    config.file_delete_delay = Milliseconds(random_.below(200));
    config.retention.reset();
    if (random_.below(2) == 0) config.retention_bytes = 2'000 + random_.below(5'000);
    has_tail_ = random_.below(2) == 0;
    prepare();
    EXPECT_TRUE(machine_.open());
  }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE("seed " + std::to_string(seed_) + ", step " + std::to_string(i));
      static_cast<void>(begin_something());
      step();
      compare();
    }
    machine_.finish_started();
    EXPECT_TRUE(machine_.close());
  }

 private:
  [[nodiscard]] Offset somewhere() {
    const auto length = static_cast<std::uint64_t>(machine_.log->end().since(start_)) + 1;
    return start_.plus(static_cast<std::int64_t>(random_.below(length)));
  }
  void prepare() {
    if (has_tail_) machine_.process->context.tails = &machine_.process->tails;
  }

  // Beside what follows.
  bool begin_something() {
    Log& log = *machine_.log;
    switch (random_.below(6)) {
      case 0:
        static_cast<void>(machine_.start(log.flush()));
        return true;
      case 1:
        static_cast<void>(machine_.start(log.checkpoint()));
        return true;
      case 2:
        static_cast<void>(
            machine_.start(log.read({somewhere(), log.end(), random_.below(900), true})));
        return true;
      case 3:
        static_cast<void>(machine_.start(log.find_timestamp(Timestamp(500), log.end())));
        return true;
      default:
        return false;
    }
  }

  void step() {
    Log& log = *machine_.log;
    switch (random_.below(16)) {
      case 0:
        EXPECT_TRUE(machine_.wait(log.roll()));
        return;
      case 1:
        truncate(somewhere());
        return;
      case 2:
        log.set_high_watermark(log.end());
        delete_below(somewhere());
        return;
      case 3:
        log.set_high_watermark(somewhere());
        EXPECT_TRUE(machine_.wait(log.apply_retention()));
        delete_records(log.start());
        EXPECT_LE(log.start(), log.high_watermark());
        return;
      case 4:
        again();
        return;
      case 5:
        if (random_.below(4) == 0)
          restart(somewhere().plus(static_cast<std::int64_t>(random_.below(20))));
        return;
      case 6:
      case 7:
        replicate();
        return;
      default:
        append();
    }
  }

  TestBatch some_batch() {
    TestBatch batch{.values = {}};
    batch.values.resize(1 + random_.below(4));
    for (std::string& value : batch.values) {
      value = std::to_string(next_value_++) + std::string(random_.below(80), 'v');
    }
    batch.timestamp = Timestamp(static_cast<std::int64_t>(random_.below(1'000)));
    batch.timestamp_step = static_cast<std::int64_t>(random_.below(20));
    if (random_.below(5) == 0) batch.codec = protocol::Codec::lz4;
    return batch;
  }
  void expect(const TestBatch& batch, Offset base, LeaderEpoch epoch) {
    Timestamp timestamp = batch.timestamp;
    Offset offset = base;
    for (const std::string& value : batch.values) {
      expected_.push_back({{offset, timestamp, value}, base, epoch});
      timestamp = timestamp.plus(batch.timestamp_step);
      offset = offset.next();
    }
    end_ = offset;
  }

  void append() {
    if (random_.below(8) == 0) epoch_ = epoch_.next();
    std::vector<std::pair<TestBatch, Appending>> appended;
    for (std::uint64_t i = 0; i <= random_.below(6); ++i) {
      const TestBatch batch = some_batch();
      appended.emplace_back(batch, machine_.start(machine_.append_task(batch, epoch_)));
    }
    machine_.finish_started();
    for (const auto& [batch, result] : appended) {
      ASSERT_TRUE(result->value()) << result->value().error().message;
      ASSERT_EQ(result->value()->base_offset, end_);
      expect(batch, end_, epoch_);
    }
  }
  void replicate() {
    std::vector<std::byte> bytes;
    for (std::uint64_t i = 0; i <= random_.below(8); ++i) {
      if (random_.below(8) == 0) epoch_ = epoch_.next();
      TestBatch batch = some_batch();
      if (random_.below(3) == 0) end_ = end_.plus(static_cast<std::int64_t>(random_.below(10)));
      batch.base_offset = end_;
      batch.leader_epoch = epoch_;
      const auto encoded = encode(batch);
      bytes.insert(bytes.end(), encoded.begin(), encoded.end());
      expect(batch, end_, epoch_);
    }
    const auto replicated = machine_.replicate(bytes);
    ASSERT_TRUE(replicated) << replicated.error().message;
  }
  void truncate(Offset offset) {
    ASSERT_TRUE(machine_.wait(machine_.log->truncate(offset)));
    Offset end = std::min(offset, end_);
    // Batches stay whole, also those whose first records are deleted.
    for (const Expected& each : expected_) {
      if (each.record.offset >= offset) end = std::min(end, each.batch);
    }
    std::erase_if(expected_, [&](const Expected& each) { return each.batch >= end; });
    // A start within a batch that went moves back with the end.
    start_ = std::min(start_, end);
    end_ = end;
  }
  void delete_below(Offset offset) {
    ASSERT_TRUE(machine_.wait(machine_.log->delete_below(offset)));
    delete_records(offset);
  }
  void delete_records(Offset offset) {
    start_ = std::max(start_, offset);
    std::erase_if(expected_, [&](const Expected& each) { return each.record.offset < start_; });
  }
  void restart(Offset offset) {
    ASSERT_TRUE(machine_.wait(machine_.log->restart_at(offset)));
    expected_.clear();
    start_ = end_ = offset;
  }
  // Another process: after a stop in order, or killed.
  void again() {
    machine_.finish_started();
    const bool killed = random_.below(2) == 0;
    if (killed) {
      machine_.kill(seed_);
    } else {
      ASSERT_TRUE(machine_.close());
      machine_.restart();
    }
    prepare();
    const auto opened = machine_.open(!killed);
    ASSERT_TRUE(opened) << opened.error().message;
    // Records that are not there do not keep the end where it was: after a kill it is behind the
    // last batch.
    if (killed && !expected_.empty()) end_ = machine_.log->end();
  }

  void compare() {
    Log& log = *machine_.log;
    ASSERT_EQ(log.start(), start_);
    ASSERT_EQ(log.end(), end_);
    std::vector<TestRecord> records;
    for (const Expected& each : expected_) records.push_back(each.record);
    ASSERT_EQ(machine_.records(start_, end_, random_.below(2'000)), records);
    for (const Expected& each : expected_) {
      ASSERT_EQ(log.epochs().epoch_for_offset(each.record.offset), each.epoch);
    }
    const Timestamp timestamp(static_cast<std::int64_t>(random_.below(1'100)));
    const auto wanted = std::find_if(expected_.begin(), expected_.end(), [&](const Expected& each) {
      return each.record.timestamp >= timestamp;
    });
    const auto found = machine_.wait(log.find_timestamp(timestamp, end_));
    ASSERT_TRUE(found) << found.error().storage.message;
    ASSERT_EQ(found->has_value(), wanted != expected_.end());
    if (*found) ASSERT_EQ((*found)->offset, wanted->record.offset);
    const auto youngest = std::max_element(expected_.begin(), expected_.end(),
                                           [](const Expected& a, const Expected& b) {
                                             return a.record.timestamp < b.record.timestamp;
                                           });
    const auto largest = machine_.wait(log.find_max_timestamp());
    ASSERT_TRUE(largest) << largest.error().storage.message;
    ASSERT_EQ(largest->has_value(), youngest != expected_.end());
    if (*largest) ASSERT_EQ((*largest)->offset, youngest->record.offset);
    ASSERT_LE(log.flushed_end(), log.end());
    ASSERT_LE(log.recovery_point(), log.flushed_end());
    for (std::size_t i = 1; i < log.segments().size(); ++i) {
      ASSERT_LT(log.segments()[i - 1]->base(), log.segments()[i]->base());
    }
  }

  std::uint64_t seed_;
  Random random_;
  LogMachine machine_;
  bool has_tail_ = false;
  std::vector<Expected> expected_;
  Offset start_{0};
  Offset end_{0};
  LeaderEpoch epoch_{0};
  int next_value_ = 0;
};

TEST(LogModel, random_operations_agree_with_a_list_of_records) {
  for (std::uint64_t seed = 1; seed <= 150 / MILLRACE_SLOWNESS && !testing::Test::HasFailure();
       ++seed) {
    Trial(seed).run(60);
  }
}

}  // namespace
}  // namespace millrace::storage
