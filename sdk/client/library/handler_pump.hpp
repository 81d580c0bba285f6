// Functions of the application that are called by the thread that waits in a call.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

namespace millrace::inline v1 {

// Made by the thread that waits, which runs what others add until one of them ends it.
class HandlerPump {
 public:
  // On the waiting thread. What was added before end() has run when it returns. An exception of the
  // application ends the process: others still use what it would unwind.
  void run() noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return is_over_ || !added_.empty(); });
      if (added_.empty()) return;
      const std::function<void()> work = std::move(added_.front());
      added_.pop_front();
      lock.unlock();
      work();
      lock.lock();
    }
  }
  void add(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    added_.push_back(std::move(work));
    changed_.notify_one();
  }
  // The last that is called: the waiting thread may be gone when this returns.
  void end() {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> added_;
  bool is_over_ = false;
};

}  // namespace millrace::inline v1
