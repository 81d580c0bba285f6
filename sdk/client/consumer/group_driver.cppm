// Whoever sends what a member of a group decides.
module;
#include <coroutine>
#include <cstdint>
#include <functional>
#include <utility>

export module millrace.client.consumer:group_driver;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;

export namespace millrace::client {

// Drives one member. On the thread of its consumer, which owns it; what it is given outlives it.
// Ends after run() has: stop() lets it, once calls that are under way end.
class GroupDriver {
 public:
  explicit GroupDriver(Executor& executor) : executor_(executor), signal_(executor) {}
  GroupDriver(const GroupDriver&) = delete;
  GroupDriver& operator=(const GroupDriver&) = delete;
  virtual ~GroupDriver() = default;

  [[nodiscard]] virtual GroupMember& member() = 0;
  // After whatever was told to the member.
  void wake() { signal_.set(); }
  // Called when there may be something to tell the application.
  void on_event(std::function<void()> event) { on_event_ = std::move(event); }
  // Topics or their partitions may have changed.
  virtual void cluster_changed() = 0;
  // Of topics that others of the group read, where that matters here: they are still wanted.
  virtual void want_topics() {}

  [[nodiscard]] virtual Task<void> run() = 0;
  void stop() {
    is_stopped_ = true;
    wake();
  }
  // Tells the coordinator that this member is gone.
  [[nodiscard]] virtual Task<void> send_leave(Leave leave, MonotonicTime deadline) = 0;

 protected:
  [[nodiscard]] Executor& executor() { return executor_; }
  [[nodiscard]] MonotonicTime now() const { return executor_.clock().now(); }
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }
  // Until then, or until it is woken. The application hears of what waits for it.
  [[nodiscard]] Task<void> rest_until(MonotonicTime time);

 private:
  Executor& executor_;
  AsyncSignal signal_;
  std::function<void()> on_event_;
  bool is_stopped_ = false;
};

// In milliseconds, as requests say it.
[[nodiscard]] std::int32_t milliseconds_on_wire(Duration duration);

}  // namespace millrace::client
