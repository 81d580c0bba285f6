// Damage in closed segments is found.
#include <set>

#include "manager_machine.hpp"

namespace millrace::storage {
namespace {

class Scrubbing : public ::testing::Test {
 protected:
  Scrubbing() : machine(1) {
    machine.config.segment_bytes = 1'000;
    machine.options.scrub_bytes_per_second = 1'000'000;
    EXPECT_TRUE(machine.start());
    EXPECT_TRUE(machine.create(orders_0));
    for (int i = 0; i < 50; ++i) {
      EXPECT_TRUE(machine.append(orders_0, std::string(200, 'x')));
    }
    EXPECT_TRUE(machine.wait(machine.manager().find(orders_0)->flush()));
    machine.executor.advance(std::chrono::seconds(1));
  }
  [[nodiscard]] std::string segment_path(std::size_t index) {
    return machine.manager().find(orders_0)->segments()[index]->log_path();
  }
  void scrub() {
    machine.manager().scrubber().start_pass();
    machine.executor.advance(std::chrono::seconds(10));
  }
  [[nodiscard]] const std::vector<Corruption>& found() const {
    return machine.process->shards.front()->corruptions;
  }

  ManagerMachine machine;
};

TEST_F(Scrubbing, finds_nothing_in_good_segments) {
  scrub();
  const ScrubCounts counts = machine.manager().scrubber().counts();
  const auto log = machine.manager().find(orders_0);
  ASSERT_GT(log->segments().size(), 10u);
  // The one that is written to, too.
  EXPECT_EQ(counts.segments, log->segments().size());
  EXPECT_EQ(counts.passes, 1u);
  EXPECT_EQ(counts.corruptions, 0u);
}

TEST_F(Scrubbing, finds_a_flipped_bit_and_names_its_place) {
  const std::string path = segment_path(3);
  // In the second batch of the segment: each has 200 bytes of value and less than 100 of header.
  ASSERT_TRUE(machine.disk.flip_bit(path, 400 * 8));
  scrub();
  ASSERT_EQ(found().size(), 1u);
  EXPECT_EQ(found().front().partition, orders_0);
  EXPECT_EQ(found().front().path, path);
  EXPECT_EQ(found().front().segment, machine.manager().find(orders_0)->segments()[3]->base());
  EXPECT_GT(found().front().position, 200u);
  EXPECT_LT(found().front().position, 400u);
  EXPECT_TRUE(machine.says("is damaged at position"));
  machine.run(machine.manager().publish());
  const auto damaged =
      machine.process->registry
          .add<telemetry::Counter>({.name = "millrace_scrub_corruptions_total",
                                    .help = "Segments that were found to be damaged, each time "
                                            "they are found."})
          ->read();
  ASSERT_TRUE(damaged);
  EXPECT_EQ(*damaged, 1u);
}

TEST_F(Scrubbing, a_flipped_length_is_damage_too) {
  ASSERT_TRUE(machine.disk.flip_bit(segment_path(2), 8 * 8 + 1));
  scrub();
  ASSERT_EQ(found().size(), 1u);
  EXPECT_EQ(found().front().position, 0u);
}

TEST_F(Scrubbing, a_verified_read_finds_the_same_bit) {
  // Else the newest batches are read from memory.
  ASSERT_TRUE(machine.stop());
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.disk.flip_bit(segment_path(3), 400 * 8));
  const auto log = machine.manager().find(orders_0);
  const Offset base = log->segments()[3]->base();
  const auto read = [](std::shared_ptr<Log> from, Offset at) -> Task<ReadResult<Buffer>> {
    const auto slice = co_await from->read({at, from->end(), 900, true});
    if (!slice) co_return failure(slice.error());
    co_return co_await from->load_verified(*slice);
  };
  const auto bytes = machine.wait(read(log, base));
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().storage.fault, StorageFault::corrupt);
  EXPECT_FALSE(log->offline());
}

