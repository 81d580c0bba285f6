#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::storage {
namespace {

EpochEntry entry(std::int32_t epoch, std::int64_t offset) {
  return {LeaderEpoch(epoch), Offset(offset)};
}
using Entries = std::vector<EpochEntry>;
using EpochEnd = LeaderEpochCache::EpochEnd;

Entries entries_of(const LeaderEpochCache& cache) {
  return {cache.entries().begin(), cache.entries().end()};
}
// Epoch 2 from offset 0, 3 from 10, 7 from 20.
LeaderEpochCache sample() {
  return LeaderEpochCache({entry(2, 0), entry(3, 10), entry(7, 20)});
}

TEST(LeaderEpochCache, notes_a_new_epoch_and_not_one_that_goes_on) {
  LeaderEpochCache cache;
  EXPECT_TRUE(cache.empty());
  EXPECT_TRUE(cache.assign(LeaderEpoch(4), Offset(0)));
  EXPECT_FALSE(cache.assign(LeaderEpoch(4), Offset(5)));
  EXPECT_TRUE(cache.assign(LeaderEpoch(5), Offset(9)));
  EXPECT_EQ(entries_of(cache), (Entries{entry(4, 0), entry(5, 9)}));
}

TEST(LeaderEpochCache, drops_what_contradicts_a_new_epoch) {
  LeaderEpochCache cache = sample();
  EXPECT_TRUE(cache.assign(LeaderEpoch(8), Offset(10))) << "two leaders wrote nothing that stayed";
  EXPECT_EQ(entries_of(cache), (Entries{entry(2, 0), entry(8, 10)}));
  cache = sample();
  EXPECT_TRUE(cache.assign(LeaderEpoch(3), Offset(25))) << "an older leader writes later";
  EXPECT_EQ(entries_of(cache), (Entries{entry(2, 0), entry(3, 25)}));
}

TEST(LeaderEpochCache, tells_the_epoch_of_a_record) {
  const LeaderEpochCache cache = LeaderEpochCache({entry(2, 5), entry(3, 10)});
  EXPECT_EQ(cache.epoch_for_offset(Offset(4)), std::nullopt);
  EXPECT_EQ(cache.epoch_for_offset(Offset(5)), LeaderEpoch(2));
  EXPECT_EQ(cache.epoch_for_offset(Offset(9)), LeaderEpoch(2));
  EXPECT_EQ(cache.epoch_for_offset(Offset(10)), LeaderEpoch(3));
  EXPECT_EQ(cache.epoch_for_offset(Offset(1'000'000)), LeaderEpoch(3));
}

TEST(LeaderEpochCache, tells_followers_where_an_epoch_ends) {
  const LeaderEpochCache cache = sample();
  const Offset end(33);
  const auto ask = [&](std::int32_t epoch) {
    return cache.end_offset_for(LeaderEpoch(epoch), end);
  };
  EXPECT_EQ(ask(7), (EpochEnd{LeaderEpoch(7), end})) << "the leader still writes";
  EXPECT_EQ(ask(3), (EpochEnd{LeaderEpoch(3), Offset(20)}));
  EXPECT_EQ(ask(5), (EpochEnd{LeaderEpoch(3), Offset(20)})) << "the last one that is known";
  EXPECT_EQ(ask(1), (EpochEnd{LeaderEpoch(1), Offset(0)})) << "all of its records are gone";
  EXPECT_EQ(ask(8), EpochEnd{}) << "not heard of";
  EXPECT_EQ(ask(-1), EpochEnd{});
  EXPECT_EQ(LeaderEpochCache().end_offset_for(LeaderEpoch(0), end), EpochEnd{});
}

TEST(LeaderEpochCache, forgets_what_is_cut_off_the_end) {
  LeaderEpochCache cache = sample();
  EXPECT_FALSE(cache.truncate_from_end(Offset(21)));
  EXPECT_TRUE(cache.truncate_from_end(Offset(20))) << "no record of epoch 7 is left";
  EXPECT_EQ(entries_of(cache), (Entries{entry(2, 0), entry(3, 10)}));
  EXPECT_TRUE(cache.truncate_from_end(Offset(0)));
  EXPECT_TRUE(cache.empty());
  EXPECT_FALSE(cache.truncate_from_end(Offset(0)));
}

TEST(LeaderEpochCache, moves_the_first_epoch_to_the_start_of_the_log) {
  LeaderEpochCache cache = sample();
  EXPECT_FALSE(cache.truncate_from_start(Offset(0)));
  EXPECT_TRUE(cache.truncate_from_start(Offset(12)));
  EXPECT_EQ(entries_of(cache), (Entries{entry(3, 12), entry(7, 20)}));
  EXPECT_FALSE(cache.truncate_from_start(Offset(12)));
  EXPECT_FALSE(cache.truncate_from_start(Offset(11)));
  EXPECT_TRUE(cache.truncate_from_start(Offset(100)));
  EXPECT_EQ(entries_of(cache), (Entries{entry(7, 100)})) << "the current leader goes on";
}

TEST(LeaderEpochCache, knows_neighbours) {
  const LeaderEpochCache cache = sample();
  EXPECT_EQ(cache.earliest(), entry(2, 0));
  EXPECT_EQ(cache.latest(), entry(7, 20));
  EXPECT_EQ(cache.previous(LeaderEpoch(2)), std::nullopt);
  EXPECT_EQ(cache.previous(LeaderEpoch(7)), entry(3, 10));
  EXPECT_EQ(cache.previous(LeaderEpoch(100)), entry(7, 20));
  EXPECT_EQ(cache.next(LeaderEpoch(0)), entry(2, 0));
  EXPECT_EQ(cache.next(LeaderEpoch(3)), entry(7, 20));
  EXPECT_EQ(cache.next(LeaderEpoch(7)), std::nullopt);
  EXPECT_EQ(cache.find(LeaderEpoch(3)), entry(3, 10));
  EXPECT_EQ(cache.find(LeaderEpoch(4)), std::nullopt);
  EXPECT_EQ(cache.find(LeaderEpoch(0)), std::nullopt);
  EXPECT_EQ(LeaderEpochCache().earliest(), std::nullopt);
  EXPECT_EQ(LeaderEpochCache().latest(), std::nullopt);
}

TEST(LeaderEpochCache, forgets_everything_when_asked) {
  LeaderEpochCache cache = sample();
  EXPECT_TRUE(cache.clear());
  EXPECT_TRUE(cache.empty());
  EXPECT_FALSE(cache.clear());
}

TEST(LeaderEpochCache, comes_back_from_its_file) {
  TestDisk disk;
  const LeaderEpochCache cache = sample();
  ASSERT_TRUE(disk.run(save_leader_epoch_checkpoint(disk.files(), "/log", cache.entries())));
  const auto loaded = disk.run(load_leader_epoch_checkpoint(disk.files(), "/log"));
  ASSERT_TRUE(loaded);
  EXPECT_EQ(entries_of(LeaderEpochCache(*loaded)), entries_of(cache));
}

// A line of the golden traces, held against a cache.
class Replay {
 public:
  void step(const std::vector<std::string>& row) {
    const std::string& what = row[0];
    if (what == "begin") {
      cache_ = LeaderEpochCache();
      before_.clear();
    } else if (what == "assign") {
      note(cache_.assign(LeaderEpoch(epoch(row[1])), Offset(number(row[2]))));
    } else if (what == "from_end") {
      note(cache_.truncate_from_end(Offset(number(row[1]))));
    } else if (what == "from_start") {
      note(cache_.truncate_from_start(Offset(number(row[1]))));
    } else if (what == "end_offset") {
      EXPECT_EQ(cache_.end_offset_for(LeaderEpoch(epoch(row[1])), Offset(number(row[2]))),
                (EpochEnd{LeaderEpoch(epoch(row[3])), Offset(number(row[4]))}));
    } else if (what == "epoch_for_offset") {
      EXPECT_EQ(cache_.epoch_for_offset(Offset(number(row[1]))).value_or(no_leader_epoch),
                LeaderEpoch(epoch(row[2])));
    } else if (what == "neighbours") {
      const LeaderEpoch of(epoch(row[1]));
      EXPECT_EQ(cache_.previous(of).value_or(entry(-1, 0)).epoch, LeaderEpoch(epoch(row[2])));
      EXPECT_EQ(cache_.next(of).value_or(entry(-1, 0)).epoch, LeaderEpoch(epoch(row[3])));
    } else {
      ASSERT_EQ(what, "entries");
      compare(row);
    }
  }

