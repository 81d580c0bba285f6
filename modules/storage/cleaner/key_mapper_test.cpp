#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

using namespace cleaner_test;

class KeyMapperTest : public testing::Test {
 protected:
  // Maps all batches of the log; what the mapper says of each.
  std::vector<bool> map(std::int64_t from, std::int64_t to, std::uint64_t room = 100) {
    keys_.start(room);
    transactions_.expect(log_.aborted);
    KeyMapper mapper(keys_, transactions_, walk_, Offset(from), Offset(to));
    std::vector<bool> added;
    for (const Bytes& batch : log_.batches) {
      const auto answer = mapper.add(parsed(batch));
      EXPECT_TRUE(answer.has_value());
      added.push_back(answer.value_or(false));
      if (!added.back()) break;
    }
    mapped_end_ = mapper.mapped_end().value();
    records_ = mapper.records();
    return added;
  }
  std::int64_t last(std::string_view key) const { return keys_.find(as_bytes(key)).value(); }

  MemoryLog log_;
  protocol::Decompressor decompressor_;
  RecordWalk walk_{decompressor_};
  KeyOffsets keys_{9};
  CleanedTransactions transactions_;
  std::int64_t mapped_end_ = 0;
  std::uint64_t records_ = 0;
};

TEST_F(KeyMapperTest, maps_what_lies_in_the_range) {
  log_.append({{.key = "a"}, {.key = "b"}, {.key = "c"}});
  log_.append({{.key = "b"}, {.key = "d"}, {.key = "a"}});
  map(1, 5);
  EXPECT_EQ(last("a"), -1) << "at 0 and 5, both outside";
  EXPECT_EQ(last("b"), 3);
  EXPECT_EQ(last("c"), 2);
  EXPECT_EQ(last("d"), 4);
  EXPECT_EQ(mapped_end_, 5);
  EXPECT_EQ(records_, 4u);
}

TEST_F(KeyMapperTest, records_without_key_take_no_room) {
  log_.append({{.value = "x"}, {.key = "a"}, {.value = "y"}});
  EXPECT_EQ(map(0, 10, 1), std::vector{true});
  EXPECT_EQ(last("a"), 1);
  EXPECT_EQ(mapped_end_, 3) << "what follows the last batch is not known";
}

TEST_F(KeyMapperTest, stops_before_the_first_key_without_room) {
  log_.append({{.key = "a"}, {.key = "b"}});
  log_.append({{.key = "a"}, {.value = "no key"}, {.key = "c"}, {.key = "a"}}, {}, 3);
  log_.append({{.key = "b"}});
  EXPECT_EQ(map(0, 100, 2), (std::vector{true, false}));
  EXPECT_EQ(mapped_end_, 10);
  EXPECT_EQ(last("a"), 2);
  EXPECT_EQ(last("b"), 1);
}

TEST_F(KeyMapperTest, aborted_records_are_not_the_last_of_their_key) {
  const BatchOptions transactional{.producer = {ProducerId(1), ProducerEpoch(0), Sequence(0)},
                                   .transactional = true};
  log_.append({{.key = "a", .value = "old"}});
  log_.append({{.key = "a", .value = "aborted"}}, transactional);
  log_.end_transaction(ProducerId(1), ProducerEpoch(0), ControlRecordType::abort, Timestamp(1));
  log_.append({{.key = "b", .value = "committed"}}, transactional);
  log_.end_transaction(ProducerId(1), ProducerEpoch(0), ControlRecordType::commit, Timestamp(1));
  map(0, 5);
  EXPECT_EQ(last("a"), 0);
  EXPECT_EQ(last("b"), 3);
  EXPECT_EQ(mapped_end_, 5);
}

TEST_F(KeyMapperTest, damage_inside_a_batch_is_an_error) {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::lz4, Codec::zstd, Codec::snappy}) {
    Bytes batch = log_.append({{.key = "a", .value = std::string(100, 'v')}},
                              {.compression = CompressionOptions(codec)});
    batch[protocol::batch_layout::records] ^= std::byte{0x7f};
    store_big_endian(batch.data() + protocol::batch_layout::crc,
                     protocol::compute_batch_crc(batch));
    keys_.start(10);
    KeyMapper mapper(keys_, transactions_, walk_, Offset(0), Offset(1000));
    EXPECT_FALSE(mapper.add(parsed(batch))) << name_of(codec);
  }
}

}  // namespace
}  // namespace millrace::storage
