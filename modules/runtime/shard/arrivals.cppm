// What other threads give to a shard: a list without a lock, and the bell that wakes a sleeping
// loop.
module;
#include <atomic>
#include <cstddef>

export module millrace.runtime.shard:arrivals;

import millrace.base;
import millrace.runtime;

export namespace millrace {

// Two cache lines: processors fetch lines in pairs.
inline constexpr std::size_t contended_alignment = 128;

// Many threads push, one receives. What one thread pushes is received in its order. Owns no
// callback; one is in one list at a time. Never fails, never waits for another thread.
class Arrivals {
 public:
  Arrivals() : asleep_([](Callback&) { check(false, "a mark is not called"); }) {}
  Arrivals(const Arrivals&) = delete;
  Arrivals& operator=(const Arrivals&) = delete;

  // From any thread. True if the receiver sleeps: the one who pushed then wakes it. It must not
  // touch the callback any more.
  [[nodiscard]] inline bool push(Callback& callback) {
    Callback* newest = newest_.load(std::memory_order_relaxed);
    do {
      callback.next = newest == &asleep_ ? nullptr : newest;
    } while (!newest_.compare_exchange_weak(newest, &callback, std::memory_order_release,
                                            std::memory_order_relaxed));
    return newest == &asleep_;
  }

  // By the receiver, before it waits for a bell. False if something has arrived: it must not wait.
  [[nodiscard]] inline bool fall_asleep() {
    Callback* none = nullptr;
    return newest_.compare_exchange_strong(none, &asleep_, std::memory_order_acq_rel,
                                           std::memory_order_relaxed);
  }

  // By the receiver, which is then awake: adds all that has arrived to the queue.
  inline void take_into(CallbackQueue& queue) {
    if (newest_.load(std::memory_order_relaxed) == nullptr) return;
    Callback* newest = newest_.exchange(nullptr, std::memory_order_acquire);
    if (newest == &asleep_) return;
    Callback* oldest = nullptr;
    while (newest != nullptr) {
      Callback* next = newest->next;
      newest->next = oldest;
      oldest = newest;
      newest = next;
    }
    while (oldest != nullptr) {
      Callback* next = oldest->next;
      queue.add(*oldest);
      oldest = next;
    }
  }

 private:
  // The newest arrival, which points to the one before it; null while the receiver is awake and
  // nothing has arrived; this mark while it sleeps.
  alignas(contended_alignment) std::atomic<Callback*> newest_ = nullptr;
  alignas(contended_alignment) Callback asleep_;
};

}  // namespace millrace
