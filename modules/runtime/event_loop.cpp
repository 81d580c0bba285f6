module;
#include <atomic>
#include <memory>

module millrace.runtime;

namespace millrace {

struct RecurringCallback::Node : Callback {
  Node(void* o, RecurringCallback::Function f) : Callback(&call_back), owner(o), function(f) {}

  static void call_back(Callback& self) {
    auto& node = static_cast<Node&>(self);
    if (node.owner == nullptr) {
      const std::unique_ptr<Node> abandoned(&node);
      return;
    }
    node.waiting.store(false);
    node.function(node.owner);
  }

  void* owner;
  RecurringCallback::Function function;
  std::atomic<bool> waiting = false;
};

RecurringCallback::RecurringCallback(void* owner, Function function)
    : node_(std::make_unique<Node>(owner, function)) {}

RecurringCallback::~RecurringCallback() {
  if (!node_->waiting.load()) return;
  node_->owner = nullptr;
  static_cast<void>(node_.release());  // it frees itself when it is called
}

Callback* RecurringCallback::ask() {
  return node_->waiting.exchange(true) ? nullptr : node_.get();
}

}  // namespace millrace
