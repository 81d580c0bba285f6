// Batches that take longer to check than a turn of the shard: what they cost, whom they keep
// waiting, and what may change meanwhile.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "data_machine.hpp"

namespace millrace::broker {
namespace {

namespace layout = protocol::batch_layout;
using Response = protocol::ProduceResponse;

// Fewer than a hundred kilobytes that become several turns of checking.
std::vector<std::byte> large_batch(std::size_t bytes = 7 * mebibyte) {
  return batch_of({.values = {std::string(bytes, 'x')}, .codec = protocol::Codec::lz4});
}

// Under a right CRC.
std::vector<std::byte> resealed(std::vector<std::byte> batch) {
  const ByteView covered = ByteView(batch).subspan(layout::attributes);
  store_big_endian(batch.data() + layout::crc, crc32c(covered));
  return batch;
}

// Requests of one batch each that are under way together.
class Requests {
 public:
  explicit Requests(DataMachine& machine) : machine_(machine) {}

  void send(std::int32_t partition, std::vector<std::byte> batch) {
    const std::size_t number = answers.size();
    answers.emplace_back();
    group_.start(take(machine_.produce_later({{"orders", partition, std::move(batch)}}), number));
  }
  // Until the answer to this one is there; gives how many others are there by then.
  std::size_t wait_for(std::size_t number) {
    while (!answers[number]) machine_.run(let_run());
    return static_cast<std::size_t>(
        std::ranges::count_if(answers, [](const auto& answer) { return answer.has_value(); }) - 1);
  }
  void wait_for_all() { machine_.run(all()); }

  std::vector<std::optional<Response::PartitionProduceResponse>> answers;

 private:
  Task<void> take(Task<Told<Response>> asking, std::size_t number) {
    const Told<Response> told = co_await std::move(asking);
    EXPECT_FALSE(told.closed) << told.reason;
    auto answer = told.message.responses[0].partition_responses[0];
    answer.error_message = {};  // a view of what goes
    answers[number] = answer;
  }
  Task<void> let_run() { co_await yield(machine_.executor); }
  Task<void> all() { co_await group_.wait(); }

  DataMachine& machine_;
  TaskGroup group_;
};

std::uint64_t pauses(const DataMachine& machine) {
  std::uint64_t all = 0;
  for (const auto& data : machine.data) all += data->metrics().check_pauses.value();
  return all;
}

// What is thrown away was decompressed all the same.
TEST(CheckLine, batches_that_fail_are_charged_for_what_they_made_the_shard_decompress) {
  constexpr std::size_t bytes = checked_bytes_per_turn - 128 * kibibyte;
  constexpr std::size_t count = 20;
  const std::vector<std::string> values{std::string(bytes, 'x')};
  auto cut_off = batch_of({.values = values, .codec = protocol::Codec::lz4});
  store_big_endian(cut_off.data() + layout::record_count, std::int32_t{2});
  store_big_endian(cut_off.data() + layout::last_offset_delta, std::int32_t{1});
  // Its checksum is behind all of it; raw snappy is one block, and gives nothing when it fails.
  auto gzip = batch_of({.values = values, .codec = protocol::Codec::gzip});
  gzip[gzip.size() - 8] ^= std::byte{1};
  auto snappy = batch_of({.values = values, .codec = protocol::Codec::snappy});
  snappy.back() ^= std::byte{0xff};
  for (const auto& bad : {resealed(cut_off), resealed(gzip), resealed(snappy)}) {
    DataMachine machine(51, 1);
    ASSERT_TRUE(machine.start().has_value());
    machine.make_topic({});
    Requests requests(machine);
    requests.send(0, large_batch());
    const std::uint64_t before = pauses(machine);
    for (std::size_t i = 0; i < count; ++i) requests.send(0, bad);
    requests.wait_for_all();
    for (std::size_t i = 1; i <= count; ++i) {
      EXPECT_EQ(DataMachine::code(*requests.answers[i]), ErrorCode::invalid_record);
    }
    EXPECT_GE(pauses(machine) - before, count * bytes / checked_bytes_per_turn);
  }
}

// Compressing takes longer than anything else that is done with a batch.
TEST(CheckLine, what_is_made_anew_in_another_codec_has_its_turns_too) {
  DataMachine machine(54, 1);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.settings = {{"compression.type", "gzip"}}});
  const std::uint64_t recompressed = machine.data[0]->metrics().recompressed_batches.value();
  constexpr std::size_t bytes = 7 * mebibyte;
  Requests one(machine);
  one.send(0, large_batch(bytes));
  one.wait_for_all();
  EXPECT_EQ(DataMachine::code(*one.answers[0]), ErrorCode::none);
  // To check it, and to read it again.
  const std::uint64_t for_one = pauses(machine);
  EXPECT_GE(for_one, 2 * (bytes / checked_bytes_per_turn));

