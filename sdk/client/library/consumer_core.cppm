// millrace.client.bridge.consumer: what a public consumer and the records that it gave share. A
// module of its own, because the consumer and the admin client have types of equal names.
module;
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "event_descriptor.hpp"
#include "handler_pump.hpp"
#include "hooks.hpp"
#include "millrace/future.hpp"
#include "millrace/interceptors.hpp"
#include "millrace/options.hpp"
#include "millrace/result.hpp"

export module millrace.client.bridge.consumer;

import millrace.base;
import millrace.client.consumer;
import millrace.client.core;
import millrace.client.bridge;
import millrace.runtime;
import millrace.runtime.streams;

export namespace millrace::client {

using PartitionsHandler = std::function<void(const Partitions& partitions)>;

// A consumer on a thread of its own. Owned by the public consumer and by the records that it gave,
// whose memory is its own; the last of them ends it, on any thread. Closed before by the public
// consumer. Functions may be called on any thread.
class ConsumerCore final : public RebalanceListener,
                           public std::enable_shared_from_this<ConsumerCore> {
 public:
  // Records of one poll. What they lie in goes back to the thread that it came from.
  struct Held {
    std::shared_ptr<const void> memory;
    const ConsumedRecord* first = nullptr;
    std::size_t count = 0;
  };

  static std::shared_ptr<ConsumerCore> make(ConsumerSettings settings,
                                            const v1::ClientOptions& options);
  [[nodiscard]] ClientResult<void> start();
  [[nodiscard]] v1::Result<void> close(std::chrono::milliseconds time);
  // The same on the client's own thread, which cannot wait for it: goes on by itself, and calls no
  // handler any more.
  void close_by_itself(std::chrono::milliseconds time);

  // What `work` does with the client, on its thread; it gives a Task<ClientResult<T>>.
  template <class T, class Work>
  v1::Result<T> ask(Work work) {
    if (auto refused = cannot_wait()) return public_error(*refused);
    return public_result(host_.run([&]() -> Task<ClientResult<T>> {
      if (is_closed_) co_return failure(closed());
      co_return co_await work(*client_);
    }));
  }
  // The same of what tells of rebalances: their handlers run on the calling thread meanwhile.
  template <class T, class Work>
  v1::Result<T> ask_and_tell(Work work) {
    if (auto refused = cannot_wait()) return public_error(*refused);
    return ask_anyway<T>(std::move(work));
  }
  // The same as ask() for what does not wait, and gives a ClientResult<T>.
  template <class T, class Work>
  v1::Result<T> ask_now(Work work) {
    return public_result(host_.run([&]() -> Task<ClientResult<T>> {
      if (is_closed_) co_return failure(closed());
      co_return work(*client_);
    }));
  }

  // The same as ask() without waiting.
  template <class T, class Make>
  v1::Future<v1::Result<T>> begin(Make make) {
    return host_.begin<T>([this, make = std::move(make)]() -> Task<ClientResult<T>> {
      if (is_closed_) co_return failure(closed());
      co_return co_await make();
    });
  }

  // The same of a poll that begin_poll() began, and that `make` ends; refused, it ends here.
  template <class T, class Make>
  v1::Future<v1::Result<T>> begin_polling(Make make) {
    if (host_.cannot_ask()) end_poll();
    return host_.begin<T>([this, make = std::move(make)]() -> Task<ClientResult<T>> {
      if (is_closed_) {
        end_poll();
        co_return failure(closed());
      }
      co_return co_await make();
    });
  }

  // One at a time; on the client's thread.
  [[nodiscard]] Task<ClientResult<Held>> poll(MonotonicTime deadline);
  // Everything that polls gave; on the client's thread.
  [[nodiscard]] Task<ClientResult<void>> commit(MonotonicTime deadline) {
    return client_->commit(deadline);
  }
  // Whether nobody polls: then one does, until end_poll().
  [[nodiscard]] bool begin_poll() { return !is_polling_.exchange(true); }
  void end_poll() { is_polling_ = false; }

  [[nodiscard]] MonotonicTime deadline_after(std::chrono::milliseconds time) {
    return client::deadline_after(host_.thread().clock(), time);
  }
  [[nodiscard]] ClientHost& host() { return host_; }
  [[nodiscard]] const ConsumerSettings& settings() const { return settings_; }

  // Without rows; on the client's thread.
  [[nodiscard]] MetricList metric_list() {
    return MetricList(settings_.common.client_id, host_.thread().clock().now());
  }
  // Made by the first call.
  [[nodiscard]] v1::Result<int> event_fd();
  // Before the first poll.
  void add(std::shared_ptr<v1::ConsumerInterceptor> interceptor);
  [[nodiscard]] const v1::Interceptors<v1::ConsumerInterceptor>& interceptors() const {
    return interceptors_;
  }

  // --- Of RebalanceListener. ---
  Task<void> assigned(Partitions partitions) override;
  Task<void> revoked(Partitions partitions) override;
  Task<void> lost(Partitions partitions) override;

  PartitionsHandler on_assigned;
  PartitionsHandler on_revoked;
  PartitionsHandler on_lost;

 private:
  ConsumerCore(ConsumerSettings settings, const v1::ClientOptions& options);
  ~ConsumerCore() override;

  template <class T, class Work>
  v1::Result<T> ask_anyway(Work work) {
    std::optional<ClientResult<T>> result;
    v1::HandlerPump pump;
    const bool posted = host_.thread().post([&] { tasks_.start(answer(work, result, pump)); });
    check(posted, "the thread of a consumer runs as long as the consumer");
    pump.run();
    return public_result(*std::move(result));
  }
  template <class T, class Work>
  Task<void> answer(Work& work, std::optional<ClientResult<T>>& result, v1::HandlerPump& pump) {
    pumps_.push_back(&pump);
    result.emplace(co_await work(*client_));
    std::erase(pumps_, &pump);
    pump.end();
  }
  [[nodiscard]] static ClientError closed();
  [[nodiscard]] std::optional<ClientError> cannot_wait() const;
  Task<void> tell(const PartitionsHandler& handler, Partitions partitions);

  ClientHost host_;
  const ConsumerSettings settings_;
  v1::Interceptors<v1::ConsumerInterceptor> interceptors_;
  v1::EventDescriptor descriptor_;
  std::atomic<bool> is_polling_ = false;
  std::atomic<bool> is_closing_ = false;
  std::atomic<bool> is_closed_ = false;
  std::unique_ptr<ConsumerClient> client_;
  // Of the client's thread.
  TaskGroup tasks_;
  std::vector<v1::HandlerPump*> pumps_;
};

}  // namespace millrace::client
