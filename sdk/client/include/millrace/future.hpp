// How operations end: a Future<T> can be awaited by a coroutine, waited for by a thread, or given
// a function to call. One of the three, once.
#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "millrace/abi.hpp"

namespace millrace::inline v1 {

template <class T>
class Future;
class EventQueue;

namespace detail {

// A function without arguments that is called once. What is small lies within it.
class Callback {
 public:
  static constexpr std::size_t inline_bytes = 48;

  Callback() = default;
  template <class Function>
    requires(!std::is_same_v<std::decay_t<Function>, Callback>)
  explicit Callback(Function&& function) {
    using Held = std::decay_t<Function>;
    if constexpr (fits<Held>) {
      ::new (static_cast<void*>(storage_)) Held(std::forward<Function>(function));
      act_ = [](Action action, std::byte* from, std::byte* to) {
        Held& held = *std::launder(reinterpret_cast<Held*>(from));
        if (action == Action::call) held();
        if (action == Action::move) ::new (static_cast<void*>(to)) Held(std::move(held));
        if (action != Action::call) held.~Held();
      };
    } else {
      ::new (static_cast<void*>(storage_)) Held*(new Held(std::forward<Function>(function)));
      act_ = [](Action action, std::byte* from, std::byte* to) {
        Held* held = *std::launder(reinterpret_cast<Held**>(from));
        if (action == Action::call) (*held)();
        if (action == Action::move) ::new (static_cast<void*>(to)) Held*(held);
        if (action == Action::destroy) delete held;
      };
    }
  }
  Callback(Callback&& other) noexcept { take(other); }
  Callback& operator=(Callback&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  ~Callback() { reset(); }

  [[nodiscard]] explicit operator bool() const noexcept { return act_ != nullptr; }
  void operator()() { act_(Action::call, storage_, nullptr); }
  void reset() noexcept {
    if (act_ != nullptr) std::exchange(act_, nullptr)(Action::destroy, storage_, nullptr);
  }

 private:
  enum class Action : std::uint8_t { call, move, destroy };
  template <class Held>
  static constexpr bool fits =
      sizeof(Held) <= inline_bytes && alignof(Held) <= alignof(std::max_align_t) &&
      std::is_nothrow_move_constructible_v<Held>;

  void take(Callback& other) noexcept {
    if (other.act_ != nullptr) other.act_(Action::move, other.storage_, storage_);
    act_ = std::exchange(other.act_, nullptr);
  }

  alignas(std::max_align_t) std::byte storage_[inline_bytes];
  void (*act_)(Action, std::byte*, std::byte*) = nullptr;
};

// What a Future and whoever completes it share; the last of the two frees it.
class MILLRACE_API CompletionState {
 public:
  CompletionState();
  CompletionState(const CompletionState&) = delete;
  CompletionState& operator=(const CompletionState&) = delete;

  void keep() noexcept;
  void release() noexcept;

  [[nodiscard]] bool is_done() const noexcept;
  // Throw std::logic_error on the thread of a client, which would wait for itself.
  void wait();
  [[nodiscard]] bool wait_until(std::chrono::steady_clock::time_point deadline);
  // False, and `continuation` is as it was, when it is done already.
  [[nodiscard]] bool attach(Callback& continuation);
  // What was attached is not called any more, unless that has begun.
  void detach() noexcept;
  // Before it is complete: what was attached is then run by that queue.
  void complete_on(std::shared_ptr<EventQueue> queue) noexcept { queue_ = std::move(queue); }
  // Once, after the value is there. Runs what was attached.
  void complete() noexcept;

 protected:
  virtual ~CompletionState();

 private:
  friend class v1::EventQueue;
  // Runs what was attached and is not detached since.
  void go_on() noexcept;