 private:
  static std::int64_t number(const std::string& text) { return std::stoll(text); }
  static std::int32_t epoch(const std::string& text) { return std::stoi(text); }

  // Whether a change was reported, and what was there before it.
  void note(bool changed) {
    EXPECT_EQ(changed, entries_of(cache_) != before_);
    before_ = entries_of(cache_);
  }
  void compare(const std::vector<std::string>& row) {
    Entries expected;
    for (std::size_t at = 1; at < row.size(); ++at) {
      const std::size_t space = row[at].find(' ');
      expected.push_back(entry(epoch(row[at].substr(0, space)), number(row[at].substr(space + 1))));
    }
    EXPECT_EQ(entries_of(cache_), expected);
    before_ = expected;
  }

  LeaderEpochCache cache_;
  Entries before_;
};

TEST(LeaderEpochCache, does_what_kafka_does) {
  Replay replay;
  std::size_t line = 0;
  for (const auto& row : golden_table("epoch_traces.tsv")) {
    ++line;
    replay.step(row);
    ASSERT_FALSE(testing::Test::HasFailure()) << "line " << line;
  }
  EXPECT_GT(line, 1000u);
}

// A log in which every record knows the epoch of its leader: what the cache is to stand for.
RC_GTEST_PROP(LeaderEpochCache, knows_of_every_record_what_the_log_knows, ()) {
  LeaderEpochCache cache;
  std::map<std::int64_t, std::int32_t> log;
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::int32_t current = 0;
  for (int step = *rc::gen::inRange(1, 40); step > 0; --step) {
    const auto any_offset = [&] { return *rc::gen::inRange(start, end + 1); };
    switch (*rc::gen::inRange(0, 5)) {
      case 0:
        current += *rc::gen::inRange(1, 3);
        break;
      case 1:
        end = any_offset();
        log.erase(log.lower_bound(end), log.end());
        static_cast<void>(cache.truncate_from_end(Offset(end)));
        break;
      case 2:
        start = any_offset();
        log.erase(log.begin(), log.lower_bound(start));
        static_cast<void>(cache.truncate_from_start(Offset(start)));
        break;
      default:
        static_cast<void>(cache.assign(LeaderEpoch(current), Offset(end)));
        for (int records = *rc::gen::inRange(1, 4); records > 0; --records) log[end++] = current;
    }
    std::int32_t last = -1;
    for (const auto& [offset, epoch] : log) {
      RC_ASSERT(cache.epoch_for_offset(Offset(offset)) == LeaderEpoch(epoch));
      last = epoch;
    }
    for (const auto& [offset, epoch] : log) {
      if (epoch == last) break;
      const auto after = cache.end_offset_for(LeaderEpoch(epoch), Offset(end));
      RC_ASSERT(after.epoch == LeaderEpoch(epoch));
      RC_ASSERT(log.at(after.end_offset.value()) > epoch);
      RC_ASSERT(log.at(after.end_offset.value() - 1) == epoch);
    }
  }
}

}  // namespace
}  // namespace millrace::storage
