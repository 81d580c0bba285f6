// The event loop of a shard, on epoll: callbacks, timers, descriptors and sockets, and what other
// threads send.
module;
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

export module millrace.runtime.shard:shard_loop;

import millrace.base;
import millrace.runtime;
import millrace.telemetry;
import :arrivals;

export namespace millrace {

// What one turn handles at most before it looks at the others: a flood of one kind keeps no other
// waiting for more than so many of it.
inline constexpr std::size_t events_per_turn_max = 256;
inline constexpr std::size_t callbacks_per_turn_max = 256;
inline constexpr std::size_t timers_per_turn_max = 256;

class ShardLoop;

// Told when its socket becomes readable or writable, once for each change: whoever is told reads or
// writes until the socket would block. An end or an error makes it both. The owner of the socket
// owns it; on the thread of the loop. Unwatched when it is destroyed.
class SocketWatch {
 public:
  struct Ready {
    bool to_read = false;
    bool to_write = false;
    bool is_ended = false;  // the peer writes no more, or the connection is broken
  };
  using Function = void (*)(SocketWatch&, Ready);
  explicit SocketWatch(Function function) : function_(function) {}
  SocketWatch(const SocketWatch&) = delete;
  SocketWatch& operator=(const SocketWatch&) = delete;
  ~SocketWatch();

  [[nodiscard]] bool active() const { return loop_ != nullptr; }

 private:
  friend class ShardLoop;
  ShardLoop* loop_ = nullptr;
  int descriptor_ = -1;
  Function function_;
};

// The thread that turns it is the thread of the loop; nothing happens while nobody turns it. Only
// its mailbox is for other threads. Sending takes neither lock nor memory.
class ShardLoop final : public EventLoop {
 public:
  // Fails when the process has no descriptors left. Clock and meter outlive the loop; a meter is
  // told of each turn.
  [[nodiscard]] static Result<std::unique_ptr<ShardLoop>> make(
      const Clock& clock, telemetry::StallMeter* meter = nullptr);
  // What was posted and sent is called before it ends.
  ~ShardLoop() override;

  [[nodiscard]] const Clock& clock() const override { return clock_; }
  void post(Callback& callback) override { ready_.add(callback); }
  void arm(Timer& timer, MonotonicTime when) override { timers_.arm(timer, when, *this); }
  void cancel(Timer& timer) override { timers_.cancel(timer); }
  [[nodiscard]] Mailbox& mailbox() override { return inbox_; }
  [[nodiscard]] Result<void> watch(Watch& watch, int descriptor) override;
  void unwatch(Watch& watch) override;

  // The socket does not block and stays open until unwatch(). What is ready already is told too.
  // Fails when the system has no room for it.
  [[nodiscard]] Result<void> watch(SocketWatch& watch, int descriptor);
  void unwatch(SocketWatch& watch);

  // Turns until `ended`, and sleeps while there is nothing to do.
  void turn_until(const bool& ended);
  // Calls what was posted and sent until nothing of that is left; waits for nothing.
  void drain();

  // For tests and tools: starts the task and turns until it has ended.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> value;
    bool ended = false;
    store(std::move(task), value, ended);
    turn_until(ended);
    return std::move(*value);
  }
  void run(Task<void> task) {
    bool ended = false;
    note_end(std::move(task), ended);
    turn_until(ended);
  }

  [[nodiscard]] std::uint64_t turns() const { return turns_; }

 private:
  class Inbox final : public Mailbox {
   public:
    explicit Inbox(int descriptor) : descriptor_(descriptor) {}
    void send(Callback& callback) override;

    Arrivals arrivals;

   private:
    int descriptor_;  // an eventfd, which wakes the loop
  };
  // What an event is for: the address of its watch, marked if it is a SocketWatch; 0 is the inbox.
  using Target = std::uintptr_t;
  static constexpr Target socket_mark = 1;

  ShardLoop(const Clock& clock, telemetry::StallMeter* meter, int epoll, int eventfd);

  template <class T>
  static task_detail::Detached store(Task<T> task, std::optional<T>& value, bool& ended) {
    value.emplace(co_await std::move(task));
    ended = true;
  }
  static task_detail::Detached note_end(Task<void> task, bool& ended);

  [[nodiscard]] bool has_callbacks() const { return !batch_.empty() || !ready_.empty(); }
  [[nodiscard]] Result<void> add_to_epoll(int descriptor, std::uint32_t events, Target target);
  void remove_from_epoll(int descriptor, Target target);
  void call_callbacks();
  void call_due_timers(MonotonicTime now);
  // Of the events that happened, remembers which are for whom.
  void wait_for_events(Duration timeout);
  // How long nothing is to be done; negative: until something happens.
  [[nodiscard]] Duration idle_time(MonotonicTime now);
  void call_watches();

  const Clock& clock_;
  telemetry::StallMeter* meter_;
  int epoll_;
  int eventfd_;
  Inbox inbox_;
  CallbackQueue batch_;  // what this turn calls, and turns after it if it is much
  CallbackQueue ready_;  // what later turns call
  TimerHeap timers_;
  struct Event {
    Target target = 0;
    SocketWatch::Ready ready;
  };
  std::array<Event, events_per_turn_max> events_{};
  std::size_t events_count_ = 0;
  std::uint64_t turns_ = 0;
  bool can_wait_nanoseconds_ = true;  // epoll_pwait2 is allowed here
};

}  // namespace millrace
