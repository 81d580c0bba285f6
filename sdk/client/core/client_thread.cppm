// The thread of a client: one loop, its network and its resolver.
module;
#include <atomic>
#include <condition_variable>
#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

export module millrace.client.core:client_thread;

import millrace.base;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.runtime.streams;
import :resolver;

export namespace millrace::client {

// Owned by a client object, which makes it, and stops it after what runs on it has ended. All else
// of the client lives on this thread and is made and destroyed there: run() does both. Signals of
// the process are never delivered to it.
class ClientThread {
 public:
  // `name` is what the system calls the thread; of more than 15 letters it takes the first.
  ClientThread(std::string name, Logger logger);
  // Stops.
  ~ClientThread();
  ClientThread(const ClientThread&) = delete;
  ClientThread& operator=(const ClientThread&) = delete;

  // Once. Fails when the process has no descriptors or threads left.
  [[nodiscard]] Result<void> start();
  // What was posted is done first. Not on its own thread. Once stopped it stays so. Connections
  // that are being made do not hold it up: they end by themselves, and the thread after them.
  void stop();
  [[nodiscard]] bool is_running() const;
  [[nodiscard]] bool is_own_thread() const;
  // True in a child of the process that made it: a fork takes no threads along, and nothing here
  // answers any more.
  [[nodiscard]] bool is_forked() const;

  // On any thread.
  [[nodiscard]] const Clock& clock() const;
  // Of a running thread; to be used on it.
  [[nodiscard]] Executor& executor();
  [[nodiscard]] Network& network();
  [[nodiscard]] Resolver& resolver();
  // For callbacks of others, without memory or lock; from any thread while it runs.
  [[nodiscard]] Mailbox& mailbox();

  // From any thread: calls `work` on this one, in the order of one caller's posts. False when it
  // does not run any more, or in a forked child: `work` is then not called.
  [[nodiscard]] bool post(std::function<void()> work);

  // Calls `make`, which gives a Task<T>, on this thread; waits for its end and gives the T. From
  // any other thread, while it runs.
  template <class Make>
  auto run(Make make) {
    return run_task(std::move(make), static_cast<std::invoke_result_t<Make&>*>(nullptr));
  }

 private:
  struct Running;

  // Where run() waits.
  class Gate {
   public:
    void open();
    void wait();

   private:
    std::mutex mutex_;
    std::condition_variable opened_;
    bool is_open_ = false;
  };

  template <class Make, class T>
  T run_task(Make make, Task<T>* /*type*/) {
    Gate gate;
    std::optional<T> value;
    post_or_stop([&] { store(make, value, gate); });
    gate.wait();
    return std::move(*value);
  }
  template <class Make>
  void run_task(Make make, Task<void>* /*type*/) {
    Gate gate;
    post_or_stop([&] { note_end(make, gate); });
    gate.wait();
  }
  template <class Make, class T>
  static task_detail::Detached store(Make& make, std::optional<T>& value, Gate& gate) {
    value.emplace(co_await make());
    gate.open();
  }
  template <class Make>
  static task_detail::Detached note_end(Make& make, Gate& gate) {
    co_await make();
    gate.open();
  }
  void post_or_stop(std::function<void()> work);

  std::shared_ptr<Running> running_;
};

}  // namespace millrace::client
