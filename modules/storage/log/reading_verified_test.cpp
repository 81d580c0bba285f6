// Every bit of a batch, turned over in turn: whoever reads verified gets an error that names it.
#include "test_batches.hpp"

namespace millrace::storage {
namespace {

// Where a batch lies.
struct Place {
  std::int64_t base = 0;  // of its offsets
  std::int64_t last = 0;
  std::uint64_t position = 0;
  std::uint64_t bytes = 0;
  std::int64_t segment = 0;
};

std::vector<Place> places_of(LogMachine& machine) {
  std::vector<Place> places;
  for (const auto& segment : machine.log->segments()) {
    const std::string text = machine.contents(segment->log_path());
    std::uint64_t position = 0;
    protocol::BatchSplitter splitter(as_bytes(text));
    for (protocol::BatchView batch; splitter.next(batch);) {
      places.push_back({batch.header().base_offset.value(), batch.header().last_offset().value(),
                        position, batch.bytes().size(), segment->base().value()});
      position += batch.bytes().size();
    }
  }
  return places;
}

// The batches of one segment.
std::vector<Place> in_segment(const std::vector<Place>& places, std::int64_t segment) {
  std::vector<Place> found;
  for (const Place& place : places) {
    if (place.segment == segment) found.push_back(place);
  }
  return found;
}

class DamagedBatch : public ::testing::Test {
 protected:
  // What a verified read from here says; nothing if it finds nothing wrong. `got` is what it gave.
  std::optional<StorageError> read(Offset from, Offset up_to, std::uint64_t bytes_max,
                                   std::uint64_t& got) {
    got = 0;
    const auto slice = machine.wait(machine.log->read({from, up_to, bytes_max, true}));
    if (!slice) return slice.error().storage;
    const auto bytes = machine.wait(machine.log->load_verified(*slice));
    if (!bytes) return bytes.error().storage;
    got = bytes->size();
    return std::nullopt;
  }
  void expect_found(const Place& place, Offset from, Offset up_to, std::uint64_t bytes_max) {
    std::uint64_t got = 0;
    const auto error = read(from, up_to, bytes_max, got);
    ++asked;
    const std::string how = "from " + std::to_string(from.value()) + " up to " +
                            std::to_string(up_to.value()) + ", " + std::to_string(bytes_max) +
                            " bytes: ";
    if (!error) {
      missed.push_back(how + "nothing, " + std::to_string(got) + " bytes");
      return;
    }
    const std::string at = "position " + std::to_string(place.position) + ":";
    if (error->fault != StorageFault::corrupt ||
        error->message.find(LogMachine::path(place.segment, SegmentFileKind::log)) ==
            std::string::npos ||
        error->message.find(at) == std::string::npos) {
      missed.push_back(how + error->message);
    }
  }
  // Reads that give the batch, alone or with others, or would pass over it.
  void expect_all_find(const std::vector<Place>& all, std::size_t index) {
    const Place& place = all[index];
    const std::vector<Place> segment = in_segment(all, place.segment);
    const Offset end = machine.log->end();
    const Offset behind = index + 1 < all.size() ? Offset(all[index + 1].base) : end;
    const std::uint64_t segment_bytes = segment.back().position + segment.back().bytes;
    expect_found(place, Offset(segment.front().base), end, segment_bytes);
    for (std::int64_t offset = place.base; offset <= place.last; ++offset) {
      expect_found(place, Offset(offset), end, 1);
      expect_found(place, Offset(offset), behind, 10'000);
    }
    if (place.position > 0) {
      const Place& before = all[index - 1];
      std::uint64_t got = 0;
      const auto error = read(Offset(before.last), end, before.bytes + place.bytes, got);
      // The index may have led to the end of the batch before.
      if (!error && got != before.bytes) missed.push_back("from the one before: nothing");
    }
    // One batch after the other, as a follower does.
    Offset from(segment.front().base);
    for (std::size_t i = 0; i <= segment.size() && from <= Offset(place.base); ++i) {
      const auto slice = machine.wait(machine.log->read({from, end, 1, true}));
      if (!slice || slice->empty()) break;
      const auto bytes = machine.wait(machine.log->load_verified(*slice));
      if (!bytes) break;
      protocol::BatchSplitter splitter(bytes->bytes());
      protocol::BatchView batch;
      ASSERT_TRUE(splitter.next(batch));
      from = batch.header().last_offset().next();
    }
    if (from > Offset(place.base)) missed.push_back("passed over, one after the other");
  }
  void turn_over_every_bit(const std::vector<Place>& all, std::size_t index) {
    const Place& place = all[index];
    const std::string path = LogMachine::path(place.segment, SegmentFileKind::log);
    std::size_t bits_missed = 0;
    for (std::uint64_t bit = 0; bit < place.bytes * 8; ++bit) {
      const std::uint64_t in_file = place.position * 8 + bit;
      ASSERT_TRUE(machine.disk.flip_bit(path, in_file));
      machine.restart();
      ASSERT_TRUE(machine.open(true));
      missed.clear();
      expect_all_find(all, index);
      if (!missed.empty() && ++bits_missed <= 5) {
        ADD_FAILURE() << path << ", batch at position " << place.position << ", byte " << bit / 8
                      << ", bit " << bit % 8 << ": " << missed.size() << " reads, the first "
                      << missed.front();
      }
      ASSERT_TRUE(machine.wait(machine.log->close()));
      machine.log.reset();
      ASSERT_TRUE(machine.disk.flip_bit(path, in_file));
    }
    EXPECT_EQ(bits_missed, 0u) << path << ", batch at position " << place.position;
  }
  // Three records each, of two leaders.
  void fill(int batches) {
    machine.config.segment_bytes = 700;
    machine.config.index_interval_bytes = 150;
    ASSERT_TRUE(machine.open());
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(machine.append({{"aa", "bb", "c"}}, LeaderEpoch(i < 10 ? 3 : 4)));
    }
  }

