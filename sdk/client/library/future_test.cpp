#include "millrace/future.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <exception>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "client_thread_mark.hpp"

namespace {

using namespace std::chrono_literals;
using millrace::v1::Future;
using millrace::v1::detail::ClientThreadMark;
template <class T>
using Promise = millrace::v1::detail::Promise<T>;

// A coroutine that begins at once; its owner may destroy it while it waits.
class Routine {
 public:
  struct promise_type {
    Routine get_return_object() {
      return Routine(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }
  };

  explicit Routine(std::coroutine_handle<> handle) : handle_(handle) {}
  Routine(Routine&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Routine& operator=(Routine&&) = delete;
  ~Routine() {
    if (handle_) handle_.destroy();
  }

 private:
  std::coroutine_handle<> handle_;
};

Routine await_into(Future<int> future, int& into) {
  into = co_await std::move(future);
}

TEST(Future, gives_a_value_that_was_there_before) {
  Promise<int> promise;
  Future<int> future = promise.future();
  EXPECT_FALSE(future.is_ready());
  EXPECT_FALSE(future.wait_for(0ms));
  promise.set(3);
  EXPECT_TRUE(future.is_ready());
  EXPECT_TRUE(future.wait_for(0ms));
  EXPECT_EQ(future.get(), 3);
}

TEST(Future, waits_for_another_thread) {
  Promise<int> promise;
  Future<int> future = promise.future();
  std::thread other([promise = std::move(promise)]() mutable { promise.set(4); });
  EXPECT_EQ(future.get(), 4);
  other.join();
}

TEST(Future, waits_for_any_time_without_overflow) {
  Promise<int> promise;
  Future<int> future = promise.future();
  std::thread other([promise = std::move(promise)]() mutable { promise.set(4); });
  EXPECT_TRUE(future.wait_for(std::chrono::hours::max()));
  other.join();
}

TEST(Future, calls_a_function_whether_it_comes_before_or_after_the_value) {
  Promise<int> early;
  int got = 0;
  early.future().then([&](int value) { got = value; });
  EXPECT_EQ(got, 0);
  early.set(5);
  EXPECT_EQ(got, 5);

  Promise<int> late;
  Future<int> future = late.future();
  late.set(6);
  std::move(future).then([&](int value) { got = value; });
  EXPECT_EQ(got, 6);
}

TEST(Future, takes_functions_of_any_size) {
  Promise<int> promise;
  std::array<char, 200> large{};
  large.back() = 7;
  const auto shared = std::make_shared<int>(0);
  promise.future().then([large, shared](int value) { *shared = value + large.back(); });
  EXPECT_EQ(shared.use_count(), 2);
  promise.set(1);
  EXPECT_EQ(*shared, 8);
  EXPECT_EQ(shared.use_count(), 1) << "the function must be gone after its call";
}

TEST(Future, resumes_a_coroutine) {
  Promise<int> promise;
  int got = 0;
  const Routine routine = await_into(promise.future(), got);
  EXPECT_EQ(got, 0);
  promise.set(8);
  EXPECT_EQ(got, 8);
}

TEST(Future, does_not_suspend_a_coroutine_when_the_value_is_there) {
  Promise<int> promise;
  Future<int> future = promise.future();
  promise.set(9);
  int got = 0;
  const Routine routine = await_into(std::move(future), got);
  EXPECT_EQ(got, 9);
}

TEST(Future, does_not_resume_a_coroutine_that_is_gone) {
  Promise<int> promise;
  int got = 0;
  {
    const Routine routine = await_into(promise.future(), got);
  }
  promise.set(10);
  EXPECT_EQ(got, 0);
}

TEST(Future, may_be_dropped_and_drops_the_value) {
  const auto shared = std::make_shared<int>(1);
  {
    Promise<std::shared_ptr<int>> promise;
    static_cast<void>(promise.future());
    promise.set(shared);
  }
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(Future, refuses_to_wait_on_the_thread_that_would_complete_it) {
  Promise<int> promise;
  Future<int> future = promise.future();
  {
    const ClientThreadMark mark;
    EXPECT_THROW(static_cast<void>(future.get()), std::logic_error);
    EXPECT_THROW(static_cast<void>(future.wait_for(1ms)), std::logic_error);
  }
  promise.set(11);
  const ClientThreadMark mark;
  EXPECT_EQ(future.get(), 11) << "what is there needs no waiting";
}

TEST(Future, survives_completion_and_dropping_at_the_same_time) {
  for (int round = 0; round < 2000; ++round) {
    Promise<int> promise;
    Future<int> future = promise.future();
    std::atomic<int> calls = 0;
    std::thread completer([&] { promise.set(round); });
    if (round % 2 == 0) {
      std::move(future).then([&](int value) { calls += value == round ? 1 : 1000; });
    } else {
      const Future<int> dropped = std::move(future);
    }
    completer.join();
    ASSERT_EQ(calls.load(), round % 2 == 0 ? 1 : 0);
  }
}

}  // namespace
