// What readers of all records and readers of committed ones are given. Also proves answer.cpp,
// part.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "fetch_machine.hpp"

namespace millrace::broker {
namespace {

using protocol::ControlRecordType;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;
using testing::Pair;

constexpr std::int8_t uncommitted = 0;
constexpr std::int8_t committed = 1;
constexpr ProducerId first_producer{7};
constexpr ProducerId second_producer{8};
constexpr auto versions =
    std::to_array<std::int16_t>({4, 5, version_by_name, 12, version_13, version_by_id});

class Isolated : public testing::TestWithParam<std::uint64_t> {
 protected:
  Isolated() { machine.make_topic("orders", 1); }

  Partition& orders() { return machine.partition("orders", 0); }
  // A batch of one record. The sequences of a producer begin at 0.
  Task<void> add(ProducerId producer, std::int32_t sequence, std::string value) {
    protocol::BatchOptions options;
    options.producer = {producer, ProducerEpoch(0), Sequence(sequence)};
    options.transactional = true;
    co_await FetchMachine::append_batch(orders(), FetchMachine::batch_of(value, options));
  }
  Task<void> end(ProducerId producer, ControlRecordType how) {
    protocol::BatchOptions options;
    options.producer = {producer, ProducerEpoch(0), no_sequence};
    options.transactional = options.control = true;
    const auto key = protocol::encode_control_record_key(how);
    const auto value = protocol::encode_end_transaction_marker(protocol::CoordinatorEpoch(0));
    co_await FetchMachine::append_batch(orders(),
                                        FetchMachine::batch_of(as_text(value), options, key),
                                        storage::AppendOrigin::coordinator);
  }
  // What is said of the only partition.
  Told fetch(std::int8_t isolation, std::int16_t version = version_by_id, std::int64_t offset = 0) {
    FetchTold told =
        machine.fetch({.wanted = {{.offset = offset}}, .version = version, .isolation = isolation});
    EXPECT_EQ(told.partitions.size(), 1U);
    return told.partitions.empty() ? Told{} : std::move(told.partitions[0]);
  }
  // A fetch that waits for a minute at most, and what happens while it does.
  template <class Event>
  Told fetch_while(std::int8_t isolation, std::int64_t offset, Event event) {
    FetchTold told;
    const auto both = [&]() -> Task<void> {
      TaskGroup tasks;
      const auto ask = [&]() -> Task<void> {
        told = co_await machine.ask(
            {.wanted = {{.offset = offset}}, .wait_ms = 60'000, .isolation = isolation});
      };
      tasks.start(ask());
      co_await sleep_until(machine.executor, now() + milliseconds(100));
      co_await event();
      co_await tasks.wait();
    };
    machine.run(both());
    EXPECT_EQ(told.partitions.size(), 1U);
    return told.partitions.empty() ? Told{} : std::move(told.partitions[0]);
  }
  [[nodiscard]] MonotonicTime now() { return machine.executor.clock().now(); }

  FetchMachine machine{GetParam(), 2};
};

TEST_P(Isolated, readers_of_all_records_get_those_of_an_open_transaction) {
  machine.append("orders", 0, {"before"});
  machine.run(add(first_producer, 0, "open"));
  machine.append("orders", 0, {"after"});
  for (const std::int16_t version : versions) {
    const Told told = fetch(uncommitted, version);
    EXPECT_THAT(told.values, ElementsAre("before", "open", "after")) << "version " << version;
    EXPECT_EQ(told.high_watermark, 3) << "version " << version;
    EXPECT_EQ(told.last_stable, 1) << "version " << version;
    EXPECT_FALSE(told.aborted.has_value()) << "version " << version << ": the list is null";
  }
}

TEST_P(Isolated, readers_of_committed_records_get_none_from_the_first_open_transaction_on) {
  machine.append("orders", 0, {"before"});
  machine.run(add(first_producer, 0, "open"));
  machine.append("orders", 0, {"after"});
  for (const std::int16_t version : versions) {
    const Told told = fetch(committed, version);
    EXPECT_THAT(told.values, ElementsAre("before")) << "version " << version;
    EXPECT_EQ(told.high_watermark, 3) << "version " << version;
    EXPECT_EQ(told.last_stable, 1) << "version " << version;
    EXPECT_THAT(told.aborted, Optional(IsEmpty())) << "version " << version;
    for (const std::int64_t offset : {1, 2, 3}) {
      const Told nothing = fetch(committed, version, offset);
      EXPECT_EQ(nothing.error, ErrorCode::none) << "offset " << offset;
      EXPECT_THAT(nothing.values, IsEmpty()) << "offset " << offset;
      EXPECT_EQ(nothing.last_stable, 1) << "offset " << offset;
    }
    EXPECT_EQ(fetch(committed, version, 4).error, ErrorCode::offset_out_of_range);
  }
}

TEST_P(Isolated, readers_of_committed_records_are_told_which_of_them_were_aborted) {
  machine.run(add(first_producer, 0, "aborted"));
  machine.run(add(second_producer, 0, "kept"));
  machine.run(end(first_producer, ControlRecordType::abort));
  machine.run(end(second_producer, ControlRecordType::commit));
  machine.run(add(second_producer, 1, "aborted too"));
  machine.run(end(second_producer, ControlRecordType::abort));
  for (const std::int16_t version : versions) {
    const Told all = fetch(committed, version);
    EXPECT_THAT(all.values, ElementsAre("aborted", "kept", "aborted too")) << "version " << version;
    EXPECT_EQ(all.markers, 3U) << "version " << version;
    EXPECT_EQ(all.last_stable, 6) << "version " << version;
    EXPECT_THAT(all.aborted, Optional(ElementsAre(Pair(7, 0), Pair(8, 4))))
        << "version " << version;
    // Those that ended before what is asked for are of no interest.
    EXPECT_THAT(fetch(committed, version, 3).aborted, Optional(ElementsAre(Pair(8, 4))));
    EXPECT_THAT(fetch(committed, version, 6).aborted, Optional(IsEmpty()));
    EXPECT_FALSE(fetch(uncommitted, version).aborted.has_value()) << "version " << version;
  }
}

TEST_P(Isolated, a_commit_gives_readers_of_committed_records_what_they_wait_for) {
  machine.run(add(first_producer, 0, "open"));
  const MonotonicTime begin = now();
  const Told told =
      fetch_while(committed, 0, [&] { return end(first_producer, ControlRecordType::commit); });
  EXPECT_LT(now() - begin, milliseconds(60'000)) << "of simulated time";
  EXPECT_THAT(told.values, ElementsAre("open"));
  EXPECT_EQ(told.last_stable, 2);
  EXPECT_THAT(told.aborted, Optional(IsEmpty()));
}

TEST_P(Isolated, records_of_an_open_transaction_end_the_wait_of_readers_of_all_records_only) {
  MonotonicTime begin = now();
  const Told told = fetch_while(uncommitted, 0, [&] { return add(first_producer, 0, "open"); });
  EXPECT_LT(now() - begin, milliseconds(60'000)) << "of simulated time";
  EXPECT_THAT(told.values, ElementsAre("open"));
  begin = now();
  const Told waited = fetch_while(committed, 0, [&] { return add(first_producer, 1, "more"); });
  EXPECT_GE(now() - begin, milliseconds(60'000)) << "of simulated time";
  EXPECT_THAT(waited.values, IsEmpty());
  EXPECT_EQ(waited.high_watermark, 2);
  EXPECT_EQ(waited.last_stable, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Isolated, testing::Range<std::uint64_t>(0, 5));

}  // namespace
}  // namespace millrace::broker
