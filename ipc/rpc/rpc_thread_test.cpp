#include <gtest/gtest.h>

#include <atomic>
#include <coroutine>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

import millrace.base;
import millrace.ipc.rpc;
import millrace.runtime;

namespace millrace::rpc {
namespace {

struct Noted : Callback {
  Noted(std::vector<int>& n, int v, std::latch& l)
      : Callback([](Callback& self) {
          auto& noted = static_cast<Noted&>(self);
          noted.numbers.push_back(noted.number);
          noted.latch.count_down();
        }),
        numbers(n),
        number(v),
        latch(l) {}
  std::vector<int>& numbers;
  int number;
  std::latch& latch;
};

TEST(RpcThread, calls_back_in_the_order_of_sending) {
  const auto thread = RpcThread::start().value();
  constexpr int count = 1000;
  std::vector<int> numbers;
  std::latch latch(count);
  std::vector<std::unique_ptr<Noted>> sent;
  std::vector<int> expected;
  for (int i = 0; i < count; ++i) {
    sent.push_back(std::make_unique<Noted>(numbers, i, latch));
    thread->mailbox().send(*sent.back());
    expected.push_back(i);
  }
  latch.wait();
  EXPECT_EQ(numbers, expected);
}

TEST(RpcThread, calls_back_what_was_sent_before_its_end) {
  std::vector<int> numbers;
  std::latch latch(2);
  Noted first(numbers, 1, latch);
  Noted second(numbers, 2, latch);
  {
    const auto thread = RpcThread::start("control").value();
    thread->mailbox().send(first);
    thread->mailbox().send(second);
  }
  EXPECT_EQ(numbers, (std::vector<int>{1, 2}));
}

TEST(RpcThread, is_woken_from_sleep_again_and_again) {
  const auto thread = RpcThread::start().value();
  std::vector<int> numbers;
  for (int i = 0; i < 200; ++i) {
    std::latch latch(1);
    Noted noted(numbers, i, latch);
    thread->mailbox().send(noted);
    latch.wait();
  }
  EXPECT_EQ(numbers.size(), 200U);
}

TEST(RpcThread, takes_callbacks_from_several_threads) {
  const auto thread = RpcThread::start().value();
  constexpr int count = 500;
  std::vector<int> numbers;
  std::latch latch(2 * count);
  const auto send_all = [&](int from, std::vector<std::unique_ptr<Noted>>& sent) {
    for (int i = 0; i < count; ++i) {
      sent.push_back(std::make_unique<Noted>(numbers, from + i, latch));
      thread->mailbox().send(*sent.back());
    }
  };
  std::vector<std::unique_ptr<Noted>> mine;
  std::vector<std::unique_ptr<Noted>> others;
  std::thread other([&] { send_all(count, others); });
  send_all(0, mine);
  other.join();
  latch.wait();
  EXPECT_EQ(numbers.size(), 2U * count);
}

}  // namespace
}  // namespace millrace::rpc