// Every bit of the first, of a middle and of the last batch.
void turn_over_every_bit(ManagerMachine& machine, const std::string& path) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> batches;
  const std::string text = machine.disk.contents(path).value();
  protocol::BatchSplitter splitter(as_bytes(text));
  std::uint64_t position = 0;
  for (protocol::BatchView batch; splitter.next(batch); position += batch.bytes().size()) {
    batches.emplace_back(position, batch.bytes().size());
  }
  ASSERT_GE(batches.size(), 3u);
  std::vector<Corruption>& found = machine.process->shards.front()->corruptions;
  std::size_t missed = 0;
  for (const auto& [at, bytes] : {batches.front(), batches[batches.size() / 2], batches.back()}) {
    for (std::uint64_t bit = at * 8; bit < (at + bytes) * 8; ++bit) {
      ASSERT_TRUE(machine.disk.flip_bit(path, bit));
      found.clear();
      machine.manager().scrubber().start_pass();
      machine.executor.advance(std::chrono::seconds(10));
      ASSERT_TRUE(machine.disk.flip_bit(path, bit));
      if (found.size() == 1 && found.front().path == path && found.front().position == at) continue;
      if (++missed > 5) continue;
      ADD_FAILURE() << "batch at position " << at << ", byte " << (bit - at * 8) / 8 << ", bit "
                    << bit % 8 << ": "
                    << (found.empty()
                            ? "nothing"
                            : "found at position " + std::to_string(found.front().position) + ", " +
                                  found.front().reason);
    }
  }
  EXPECT_EQ(missed, 0u);
}

TEST_F(Scrubbing, finds_every_bit_of_a_closed_segment) {
  turn_over_every_bit(machine, segment_path(3));
}

TEST_F(Scrubbing, finds_every_bit_of_the_segment_that_is_written_to) {
  const auto log = machine.manager().find(orders_0);
  while (log->segments().back()->bytes() < 600) {
    ASSERT_TRUE(machine.append(orders_0, std::string(10, 'x')));
  }
  ASSERT_TRUE(machine.wait(log->flush()));
  turn_over_every_bit(machine, log->segments().back()->log_path());
}

