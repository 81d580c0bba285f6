// Operations that wait, first in first out. It takes no memory: they hold each other.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>

export module millrace.runtime.files:operation_queue;

import millrace.base;
import millrace.runtime;

export namespace millrace::files {

// Owns none of the operations; an operation is in one queue at a time.
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

}  // namespace millrace::files
