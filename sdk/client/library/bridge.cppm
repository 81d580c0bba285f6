// millrace.client.bridge: what stands between the public types and those of the modules below.
module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>

#include "client_thread_mark.hpp"
#include "millrace/bytes.hpp"
#include "millrace/config.hpp"
#include "millrace/future.hpp"
#include "millrace/metrics.hpp"
#include "millrace/options.hpp"
#include "millrace/result.hpp"

export module millrace.client.bridge;

import millrace.base;
import millrace.client.core;
import millrace.runtime;

export namespace millrace::client {

[[nodiscard]] v1::Error public_error(const ClientError& error);
// Of a delivery: its message is a whole sentence already.
[[nodiscard]] v1::Error public_delivery_error(const ClientError& error);
// All problems in one sentence; `whose` is "producer", "consumer" or "admin".
[[nodiscard]] v1::Error settings_error(std::string_view whose, const SettingsProblems& problems);
[[nodiscard]] Properties properties_of(const v1::Config& config);
[[nodiscard]] Logger logger_for(const v1::ClientOptions& options, std::string_view component);

[[nodiscard]] v1::Metrics public_metrics(MetricList list);

// A null view has no data pointer, on both sides.
[[nodiscard]] inline v1::BytesView public_bytes(ByteView bytes) {
  return bytes.data() == nullptr ? v1::BytesView() : v1::BytesView(bytes);
}

// Of the system.
[[nodiscard]] std::uint64_t random_seed();

// Times that nobody waits for, and negative ones, are cut.
[[nodiscard]] MonotonicTime deadline_after(const Clock& clock, std::chrono::milliseconds time);

template <class T>
[[nodiscard]] v1::Result<T> public_result(ClientResult<T> result) {
  if (!result) return public_error(result.error());
  if constexpr (std::is_void_v<T>)
    return {};
  else
    return *std::move(result);
}

// For the end of what may be dropped on the client's own thread, which cannot wait for itself: such
// as its last owner being a function given to then(). Its end is waited for by another thread.
template <class T>
void end_where_it_may_wait(std::unique_ptr<T> object) {
  if (object == nullptr || !object->is_on_own_thread()) return;
  std::thread([dropped = object.release()] { delete dropped; }).detach();
}

// The thread of one public object and the ways to it. Owned by the object's implementation; what
// runs on the thread has ended before this ends. Its functions may be called on any thread.
class ClientHost {
 public:
  // `name` is that of the thread and of the component in log lines.
  ClientHost(std::string name, const v1::ClientOptions& options);
  ~ClientHost();
  ClientHost(const ClientHost&) = delete;
  ClientHost& operator=(const ClientHost&) = delete;

  [[nodiscard]] ClientResult<void> start();
  [[nodiscard]] ClientThread& thread() { return thread_; }
  [[nodiscard]] Logger logger() const { return logger_; }

  // Why nothing can be asked of the thread, and nothing waited for: a fork, or a call on the thread
  // itself.
  [[nodiscard]] std::optional<ClientError> cannot_wait() const;
  // Only the first.
  [[nodiscard]] std::optional<ClientError> cannot_ask() const;

  // Calls `make`, which gives a Task<ClientResult<T>>, on the thread; waits for its end.
  template <class Make>
  auto run(Make make) -> decltype(std::declval<ClientThread&>().run(make)) {
    if (auto refused = cannot_wait()) return failure(*std::move(refused));
    return thread_.run(std::move(make));
  }

  // The same without waiting.
  template <class T, class Make>
  v1::Future<v1::Result<T>> begin(Make make) {
    return begin_value<v1::Result<T>>(
        [make = std::move(make)]() mutable -> Task<v1::Result<T>> {
          co_return public_result(co_await make());
        },
        [](const ClientError& error) { return v1::Result<T>(public_error(error)); });
  }
  // `make` gives a Task<T>; `refuse` the T where the thread cannot be asked.
  template <class T, class Make, class Refuse>
  v1::Future<T> begin_value(Make make, Refuse refuse) {
    auto promise = std::make_shared<v1::detail::Promise<T>>();
    if (events_ != nullptr) promise->complete_on(events_);
    v1::Future<T> future = promise->future();
    if (auto refused = cannot_ask()) {
      promise->set(refuse(*refused));
      return future;
    }
    const bool posted = thread_.post([this, make = std::move(make), promise]() mutable {
      tasks_->start(finish<T>(std::move(make), std::move(promise)));
    });
    check(posted, "the thread of a client runs as long as the client");
    return future;
  }

  // For the end of the owner: waits for what begin() began.
  void wait_for_all();

 private:
  template <class T, class Make>
  static Task<void> finish(Make make, std::shared_ptr<v1::detail::Promise<T>> promise) {
    T value = co_await make();
    const v1::detail::ClientThreadMark mark;
    promise->set(std::move(value));
    promise.reset();
  }

  const std::uint64_t forks_;  // of this process when it was made
  Logger logger_;
  const std::shared_ptr<v1::EventQueue> events_;
  ClientThread thread_;
  std::unique_ptr<TaskGroup> tasks_ = std::make_unique<TaskGroup>();  // of the thread
};

}  // namespace millrace::client