  LogMachine machine{1};
  std::vector<std::string> missed;
  std::size_t asked = 0;
};

TEST_F(DamagedBatch, is_found_in_a_closed_segment_whichever_bit_it_is) {
  fill(30);
  const std::vector<Place> all = places_of(machine);
  const std::int64_t segment = machine.log->segments()[1]->base().value();
  const std::vector<Place> in = in_segment(all, segment);
  ASSERT_GT(in.size(), 5u);
  ASSERT_TRUE(machine.close());
  const auto first = static_cast<std::size_t>(segment / 3);
  for (const std::size_t index : {first, first + in.size() / 2, first + in.size() - 1}) {
    ASSERT_EQ(all[index].segment, segment);
    turn_over_every_bit(all, index);
  }
  EXPECT_GT(asked, 10'000u);
}

TEST_F(DamagedBatch, is_found_in_the_last_segment_whichever_bit_it_is) {
  fill(28);
  const std::vector<Place> all = places_of(machine);
  const std::int64_t segment = machine.log->segments().back()->base().value();
  const std::vector<Place> in = in_segment(all, segment);
  ASSERT_GT(in.size(), 3u);
  ASSERT_TRUE(machine.close());
  for (const std::size_t back : {in.size(), in.size() / 2, std::size_t{1}}) {
    turn_over_every_bit(all, all.size() - back);
  }
}

// The batch alone is in its segment, or in the log.
TEST_F(DamagedBatch, is_found_where_it_has_no_neighbours) {
  machine.config.segment_bytes = 100;
  ASSERT_TRUE(machine.open());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(machine.append({{"aa", "bb", "c"}}, LeaderEpoch(3)));
  const std::vector<Place> all = places_of(machine);
  ASSERT_EQ(machine.log->segments().size(), 3u);
  ASSERT_TRUE(machine.close());
  for (std::size_t index = 0; index < all.size(); ++index) turn_over_every_bit(all, index);
}

// Batches that are not damaged are still read where another one is.
TEST_F(DamagedBatch, does_not_hide_the_others) {
  fill(30);
  const std::vector<Place> all = places_of(machine);
  ASSERT_TRUE(machine.close());
  const std::size_t damaged = 11;
  // Base offset upwards and downwards, epoch, payload.
  for (const std::uint64_t bit : {7 * 8 + 7u, 7 * 8 + 0u, 7 * 8 + 5u, 15 * 8 + 0u, 70 * 8 + 3u}) {
    const std::string path = LogMachine::path(all[damaged].segment, SegmentFileKind::log);
    ASSERT_TRUE(machine.disk.flip_bit(path, all[damaged].position * 8 + bit));
    machine.restart();
    ASSERT_TRUE(machine.open(true));
    std::size_t read_well = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      std::uint64_t got = 0;
      const auto error = read(Offset(all[i].base), Offset(all[i].last + 1), all[i].bytes, got);
      if (!error && got == all[i].bytes) ++read_well;
      if (i == damaged) EXPECT_TRUE(error) << bit;
    }
    EXPECT_GE(read_well, all.size() - 2) << bit;
    ASSERT_TRUE(machine.wait(machine.log->close()));
    machine.log.reset();
    ASSERT_TRUE(machine.disk.flip_bit(path, all[damaged].position * 8 + bit));
  }
}

// Where compaction left gaps, an offset may move within one: an entry of the index tells it.
TEST_F(DamagedBatch, between_gaps_is_found_by_the_index) {
  machine.config.segment_bytes = 700;
  machine.config.index_interval_bytes = 1;
  ASSERT_TRUE(machine.open());
  for (std::int64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(machine.replicate(replicated(i * 100, {"aa", "bb", "c"}, 3)));
  }
  const std::vector<Place> all = places_of(machine);
  const std::int64_t segment = machine.log->segments()[1]->base().value();
  const std::vector<Place> in = in_segment(all, segment);
  ASSERT_TRUE(machine.close());
  const auto first = static_cast<std::size_t>(in.front().base / 100);
  for (const std::size_t index : {first + 1, first + in.size() - 1}) {
    const Place& place = all[index];
    const std::string path = LogMachine::path(segment, SegmentFileKind::log);
    for (std::uint64_t bit = 0; bit < 64; ++bit) {
      ASSERT_TRUE(machine.disk.flip_bit(path, place.position * 8 + bit));
      machine.restart();
      ASSERT_TRUE(machine.open(true));
      missed.clear();
      expect_found(place, Offset(in.front().base), machine.log->end(), 700);
      expect_found(place, Offset(place.base), machine.log->end(), 1);
      EXPECT_TRUE(missed.empty()) << "bit " << bit << ": " << missed.front();
      ASSERT_TRUE(machine.wait(machine.log->close()));
      machine.log.reset();
      ASSERT_TRUE(machine.disk.flip_bit(path, place.position * 8 + bit));
    }
  }
}

}  // namespace
}  // namespace millrace::storage
