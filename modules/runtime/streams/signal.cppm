// A flag that one coroutine waits for.
module;
#include <chrono>
#include <coroutine>

export module millrace.runtime.streams:signal;

import millrace.base;
import millrace.runtime;
import :stream;

export namespace millrace {

// set() resumes the one who waits, in a later turn; if nobody waits, the next one does not wait.
// Belongs to one shard; ends after who waits.
class AsyncSignal {
 public:
  explicit AsyncSignal(Executor& executor) : executor_(executor) {}
  AsyncSignal(const AsyncSignal&) = delete;
  AsyncSignal& operator=(const AsyncSignal&) = delete;
  ~AsyncSignal() { check(waiter_ == nullptr, "a signal outlives who waits for it"); }

  inline void set() {
    if (waiter_ == nullptr) {
      is_set_ = true;
      return;
    }
    waiter_->end(true);
  }

  // `co_await signal.wait()`: false if the deadline came first.
  [[nodiscard]] auto wait(MonotonicTime deadline = no_deadline) { return Waiter(*this, deadline); }

 private:
  struct Waiter : Callback {
    struct Late : Timer {
      explicit Late(Waiter& w)
          : Timer([](Timer& self) { static_cast<Late&>(self).waiter.end(false); }), waiter(w) {}
      Waiter& waiter;
    };

    Waiter(AsyncSignal& s, MonotonicTime d)
        : Callback([](Callback& self) { static_cast<Waiter&>(self).awaiting.resume(); }),
          signal(s),
          deadline(d) {}
    [[nodiscard]] bool await_ready() {
      was_set = signal.is_set_;
      signal.is_set_ = false;
      return was_set;
    }
    void await_suspend(std::coroutine_handle<> handle) {
      check(signal.waiter_ == nullptr, "one waits for a signal");
      awaiting = handle;
      signal.waiter_ = this;
      if (deadline != no_deadline) signal.executor_.arm(late, deadline);
    }
    [[nodiscard]] bool await_resume() const { return was_set; }

    void end(bool set) {
      was_set = set;
      signal.waiter_ = nullptr;
      if (late.armed()) signal.executor_.cancel(late);
      signal.executor_.post(*this);
    }

    AsyncSignal& signal;
    MonotonicTime deadline;
    Late late{*this};
    bool was_set = false;
    std::coroutine_handle<> awaiting;
  };

  Executor& executor_;
  Waiter* waiter_ = nullptr;
  bool is_set_ = false;
};

}  // namespace millrace