  std::atomic<std::uint32_t> owners_{1};
  std::atomic<bool> done_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  Callback continuation_;
  std::shared_ptr<EventQueue> queue_;
  CompletionState* next_ = nullptr;  // in the queue
};

template <class T>
class ValueState final : public CompletionState {
 public:
  std::optional<T> value;
};

template <class State>
class StateReference {
 public:
  StateReference() = default;
  explicit StateReference(State* state) noexcept : state_(state) {}
  StateReference(const StateReference& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->keep();
  }
  StateReference(StateReference&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  StateReference& operator=(StateReference other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~StateReference() {
    if (state_ != nullptr) state_->release();
  }
  [[nodiscard]] State* operator->() const noexcept { return state_; }
  [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }
  [[nodiscard]] State* hand_over() noexcept { return std::exchange(state_, nullptr); }

 private:
  State* state_ = nullptr;
};

// The completing side. One that is dropped without a value is a bug of whoever had it.
template <class T>
class Promise {
 public:
  Promise() : state_(new ValueState<T>) {}
  explicit Promise(StateReference<ValueState<T>> state) noexcept : state_(std::move(state)) {}

  [[nodiscard]] Future<T> future() const { return Future<T>(state_); }
  void complete_on(std::shared_ptr<EventQueue> queue) noexcept {
    state_->complete_on(std::move(queue));
  }
  void set(T value) noexcept {
    state_->value.emplace(std::move(value));
    state_->complete();
  }
  // For a completion that goes through code which carries a number only.
  [[nodiscard]] ValueState<T>* hand_over() noexcept { return state_.hand_over(); }

 private:
  StateReference<ValueState<T>> state_;
};

}  // namespace detail

// The value that an operation will have. Moves, does not copy. Dropping it does not stop the
// operation; its value is dropped too. A coroutine that is destroyed while it waits is not resumed.
// Functions and coroutines go on on the client's thread, where they must not block, or with
// ClientOptions::events in EventQueue::dispatch(); they must not throw.
template <class T>
class [[nodiscard]] Future {
 public:
  using value_type = T;
  class Awaiter;

  Future(Future&&) noexcept = default;
  Future& operator=(Future&&) noexcept = default;

  [[nodiscard]] bool is_ready() const noexcept { return state_->is_done(); }
  // False when the time passed first.
  template <class Rep, class Period>
  [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> time) const {
    return state_->wait_until(deadline_after(time));
  }
  // Waits. Throws std::logic_error on the client's own thread, where it would never end.
  [[nodiscard]] T get() {
    state_->wait();
    return std::move(*state_->value);
  }
  // Calls function(T), now if the value is there already.
  template <class Function>
  void then(Function&& function) && {
    auto* state = state_.operator->();
    detail::Callback continuation([state = std::move(state_),
                                   function = std::forward<Function>(function)]() mutable noexcept {
      function(std::move(*state->value));
    });
    if (!state->attach(continuation)) continuation();
  }
  [[nodiscard]] Awaiter operator co_await() && noexcept { return Awaiter(std::move(state_)); }

 private:
  friend class detail::Promise<T>;
  using State = detail::StateReference<detail::ValueState<T>>;

  explicit Future(State state) noexcept : state_(std::move(state)) {}

  template <class Rep, class Period>
  [[nodiscard]] static std::chrono::steady_clock::time_point deadline_after(
      std::chrono::duration<Rep, Period> time) {
    using Clock = std::chrono::steady_clock;
    const auto now = Clock::now();
    const auto longest = std::chrono::hours(24 * 365);
    return time > longest ? now + longest : now + std::chrono::duration_cast<Clock::duration>(time);
  }

  State state_;
};

template <class T>
class Future<T>::Awaiter {
 public:
  explicit Awaiter(State state) noexcept : state_(std::move(state)) {}
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;
  ~Awaiter() { state_->detach(); }

  [[nodiscard]] bool await_ready() const noexcept { return state_->is_done(); }
  [[nodiscard]] bool await_suspend(std::coroutine_handle<> waiting) {
    detail::Callback continuation([waiting] { waiting.resume(); });
    return state_->attach(continuation);
  }
  [[nodiscard]] T await_resume() { return std::move(*state_->value); }

 private:
  State state_;
};

}  // namespace millrace::inline v1
