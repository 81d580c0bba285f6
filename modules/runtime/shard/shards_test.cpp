#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

import millrace.runtime.shard;

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

ShardsOptions shards_of(std::uint32_t count) {
  ShardsOptions options;
  options.count = count;
  return options;
}

class ShardsTest : public testing::Test {
 protected:
  std::unique_ptr<Shards> start(const ShardsOptions& options) {
    return Shards::start(clock, registry, options).value();
  }

  SystemClock clock;
  telemetry::Registry registry{4};
};

TEST_F(ShardsTest, each_has_a_thread_with_its_name) {
  const auto shards = start(shards_of(3));
  ASSERT_EQ(shards->count(), 3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    const std::string name = shards->run_on(ShardIndex(i), [](Shard& shard) {
      std::array<char, 16> text{};
      ::pthread_getname_np(::pthread_self(), text.data(), text.size());
      return formatted("{}:{}", shard.index(), std::string_view(text.data()));
    });
    EXPECT_EQ(name, formatted("{}:shard-{}", i, i));
  }
}

TEST_F(ShardsTest, take_no_signals) {
  const auto shards = start(shards_of(1));
  const bool blocked = shards->run_on(ShardIndex{0}, [](Shard&) {
    sigset_t mask;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    return sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGPIPE) == 1;
  });
  EXPECT_TRUE(blocked);
}

TEST_F(ShardsTest, run_on_the_cores_that_they_are_given) {
  const std::vector<std::uint32_t> cores = usable_cores();
  ASSERT_FALSE(cores.empty());
  ShardsOptions options = shards_of(2);
  options.cores = {cores.back()};
  const auto shards = start(options);
  for (std::uint32_t i = 0; i < 2; ++i) {
    const auto core = shards->run_on(
        ShardIndex(i), [](Shard&) { return static_cast<std::uint32_t>(::sched_getcpu()); });
    EXPECT_EQ(core, cores.back());
  }
}

TEST_F(ShardsTest, do_not_start_on_a_core_that_is_not_there) {
  ShardsOptions options = shards_of(2);
  options.cores = {1'000'000};
  const auto shards = Shards::start(clock, registry, options);
  ASSERT_FALSE(shards);
  EXPECT_THAT(shards.error().message, HasSubstr("shard 0 cannot run on core 1000000"));
}

TEST_F(ShardsTest, are_at_least_one_and_not_more_than_the_registry_knows) {
  EXPECT_EQ(Shards::start(clock, registry, shards_of(0)).error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(Shards::start(clock, registry, shards_of(5)).error().message,
            "5 shards; allowed are 1 to 4");
}

// Goes from shard to shard, and from each on to the next, until the hops are used up.
Task<void> wander(Shard& here, int hops, std::atomic<int>& hopped) {
  if (hops == 0) co_return;
  ++hopped;
  const ShardIndex next((here.index().value() + 1) % here.shard_count());
  co_await here.call(next,
                     [hops, &hopped](Shard& there) { return wander(there, hops - 1, hopped); });
}

TEST_F(ShardsTest, end_only_when_all_calls_between_them_are_answered) {
  for (int round = 0; round < 20; ++round) {
    const auto shards = start(shards_of(3));
    std::atomic<int> hopped = 0;
    std::vector<std::unique_ptr<TaskGroup>> groups;
    for (std::uint32_t i = 0; i < 3; ++i) {
      groups.push_back(std::make_unique<TaskGroup>());
      shards->run_on(ShardIndex(i), [&](Shard& here) {
        for (int walk = 0; walk < 10; ++walk) groups[i]->start(wander(here, 50, hopped));
      });
    }
    shards->stop();
    EXPECT_EQ(hopped, 3 * 10 * 50);
    for (const auto& group : groups) EXPECT_EQ(group->running(), 0);
  }
}

TEST_F(ShardsTest, call_back_what_was_posted_before_they_end) {
  const auto shards = start(shards_of(1));
  struct Noting : Callback {
    explicit Noting(std::thread::id& t)
        : Callback([](Callback& self) {
            static_cast<Noting&>(self).thread = std::this_thread::get_id();
          }),
          thread(t) {}
    std::thread::id& thread;
  };
  std::vector<std::thread::id> threads(1000);
  std::vector<std::unique_ptr<Noting>> posted;
  for (std::thread::id& thread : threads) posted.push_back(std::make_unique<Noting>(thread));
  const auto thread_of_shard = shards->run_on(ShardIndex{0}, [&](Shard& here) {
    for (const auto& noting : posted) here.loop().post(*noting);
    return std::this_thread::get_id();
  });
  shards->stop();
  for (const std::thread::id thread : threads) ASSERT_EQ(thread, thread_of_shard);
}

TEST_F(ShardsTest, stop_twice_as_once) {
  const auto shards = start(shards_of(2));
  shards->stop();
  shards->stop();
}

TEST_F(ShardsTest, tell_which_of_them_hangs) {
  const auto shards = start(shards_of(2));
  std::atomic<bool> released = false;
  std::atomic<bool> hangs = false;
  struct Hanging : Callback {
    Hanging(std::atomic<bool>& h, std::atomic<bool>& r)
        : Callback([](Callback& self) {
            auto& hanging = static_cast<Hanging&>(self);
            hanging.hangs = true;
            hanging.released.wait(false);
          }),
          hangs(h),
          released(r) {}
    std::atomic<bool>& hangs;
    std::atomic<bool>& released;
  } hanging(hangs, released);
  shards->at(ShardIndex{1}).loop().mailbox().send(hanging);
  RunningTurn longest;
  while (longest.running < 20ms) {
    std::this_thread::sleep_for(1ms);
    longest = shards->longest_running_turn();
  }
  EXPECT_EQ(longest.shard, ShardIndex{1});
  EXPECT_TRUE(hangs);
  released = true;
  released.notify_all();
  shards->stop();  // before what it looks at
}

TEST_F(ShardsTest, show_stalls_and_calls_as_metrics_that_the_page_documents) {
  const auto shards = start(shards_of(2));
  shards->run_on(ShardIndex{0}, [](Shard& here) -> Task<void> {
    co_await here.call(ShardIndex{1}, [](Shard&) { std::this_thread::sleep_for(25ms); });
  });
  shards->stop();
  const std::string text = telemetry::exposition_text(registry);
  EXPECT_THAT(text, HasSubstr("millrace_shard_calls_total{shard=\"0\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("millrace_shard_calls_total{shard=\"1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("millrace_shard_stalls_total{shard=\"1\"} "));
  EXPECT_THAT(text, Not(HasSubstr("millrace_shard_stalls_total{shard=\"1\"} 0\n")));

  telemetry::Registry only_calls(1);
  const auto calls = CallMetrics::create(only_calls, ShardIndex{0});
  ASSERT_TRUE(calls);
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR) + "/docs/metrics.md", std::ios::binary);
  const std::string page(std::istreambuf_iterator<char>(file), {});
  const std::string table = only_calls.documentation();
  for (const std::string_view name :
       {"millrace_shard_calls_total", "millrace_shard_call_waits_total"}) {
    const std::size_t begin = table.find(formatted("| `{}`", name));
    ASSERT_NE(begin, std::string::npos);
    const std::string row = table.substr(begin, table.find('\n', begin) + 1 - begin);
    EXPECT_NE(page.find(row), std::string::npos) << "docs/metrics.md should hold\n" << row;
  }
}

}  // namespace
}  // namespace millrace
