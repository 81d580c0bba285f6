module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

module millrace.storage.log;

namespace millrace::storage {

Deletions::Due::Due(Deletions& d)
    : Timer([](Timer& self) {
        Deletions& all = static_cast<Due&>(self).deletions;
        all.removing_.start(all.remove_due(all.executor_.clock().now()));
      }),
      deletions(d) {}

void Deletions::add(std::shared_ptr<Segment> segment, Duration delay) {
  if (stopped_) return;
  waiting_.push_back({std::move(segment), executor_.clock().now() + delay});
  arm();
}

void Deletions::arm() {
  if (waiting_.empty() || finishing_) return;
  const auto first =
      std::min_element(waiting_.begin(), waiting_.end(),
                       [](const Waiting& a, const Waiting& b) { return a.when < b.when; });
  executor_.arm(due_, first->when);
}

Task<void> Deletions::remove_due(MonotonicTime now) {
  std::vector<std::shared_ptr<Segment>> due;
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    if (waiting.when > now) return false;
    due.push_back(waiting.segment);
    return true;
  });
  arm();
  for (const auto& segment : due) {
    if (stopped_) co_return;
    const auto removed = co_await segment->remove_deleted();
    if (!removed) failed_(removed.error());
  }
}

void Deletions::stop() {
  stopped_ = true;
  waiting_.clear();
  if (due_.armed()) executor_.cancel(due_);
}

Task<void> Deletions::finish() {
  finishing_ = true;
  if (due_.armed()) executor_.cancel(due_);
  co_await removing_.wait();
  co_await remove_due(MonotonicTime::max());
}

}  // namespace millrace::storage