  // Each fits into a turn; all of them do not, and keep nobody waiting who comes later.
  constexpr std::size_t count = 20;
  const auto small = batch_of({.values = {std::string(checked_bytes_per_turn / 16, 'x')}});
  Requests many(machine);
  for (std::size_t i = 0; i < count; ++i) many.send(0, small);
  many.wait_for_all();
  for (const auto& answer : many.answers) {
    EXPECT_EQ(DataMachine::code(*answer), ErrorCode::none);
    EXPECT_EQ(answer->base_offset, 1 + (&answer - many.answers.data()));
  }
  EXPECT_GE(pauses(machine) - for_one, count / 4 - 1);
  EXPECT_EQ(machine.data[0]->metrics().recompressed_batches.value() - recompressed, 1 + count);
}

TEST(CheckLine, those_of_other_partitions_are_answered_before_it_ends) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    DataMachine machine(seed, 1);
    ASSERT_TRUE(machine.start().has_value());
    machine.make_topic({.partitions = 6});
    constexpr std::size_t large = 24;
    Requests requests(machine);
    for (std::size_t i = 0; i < large; ++i) {
      requests.send(static_cast<std::int32_t>(i % 4), large_batch());
    }
    // In the turn in which all those came, and in later ones.
    for (int i = 0; i < 6; ++i) {
      const std::size_t number = requests.answers.size();
      requests.send(
          4, batch_of({.codec = i % 2 == 0 ? protocol::Codec::none : protocol::Codec::gzip}));
      EXPECT_LT(requests.wait_for(number), large / 2) << seed;
      EXPECT_EQ(DataMachine::code(*requests.answers[number]), ErrorCode::none);
    }
    requests.wait_for_all();
    EXPECT_EQ(machine.values(machine.partition("orders", 4)).size(), 6U);
  }
}

TEST(CheckLine, partitions_take_turns_in_it) {
  DataMachine machine(53, 1);
  ASSERT_TRUE(machine.start().has_value());
  machine.make_topic({.partitions = 2});
  constexpr std::size_t large = 12;
  Requests requests(machine);
  for (std::size_t i = 0; i < large; ++i) requests.send(0, large_batch());
  requests.send(1, large_batch());
  EXPECT_LT(requests.wait_for(large), large / 2);
  requests.wait_for_all();
  for (std::size_t i = 0; i < large; ++i) {
    EXPECT_EQ(requests.answers[i]->base_offset, static_cast<std::int64_t>(i));
  }
}

struct Stored {
  protocol::TimestampType type{};
  Timestamp max;
};
Task<std::vector<Stored>> stored(Partition& of) {
  std::vector<Stored> all;
  for (Offset from = of.log_start(); from < of.high_watermark();) {
    const auto read = co_await of.read_internal(of.leader_epoch(), from, 1 << 20);
    EXPECT_TRUE(read.has_value() && !read->bytes.empty());
    if (!read || read->bytes.empty()) break;
    protocol::BatchSplitter splitter(read->bytes);
    for (protocol::BatchView batch; splitter.next(batch);) {
      const protocol::BatchHeader& header = batch.header();
      all.push_back({header.attributes.timestamp_type(), header.max_timestamp});
      from = header.last_offset().next();
    }
  }
  co_return all;
}

// The type decides which timestamps are right: it is the one that they were checked for.
TEST(CheckLine, a_timestamp_type_that_changes_meanwhile_counts_for_batches_after_that) {
  for (const char* codec : {"producer", "zstd"}) {
    DataMachine machine(54, 1);
    ASSERT_TRUE(machine.start().has_value());
    machine.make_topic(
        {.settings = {{"message.timestamp.type", "LogAppendTime"}, {"compression.type", codec}}});
    constexpr std::size_t large = 20;
    Requests requests(machine);
    for (std::size_t i = 0; i < large; ++i) requests.send(0, large_batch());
    requests.wait_for(2);
    machine.set("orders", "message.timestamp.type", "CreateTime");
    requests.wait_for_all();
    const auto found = machine.wait(stored(machine.partition("orders")));
    ASSERT_EQ(found.size(), large) << codec;
    std::size_t with_create_time = 0;
    for (std::size_t i = 0; i < large; ++i) {
      const Timestamp told(requests.answers[i]->log_append_time_ms);
      if (found[i].type == protocol::TimestampType::create_time) {
        ++with_create_time;
        EXPECT_EQ(found[i].max, Timestamp(1'000)) << codec << ", " << i;
        EXPECT_EQ(told, no_timestamp) << codec << ", " << i;
      } else {
        EXPECT_EQ(with_create_time, 0U) << codec << ", " << i;
        EXPECT_EQ(told, found[i].max) << codec << ", " << i;
      }
    }
    EXPECT_GT(with_create_time, 0U) << codec;
    EXPECT_LT(with_create_time, large) << codec;
  }
}

}  // namespace
}  // namespace millrace::broker
