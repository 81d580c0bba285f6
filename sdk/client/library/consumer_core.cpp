module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "client_thread_mark.hpp"
#include "event_descriptor.hpp"
#include "handler_pump.hpp"
#include "hooks.hpp"
#include "millrace/interceptors.hpp"
#include "millrace/options.hpp"
#include "millrace/result.hpp"

module millrace.client.bridge.consumer;

import millrace.base;
import millrace.client.consumer;
import millrace.client.core;
import millrace.client.bridge;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

std::shared_ptr<ConsumerCore> ConsumerCore::make(ConsumerSettings settings,
                                                 const v1::ClientOptions& options) {
  // The last records may go on the client's own thread, which cannot wait for its own end.
  const auto end = [](ConsumerCore* core) {
    // What lives on the thread can be ended there only, and in a forked process it is not there.
    if (core->host_.cannot_ask()) return;
    if (core->host_.thread().is_own_thread())
      std::thread([core] { delete core; }).detach();
    else
      delete core;
  };
  return std::shared_ptr<ConsumerCore>(new ConsumerCore(std::move(settings), options), end);
}

ConsumerCore::ConsumerCore(ConsumerSettings settings, const v1::ClientOptions& options)
    : host_("millrace-consume", options),
      settings_(std::move(settings)),
      interceptors_(
          [log = host_.logger()](const std::string& sentence) { log.warning("{}", sentence); }) {}

ClientResult<void> ConsumerCore::start() {
  if (auto started = host_.start(); !started) return started;
  host_.thread().run([this]() -> Task<void> {
    ClientThread& thread = host_.thread();
    client_ =
        std::make_unique<ConsumerClient>(settings_, thread.executor(), thread.network(),
                                         thread.resolver(), host_.logger(), Random(random_seed()));
    co_return;
  });
  return {};
}

ConsumerCore::~ConsumerCore() {
  if (!client_) return;
  host_.wait_for_all();
  host_.thread().run([this]() -> Task<void> {
    co_await tasks_.wait();
    client_.reset();
  });
}

ClientError ConsumerCore::closed() {
  return client_error(Failure::closed, "the consumer is closed");
}

std::optional<ClientError> ConsumerCore::cannot_wait() const {
  if (is_closed_) return closed();
  return host_.cannot_wait();
}

v1::Result<void> ConsumerCore::close(std::chrono::milliseconds time) {
  if (auto refused = host_.cannot_wait()) return public_error(*refused);
  if (is_closed_) return {};
  // Handlers of rebalances are called meanwhile, and may use the consumer.
  if (is_closing_.exchange(true))
    return public_error(client_error(Failure::bad_argument, "the consumer is being closed"));
  auto closed = ask_anyway<void>(
      [deadline = deadline_after(time)](ConsumerClient& client) -> Task<ClientResult<void>> {
        co_await client.close(deadline);
        co_return ClientResult<void>();
      });
  is_closed_ = true;
  host_.wait_for_all();
  return closed;
}

void ConsumerCore::close_by_itself(std::chrono::milliseconds time) {
  if (is_closing_.exchange(true)) return;
  // Kept until then: one of them may be what runs now.
  auto handlers = std::make_tuple(std::exchange(on_assigned, {}), std::exchange(on_revoked, {}),
                                  std::exchange(on_lost, {}));
  static_cast<void>(
      host_.begin<void>([self = shared_from_this(), kept = std::move(handlers),
                         deadline = deadline_after(time)]() -> Task<ClientResult<void>> {
        co_await self->client_->close(deadline);
        self->is_closed_ = true;
        co_return ClientResult<void>();
      }));
}

Task<ClientResult<ConsumerCore::Held>> ConsumerCore::poll(MonotonicTime deadline) {
  auto fetched = co_await client_->poll(deadline);
  if (!fetched) co_return failure(std::move(fetched.error()));
  if (fetched->empty()) co_return Held{};
  auto give_back = [owner = shared_from_this()](FetchedRecords* records) {
    // A forked process has no such thread, and nothing to give memory back to.
    if (owner->host_.cannot_ask()) return;
    const bool posted = owner->host_.thread().post([records] { delete records; });
    check(posted, "the thread of a consumer runs as long as its records");
  };
  const std::shared_ptr<FetchedRecords> records(new FetchedRecords(*std::move(fetched)),
                                                std::move(give_back));
  co_return Held{records, records->records().data(), records->size()};
}

v1::Result<int> ConsumerCore::event_fd() {
  return ask_now<int>([this](ConsumerClient& client) -> ClientResult<int> {
    if (!descriptor_.is_open()) {
      if (const auto problem = descriptor_.open()) {
        return failure(client_error(Failure::closed, "no descriptor for events: " + *problem));
      }
      client.on_readiness([this](bool is_ready) { descriptor_.set_readable(is_ready); });
    }
    return descriptor_.number();
  });
}

void ConsumerCore::add(std::shared_ptr<v1::ConsumerInterceptor> interceptor) {
  interceptors_.add(std::move(interceptor));
  static_cast<void>(ask_now<void>([this](ConsumerClient& client) {
    client.on_commit([this](const CommittedOffsets& committed) {
      std::map<v1::TopicPartition, std::int64_t> offsets;
      for (const auto& [partition, at] : committed)
        offsets[{partition.topic, partition.partition.value()}] = at.offset.value();
      const v1::detail::ClientThreadMark mark;
      interceptors_.each("ConsumerInterceptor::on_commit",
                         [&](v1::ConsumerInterceptor& one) { one.on_commit(offsets); });
    });
    return ClientResult<void>();
  }));
}

Task<void> ConsumerCore::assigned(Partitions partitions) {
  return tell(on_assigned, std::move(partitions));
}

Task<void> ConsumerCore::revoked(Partitions partitions) {
  return tell(on_revoked, std::move(partitions));
}

Task<void> ConsumerCore::lost(Partitions partitions) {
  return tell(on_lost, std::move(partitions));
}

Task<void> ConsumerCore::tell(const PartitionsHandler& handler, Partitions partitions) {
  if (!handler) co_return;
  if (pumps_.empty()) {
    const v1::detail::ClientThreadMark mark;
    handler(partitions);
    co_return;
  }
  AsyncSignal done(host_.thread().executor());
  pumps_.back()->add([&] {
    handler(partitions);
    const bool posted = host_.thread().post([&] { done.set(); });
    check(posted, "the thread of a consumer runs as long as the consumer");
  });
  static_cast<void>(co_await done.wait());
}

}  // namespace millrace::client
