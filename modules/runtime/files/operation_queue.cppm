// Operations that wait. It takes no memory: they hold each other.
module;
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>

export module millrace.runtime.files:operation_queue;

import millrace.base;
import millrace.runtime;

export namespace millrace::files {

// First in first out. Owns none of the operations; an operation is in one queue at a time.
class OperationQueue {
 public:
  void add(IoOperation& operation) {
    operation.hold_.next = nullptr;
    (last_ == nullptr ? first_ : last_->hold_.next) = &operation;
    last_ = &operation;
    ++size_;
  }
  // Null if it is empty.
  [[nodiscard]] IoOperation* take() {
    IoOperation* operation = first_;
    if (operation == nullptr) return nullptr;
    first_ = operation->hold_.next;
    if (first_ == nullptr) last_ = nullptr;
    --size_;
    return operation;
  }
  // All of `other` comes after what is here.
  void append(OperationQueue& other) {
    while (IoOperation* operation = other.take()) add(*operation);
  }
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  IoOperation* first_ = nullptr;
  IoOperation* last_ = nullptr;
  std::size_t size_ = 0;
};

// The same from thread to thread, without a lock: a shard must not wait for a thread that was put
// aside by the system while it held one. Many push and take; what one thread pushes is taken in its
// order.
class OperationArrivals {
 public:
  // From any thread, which then must not touch the operation any more. False when it is closed.
  [[nodiscard]] bool push(IoOperation& operation) {
    IoOperation* newest = newest_.load(std::memory_order_relaxed);
    do {
      if (newest == closed()) return false;
      operation.hold_.next = newest;
    } while (!newest_.compare_exchange_weak(newest, &operation, std::memory_order_release,
                                            std::memory_order_relaxed));
    return true;
  }
  // From any thread: all that has arrived comes after what is in the queue.
  void take_into(OperationQueue& queue) {
    IoOperation* newest = newest_.load(std::memory_order_relaxed);
    do {
      if (newest == nullptr || newest == closed()) return;
    } while (!newest_.compare_exchange_weak(newest, nullptr, std::memory_order_acquire,
                                            std::memory_order_relaxed));
    move(newest, queue);
  }
  // The same, and nothing arrives any more.
  void close_into(OperationQueue& queue) {
    IoOperation* newest = newest_.exchange(closed(), std::memory_order_acquire);
    if (newest != closed()) move(newest, queue);
  }

 private:
  // No operation lies there.
  [[nodiscard]] IoOperation* closed() { return reinterpret_cast<IoOperation*>(this); }

  static void move(IoOperation* newest, OperationQueue& queue) {
    IoOperation* oldest = nullptr;
    while (newest != nullptr) {
      IoOperation* older = newest->hold_.next;
      newest->hold_.next = oldest;
      oldest = newest;
      newest = older;
    }
    while (oldest != nullptr) {
      IoOperation* younger = oldest->hold_.next;
      queue.add(*oldest);
      oldest = younger;
    }
  }

  std::atomic<IoOperation*> newest_ = nullptr;
};

}  // namespace millrace::files
