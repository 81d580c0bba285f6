#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

import millrace.runtime.shard;

namespace millrace {
namespace {

struct Numbered : Callback {
  Numbered(std::size_t s, std::size_t n) : Callback([](Callback&) {}), sender(s), number(n) {}
  std::size_t sender;
  std::size_t number;
};

TEST(Arrivals, come_in_the_order_of_pushing) {
  Arrivals arrivals;
  Numbered first(0, 1);
  Numbered second(0, 2);
  EXPECT_FALSE(arrivals.push(first));
  EXPECT_FALSE(arrivals.push(second));
  CallbackQueue queue;
  arrivals.take_into(queue);
  EXPECT_EQ(queue.take(), &first);
  EXPECT_EQ(queue.take(), &second);
  EXPECT_TRUE(queue.empty());
}

TEST(Arrivals, come_after_what_is_in_the_queue) {
  Arrivals arrivals;
  Numbered early(0, 1);
  Numbered late(0, 2);
  CallbackQueue queue;
  queue.add(early);
  EXPECT_FALSE(arrivals.push(late));
  arrivals.take_into(queue);
  EXPECT_EQ(queue.take(), &early);
  EXPECT_EQ(queue.take(), &late);
}

TEST(Arrivals, ring_once_for_a_receiver_that_sleeps) {
  Arrivals arrivals;
  Numbered first(0, 1);
  Numbered second(0, 2);
  ASSERT_TRUE(arrivals.fall_asleep());
  EXPECT_TRUE(arrivals.push(first));
  EXPECT_FALSE(arrivals.push(second));
  CallbackQueue queue;
  arrivals.take_into(queue);
  EXPECT_EQ(queue.take(), &first);
  EXPECT_EQ(queue.take(), &second);
}

TEST(Arrivals, do_not_let_the_receiver_sleep_over_them) {
  Arrivals arrivals;
  Numbered only(0, 1);
  EXPECT_FALSE(arrivals.push(only));
  EXPECT_FALSE(arrivals.fall_asleep());
  CallbackQueue queue;
  arrivals.take_into(queue);
  EXPECT_EQ(queue.take(), &only);
  EXPECT_TRUE(arrivals.fall_asleep());
}

TEST(Arrivals, wake_a_receiver_that_finds_nothing) {
  Arrivals arrivals;
  ASSERT_TRUE(arrivals.fall_asleep());
  CallbackQueue queue;
  arrivals.take_into(queue);
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(arrivals.fall_asleep());
}

// The bell is a counter here. A receiver that slept with something waiting would never end.
TEST(Arrivals, of_many_threads_all_come_each_sender_in_order) {
  constexpr std::size_t senders = 4;
  constexpr std::size_t each = 20'000;
  Arrivals arrivals;
  std::atomic<unsigned> bell = 0;
  std::array<std::vector<std::unique_ptr<Numbered>>, senders> sent;
  for (std::size_t sender = 0; sender < senders; ++sender) {
    for (std::size_t i = 0; i < each; ++i) {
      sent[sender].push_back(std::make_unique<Numbered>(sender, i));
    }
  }
  std::vector<std::thread> threads;
  for (auto& row : sent) {
    threads.emplace_back([&row, &arrivals, &bell] {
      for (const auto& callback : row) {
        if (!arrivals.push(*callback)) continue;
        bell.fetch_add(1);
        bell.notify_one();
      }
    });
  }
  std::array<std::size_t, senders> next{};
  std::size_t received = 0;
  unsigned heard = 0;
  while (received < senders * each) {
    if (arrivals.fall_asleep()) {
      bell.wait(heard);
      heard = bell.load();
    }
    CallbackQueue queue;
    arrivals.take_into(queue);
    while (Callback* callback = queue.take()) {
      const auto& numbered = static_cast<Numbered&>(*callback);
      ASSERT_EQ(numbered.number, next[numbered.sender]) << "sender " << numbered.sender;
      ++next[numbered.sender];
      ++received;
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(arrivals.fall_asleep());
}

}  // namespace
}  // namespace millrace
