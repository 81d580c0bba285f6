// A call of a function on another shard: a message there and back, in the frame of the coroutine
// that awaits it.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

export module millrace.runtime.shard:call;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;
import :shard_loop;

export namespace millrace {

using telemetry::ShardIndex;

// Calls of one shard to another that have not begun there. Further ones wait at home, in order, so
// that a flood is held up where it comes from. What has begun does not count: functions that call
// on, round in circles, would wait for one another for ever.
inline constexpr std::size_t calls_in_flight_max = 1024;

// What a shard counts about its calls.
struct CallMetrics {
  telemetry::Counter calls;
  telemetry::Counter waits;

  [[nodiscard]] static Result<CallMetrics> create(telemetry::Registry& registry, ShardIndex shard);
};

class CallMessage;
template <class Function>
class Call;

// What a function gives in the end: T, also where it gives a task of T.
template <class T>
struct EndResult {
  static constexpr bool is_task = false;
  using type = T;
};
template <class T>
struct EndResult<Task<T>> {
  static constexpr bool is_task = true;
  using type = T;
};
// A place for it, also where it is nothing.
struct Nothing {};
template <class T>
using StoredResult = std::conditional_t<std::is_void_v<T>, Nothing, T>;

// One thread with one event loop; what belongs to a shard runs there and nowhere else. Owned by
// Shards, or by SimulatedShards; all functions are called on its thread. `co_await here.call(there,
// function)` is how one shard asks another for something.
class Shard {
 public:
  // `all` holds `count` shards, this one among them, before any of them calls. `socket_loop` is the
  // same loop, or null in a simulation.
  Shard(ShardIndex index, EventLoop& loop, ShardLoop* socket_loop,
        const std::vector<std::unique_ptr<Shard>>& all, std::uint32_t count, CallMetrics metrics);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  [[nodiscard]] ShardIndex index() const { return index_; }
  [[nodiscard]] EventLoop& loop() { return loop_; }
  // For what needs sockets. There are none in a simulation.
  [[nodiscard]] ShardLoop& socket_loop() {
    check(socket_loop_ != nullptr, "a simulated shard has no sockets");
    return *socket_loop_;
  }
  [[nodiscard]] const Clock& clock() const { return loop_.clock(); }
  [[nodiscard]] std::uint32_t shard_count() const {
    return static_cast<std::uint32_t>(shards_.size());
  }

  // Calls function(Shard& there) on the shard `to`, and resumes here with what it gives, or with
  // what its task gives in the end. Functions from here begin there in the order of these calls; at
  // once if `to` is this shard. Takes no memory unless the function gives a task. Await it at once.
  template <class Function>
  [[nodiscard]] auto call(ShardIndex to, Function function) {
    return Call<Function>(*this, *shards_[to.value()], std::move(function));
  }

  // Resumes when no call of this shard to others is unanswered, and gives how many there ever were.
  // One waits at a time.
  [[nodiscard]] auto quiet() {
    struct Awaiter {
      Shard& shard;
      [[nodiscard]] bool await_ready() const { return shard.unanswered_ == 0; }
      void await_suspend(std::coroutine_handle<> awaiting) const {
        check(!shard.waits_for_quiet_, "one waits for a quiet shard at a time");
        shard.waits_for_quiet_ = awaiting;
      }
      [[nodiscard]] std::uint64_t await_resume() const { return shard.calls_; }
    };
    return Awaiter{*this};
  }

  // Calls to that shard that are not answered yet, and those that wait to be sent.
  [[nodiscard]] std::size_t unanswered() const { return unanswered_; }

 private:
  friend class CallMessage;
  // The way to one other shard.
  struct Lane {
    std::size_t in_flight = 0;  // not begun there, as far as is known here
    CallbackQueue waiting;
  };

  void send(CallMessage& message);
  void begun(ShardIndex there);
  void answered();

  ShardIndex index_;
  EventLoop& loop_;
  ShardLoop* socket_loop_;
  const std::vector<std::unique_ptr<Shard>>& shards_;
  CallMetrics metrics_;
  std::vector<Lane> lanes_;
  std::size_t unanswered_ = 0;
  std::uint64_t calls_ = 0;
  std::coroutine_handle<> waits_for_quiet_;
};

// The part of a call that does not know the function: on its way there, working, and on its way
// back.
class CallMessage : public Callback {
 protected:
  CallMessage(Shard& from, Shard& to)
      : Callback([](Callback& self) { static_cast<CallMessage&>(self).arrive(); }),
        from_(from),
        to_(to),
        begun_(*this) {}
  ~CallMessage() = default;

  // False if the function has ended already: nobody will be resumed.
  bool begin(std::coroutine_handle<> awaiting);
  // Runs the function on `to`, which calls finished() when it has ended.
  virtual void work() = 0;
  void finished();
  [[nodiscard]] Shard& there() { return to_; }

 private:
  friend class Shard;
  // Goes home by itself when the function begins something that lasts.
  struct Begun : Callback {
    explicit Begun(CallMessage& m);
    CallMessage& message;
  };

  // True if the function has ended when it returns; this may then be gone.
  bool work_ends_at_once();
  void arrive();

  Shard& from_;
  Shard& to_;
  std::coroutine_handle<> awaiting_;
  Begun begun_;
  bool is_begun_told_ = false;
  bool is_on_way_back_ = false;
  bool* ends_at_once_ = nullptr;  // while work() has not returned
};

// `Work` is the function; a Callback has a `Function` of its own.
template <class Work>
class Call final : public CallMessage {
  using Given = std::invoke_result_t<Work&, Shard&>;
  using Value = typename EndResult<Given>::type;
  static_assert(!std::is_reference_v<Given>, "what a shard gives to another is a value");

 public:
  Call(Shard& from, Shard& to, Work function) : CallMessage(from, to), work_(std::move(function)) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> awaiting) { return begin(awaiting); }
  auto await_resume() {
    if constexpr (!std::is_void_v<Value>) return std::move(*value_);
  }

 private:
  void work() override {
    if constexpr (EndResult<Given>::is_task) {
      run();
    } else {
      if constexpr (std::is_void_v<Value>) {
        work_(there());
      } else {
        value_.emplace(work_(there()));
      }
      finished();
    }
  }
  task_detail::Detached run() {
    if constexpr (std::is_void_v<Value>) {
      co_await work_(there());
    } else {
      value_.emplace(co_await work_(there()));
    }
    finished();
  }

  Work work_;
  std::optional<StoredResult<Value>> value_;
};

}  // namespace millrace
