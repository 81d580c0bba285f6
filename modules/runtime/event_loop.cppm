// What real files, sockets and other threads need of the loop of a shard, besides what every
// executor does: to be called from any thread, and when a descriptor has something to read.
module;
#include <memory>

export module millrace.runtime:event_loop;

import millrace.base;
import :executor;

export namespace millrace {

// How other threads reach a shard. The shard owns it, and it lives as long as the shard.
class Mailbox {
 public:
  virtual ~Mailbox() = default;

  // From any thread: the shard calls back soon, on its own thread. What one thread sends arrives in
  // the order of sending. The callback stays in place until then and is in one mailbox at a time.
  virtual void send(Callback& callback) = 0;

 protected:
  Mailbox() = default;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;
};

// Calls back in every turn of a loop in which its descriptor has something to read. The owner of
// the descriptor owns it; on the thread of the loop. Unwatched when it is destroyed.
class EventLoop;
class Watch {
 public:
  using Function = void (*)(Watch&);
  explicit Watch(Function function) : function_(function) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch();

  [[nodiscard]] bool active() const { return loop_ != nullptr; }
  void call() { function_(*this); }

  // For the loop that watches it.
  EventLoop* loop_ = nullptr;
  int descriptor_ = -1;

 private:
  Function function_;
};

// The executor of a shard in a running process. It outlives what runs on it. Before it ends it
// calls back all that was posted and sent; timers that are still armed are disarmed.
class EventLoop : public Executor {
 public:
  [[nodiscard]] virtual Mailbox& mailbox() = 0;

  // The descriptor stays open until unwatch(). Fails when the system has no room for it.
  [[nodiscard]] virtual Result<void> watch(Watch& watch, int descriptor) = 0;
  virtual void unwatch(Watch& watch) = 0;
};

inline Watch::~Watch() {
  if (loop_ != nullptr) loop_->unwatch(*this);
}

// A callback of an owner that may go while it waits to be called: then nothing is called. Owned by
// the owner; made and destroyed on the thread that calls back.
class RecurringCallback {
 public:
  using Function = void (*)(void* owner);
  RecurringCallback(void* owner, Function function);
  RecurringCallback(const RecurringCallback&) = delete;
  RecurringCallback& operator=(const RecurringCallback&) = delete;
  // Nobody asks for it any more.
  ~RecurringCallback();

  // From any thread. Not null if it does not wait already: the caller then posts or sends it.
  [[nodiscard]] Callback* ask();

 private:
  struct Node;
  std::unique_ptr<Node> node_;
};

}  // namespace millrace