// A transaction of producer 7, or its end.
std::vector<std::byte> transactional_batch(bool marker) {
  BufferPool pool;
  protocol::BatchStorage records(pool);
  protocol::BatchStorage compressed(pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(records, compressed, compressor);
  protocol::BatchOptions options;
  options.producer = {ProducerId(7), ProducerEpoch(0), marker ? no_sequence : Sequence(0)};
  options.transactional = true;
  options.control = marker;
  builder.start(options);
  const auto key = protocol::encode_control_record_key(protocol::ControlRecordType::abort);
  const auto value = protocol::encode_end_transaction_marker(protocol::CoordinatorEpoch(0));
  protocol::RecordInput record;
  record.timestamp = Timestamp(1'000);
  record.value = as_bytes("aborted");
  if (marker) record.key = key;
  if (marker) record.value = value;
  EXPECT_TRUE(builder.append(record).has_value());
  const auto bytes = builder.finish();
  EXPECT_TRUE(bytes.has_value());
  return {bytes->begin(), bytes->end()};
}

TEST_F(Scrubbing, puts_right_a_transaction_index_that_is_missing) {
  const auto append = [](std::shared_ptr<Log> to, std::vector<std::byte> batch) -> Task<bool> {
    LeaderAppend append;
    append.batch = batch;
    append.epoch = LeaderEpoch(0);
    append.origin = AppendOrigin::coordinator;
    co_return (co_await to->append(append)).has_value();
  };
  auto log = machine.manager().find(orders_0);
  const Offset begin = log->end();
  ASSERT_TRUE(machine.wait(append(log, transactional_batch(false))));
  ASSERT_TRUE(machine.wait(append(log, transactional_batch(true))));
  ASSERT_TRUE(machine.wait(log->roll()));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(machine.append(orders_0, "more"));
  const auto before = machine.wait(log->aborted(begin, begin.plus(1)));
  ASSERT_TRUE(before);
  ASSERT_EQ(before->size(), 1u);
  std::string path;
  for (const auto& segment : log->segments()) {
    if (segment->base() <= begin) path = segment->path(SegmentFileKind::transaction_index);
  }
  log.reset();
  ASSERT_TRUE(machine.stop());
  // Behind the server's back.
  SimulatedFileSystem files(machine.disk, machine.executor);
  const auto remove = [&]() -> Task<bool> { co_return (co_await files.remove(path)).has_value(); };
  ASSERT_TRUE(machine.wait(remove()));
  ASSERT_TRUE(machine.start());
  scrub();
  ASSERT_EQ(found().size(), 1u);
  EXPECT_EQ(found().front().path, path);
  const auto after = machine.wait(machine.manager().find(orders_0)->aborted(begin, begin.plus(1)));
  ASSERT_TRUE(after);
  EXPECT_EQ(*after, *before);
  scrub();
  EXPECT_EQ(found().size(), 1u);
}

TEST_F(Scrubbing, reads_no_faster_than_told) {
  ASSERT_TRUE(machine.stop());
  machine.options.scrub_bytes_per_second = 1'000;
  ASSERT_TRUE(machine.start());
  machine.executor.advance(scrub_first_delay);
  EXPECT_LE(machine.manager().scrubber().counts().segments, 1u);
  machine.executor.advance(std::chrono::seconds(4));
  // A block is read at once; what comes after it waits.
  EXPECT_LE(machine.manager().scrubber().counts().bytes, 4'000u + 1'000u);
  EXPECT_GT(machine.manager().scrubber().counts().bytes, 0u);
  EXPECT_EQ(machine.manager().scrubber().counts().passes, 0u);
}

// Each life of the server is too short for a pass.
TEST_F(Scrubbing, gets_everywhere_in_many_lives) {
  const TopicPartition last{"zebras", PartitionIndex(0)};
  ASSERT_TRUE(machine.create(last));
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(machine.append(last, std::string(200, 'x')));
  std::set<std::pair<TopicPartition, Offset>> damaged;
  for (const TopicPartition& partition : {orders_0, last}) {
    for (const auto& segment : machine.manager().find(partition)->segments()) {
      // In the last batch: only what was read counts.
      ASSERT_TRUE(machine.disk.flip_bit(segment->log_path(), (segment->bytes() - 50) * 8));
      damaged.emplace(partition, segment->base());
    }
  }
  ASSERT_GT(damaged.size(), 30u);
  machine.options.scrub_bytes_per_second = 1'000;
  int lives = 0;
  while (!damaged.empty() && ++lives < 400) {
    ASSERT_TRUE(machine.stop());
    ASSERT_TRUE(machine.start());
    machine.executor.advance(scrub_first_delay + std::chrono::seconds(3));
    EXPECT_EQ(machine.manager().scrubber().counts().passes, 0u);
    EXPECT_LT(found().size(), 8u);
    for (const Corruption& each : found()) damaged.erase({each.partition, each.segment});
  }
  EXPECT_TRUE(damaged.empty()) << damaged.size() << " segments were never looked at";
}

// From the beginning of one pass to that of the next, however long they take.
TEST_F(Scrubbing, passes_begin_at_their_interval) {
  ASSERT_TRUE(machine.stop());
  machine.options.scrub_bytes_per_second = 12;
  machine.options.scrub_pass_interval = std::chrono::hours(1);
  ASSERT_TRUE(machine.start());
  const std::uint64_t bytes = machine.manager().find(orders_0)->size_bytes();
  ASSERT_GT(bytes, 10'000u);
  const auto scrubbed = [&] { return machine.manager().scrubber().counts().bytes; };
  machine.executor.advance(scrub_first_delay + std::chrono::minutes(10));
  EXPECT_LT(scrubbed(), bytes);
  machine.executor.advance(std::chrono::minutes(49));
  EXPECT_EQ(scrubbed(), bytes);
  EXPECT_EQ(machine.manager().scrubber().counts().passes, 1u);
  machine.executor.advance(std::chrono::minutes(2));
  EXPECT_GT(scrubbed(), bytes);
}

TEST(Scrubber, what_is_cut_while_it_is_read_is_no_damage) {
  ManagerMachine machine(2);
  machine.options.scrub_bytes_per_second = 100'000;
  ASSERT_TRUE(machine.start());
  ASSERT_TRUE(machine.create(orders_0));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(machine.append(orders_0, std::string(50'000, 'x')));
  const auto log = machine.manager().find(orders_0);
  ASSERT_TRUE(machine.wait(log->flush()));
  machine.manager().scrubber().start_pass();
  machine.executor.advance(std::chrono::seconds(5));
  const ScrubCounts before = machine.manager().scrubber().counts();
  ASSERT_GT(before.bytes, 0u);
  ASSERT_EQ(before.segments, 0u) << "it is in the middle of the segment";
  ASSERT_TRUE(machine.wait(machine.manager().truncate(log, Offset(20))));
  machine.executor.advance(std::chrono::minutes(1));
  EXPECT_EQ(machine.manager().scrubber().counts().passes, 1u);
  EXPECT_EQ(machine.manager().scrubber().counts().segments, 0u);
  EXPECT_TRUE(machine.process->shards.front()->corruptions.empty());
  // The next pass looks at what is left.
  machine.manager().scrubber().start_pass();
  machine.executor.advance(std::chrono::minutes(1));
  EXPECT_EQ(machine.manager().scrubber().counts().segments, 1u);
  EXPECT_TRUE(machine.process->shards.front()->corruptions.empty());
}

TEST_F(Scrubbing, a_log_that_goes_while_the_beginning_is_drawn_is_not_opened_again) {
  // So many that others run while they are drawn from; only the first has anything.
  for (std::int32_t i = 0; i < 500; ++i) {
    ASSERT_TRUE(machine.create({"payments", PartitionIndex(i)}));
  }
  machine.manager().scrubber().start_pass();
  const auto begin_to_draw = [&]() -> Task<void> {
    for (int turn = 0; turn < 3; ++turn) co_await yield(machine.executor);
  };
  machine.run(begin_to_draw());
  ASSERT_TRUE(machine.remove(orders_0));
  machine.executor.advance(std::chrono::minutes(1));
  EXPECT_EQ(machine.manager().scrubber().counts().passes, 1u);
  EXPECT_EQ(machine.manager().scrubber().counts().bytes, 0u);
}

TEST_F(Scrubbing, a_log_that_goes_while_it_is_read_is_not_opened_again) {
  ASSERT_TRUE(machine.stop());
  machine.options.scrub_bytes_per_second = 1'000;
  ASSERT_TRUE(machine.start());
  for (int pass = 0; pass < 10; ++pass) {
    const std::uint64_t before = machine.manager().scrubber().counts().bytes;
    machine.manager().scrubber().start_pass();
    machine.executor.advance(std::chrono::milliseconds(500 + 400 * pass));
    ASSERT_GT(machine.manager().scrubber().counts().bytes, before);
    ASSERT_TRUE(machine.remove(orders_0));
    ASSERT_TRUE(machine.create(orders_0, test_topic_id(static_cast<std::uint8_t>(2 + pass))));
    for (int i = 0; i < 50; ++i) {
      ASSERT_TRUE(machine.append(orders_0, std::string(150, static_cast<char>('a' + pass))));
    }
    ASSERT_TRUE(machine.wait(machine.manager().find(orders_0)->flush()));
    machine.executor.advance(std::chrono::minutes(1));
    EXPECT_TRUE(found().empty()) << found().front().reason;
  }
}

TEST_F(Scrubbing, reads_nothing_at_a_rate_of_zero) {
  ASSERT_TRUE(machine.stop());
  machine.options.scrub_bytes_per_second = 0;
  ASSERT_TRUE(machine.start());
  scrub();
  EXPECT_EQ(machine.manager().scrubber().counts().bytes, 0u);
}

TEST_F(Scrubbing, a_device_that_fails_takes_its_directory_offline) {
  machine.disk.faults().plan({.kind = IoKind::read, .path_part = "/data/orders"});
  scrub();
  EXPECT_EQ(machine.process->observer.all_failed, 1);
  EXPECT_TRUE(found().empty());
}

}  // namespace
}  // namespace millrace::storage
