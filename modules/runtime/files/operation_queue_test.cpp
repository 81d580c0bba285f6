#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::files {
namespace {

TEST(OperationQueue, is_first_in_first_out) {
  RealFiles real{RealFilesSetup{}};
  IoOperation a(real.files(), IoKind::read);
  IoOperation b(real.files(), IoKind::read);
  IoOperation c(real.files(), IoKind::read);
  OperationQueue queue;
  OperationQueue other;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.take(), nullptr);
  queue.add(a);
  other.add(b);
  other.add(c);
  queue.append(other);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(queue.size(), 3);
  EXPECT_EQ(queue.take(), &a);
  EXPECT_EQ(queue.take(), &b);
  queue.add(a);
  EXPECT_EQ(queue.take(), &c);
  EXPECT_EQ(queue.take(), &a);
  EXPECT_EQ(queue.take(), nullptr);
  EXPECT_EQ(queue.size(), 0);
}

TEST(OperationArrivals, are_taken_in_the_order_of_each_thread_and_once) {
  RealFiles real{RealFilesSetup{}};
  constexpr std::size_t threads = 3;
  constexpr std::size_t each = 2'000;
  std::vector<std::vector<std::unique_ptr<IoOperation>>> operations(threads);
  for (std::size_t thread = 0; thread < threads; ++thread) {
    for (std::size_t i = 0; i < each; ++i) {
      operations[thread].push_back(std::make_unique<IoOperation>(real.files(), IoKind::read));
      operations[thread].back()->position_ = thread * each + i;
    }
  }
  OperationArrivals arrivals;
  std::vector<std::thread> pushing;
  for (auto& own : operations) {
    pushing.emplace_back([&] {
      for (const auto& operation : own) ASSERT_TRUE(arrivals.push(*operation));
    });
  }
  std::vector<std::size_t> next(threads, 0);
  OperationQueue taken;
  for (std::size_t count = 0; count < threads * each;) {
    arrivals.take_into(taken);
    while (IoOperation* operation = taken.take()) {
      const std::size_t thread = operation->position_ / each;
      ASSERT_EQ(operation->position_ % each, next[thread]++);
      ++count;
    }
  }
  for (std::thread& thread : pushing) thread.join();
  arrivals.take_into(taken);
  EXPECT_TRUE(taken.empty());
}

TEST(OperationArrivals, take_nothing_when_they_are_closed) {
  RealFiles real{RealFilesSetup{}};
  IoOperation before(real.files(), IoKind::read);
  IoOperation after(real.files(), IoKind::read);
  OperationArrivals arrivals;
  ASSERT_TRUE(arrivals.push(before));
  OperationQueue left;
  arrivals.close_into(left);
  EXPECT_EQ(left.take(), &before);
  EXPECT_FALSE(arrivals.push(after));
  arrivals.take_into(left);
  arrivals.close_into(left);
  EXPECT_TRUE(left.empty());
}

}  // namespace
}  // namespace millrace::files
