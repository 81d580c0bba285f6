#include "millrace/producer.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "client_thread_mark.hpp"

import millrace.client.core;
import millrace.client.bridge;
import millrace.client.bridge.producer;
import millrace.client.bridge.transactions;
import millrace.client.producer;
import millrace.protocol.batch;

namespace millrace::inline v1 {

namespace {

using Outcome = Result<Delivery>;
using Room = Result<void>;
using KafkaTime = std::remove_const_t<decltype(no_timestamp)>;

static_assert(Producer::room_waiting_max == client::room_waiting_max);

// Headers of a record as the modules below take them: few without memory, many with.
class HeadersToSend {
 public:
  explicit HeadersToSend(HeadersView headers) {
    std::span<client::HeaderView> to = few_;
    if (headers.size() > few_.size()) {
      many_.resize(headers.size());
      to = many_;
    }
    to_ = to.first(headers.size());
    for (std::size_t index = 0; index < to_.size(); ++index) {
      const Header& header = headers.span()[index];
      to_[index] = {header.key, header.value.bytes()};
    }
  }
  HeadersToSend(const HeadersToSend&) = delete;
  HeadersToSend& operator=(const HeadersToSend&) = delete;

  std::span<const client::HeaderView> span() const { return to_; }

 private:
  std::array<client::HeaderView, 8> few_;
  std::vector<client::HeaderView> many_;
  std::span<client::HeaderView> to_;
};

std::optional<ByteView> view_of(BytesView bytes) {
  if (bytes.is_null()) return std::nullopt;
  return bytes.bytes();
}

client::RecordToSend to_send_of(const Record& record, const HeadersToSend& headers) {
  client::RecordToSend to_send{.topic = record.topic,
                               .key = view_of(record.key),
                               .value = view_of(record.value),
                               .headers = headers.span()};
  if (record.partition) to_send.partition = PartitionIndex(*record.partition);
  if (record.timestamp) to_send.timestamp = KafkaTime(record.timestamp->time_since_epoch().count());
  return to_send;
}

Task<client::ClientResult<void>> close_client(client::ProducerClient& producer,
                                              MonotonicTime deadline) {
  co_await producer.close(deadline);
  co_return client::ClientResult<void>();
}

}  // namespace

class Producer::Implementation {
 public:
  Implementation(client::ProducerSettings settings, const ClientOptions& options)
      : host_("millrace-produce", options),
        settings_(std::move(settings)),
        hooks_(log_, options.events),
        futures_(*this),
        posts_(*this),
        transactions_(host_, [this](const Record& record, WhenFull when_full) {
          return send(record, when_full);
        }) {}
  ~Implementation();
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  std::optional<Error> start();
  client::ClientResult<void> add(const Record& record, client::DeliverySink& sink,
                                 std::uint64_t token, WhenFull when_full);
  client::ClientResult<void> add_as_it_is(const Record& record, client::DeliverySink& sink,
                                          std::uint64_t token, WhenFull when_full);
  Future<Outcome> send(const Record& record, WhenFull when_full);
  Future<Room> when_room(const Record& record);
  Result<void> flush(std::chrono::milliseconds time);
  Result<void> close(std::chrono::milliseconds time);
  Result<std::int32_t> partition_count(std::string_view topic, std::chrono::milliseconds time);
  Result<Uuid> client_instance_id(std::chrono::milliseconds time);

  bool is_on_own_thread() { return host_.thread().is_own_thread(); }
  client::DeliverySink& posts() { return posts_; }
  client::ProducerHooks& hooks() { return hooks_; }
  detail::TransactionHost& transactions() { return transactions_; }
  Result<Metrics> metrics();
  void set_partitioner(Partitioner partitioner);

 private:
  // The outcome becomes the value of a future, whose state is the token.
  class Futures final : public client::DeliverySink {
   public:
    explicit Futures(Implementation& owner) : owner_(owner) {}
    void delivered(std::uint64_t token, const client::DeliveryReport& report) noexcept override {
      const detail::ClientThreadMark mark;
      owner_.count(report);
      promise_of<Outcome>(token).set(owner_.hooks_.outcome_of(report));
    }

   private:
    Implementation& owner_;
  };
  // The outcome goes to the handler of the application.
  class Posts final : public client::DeliverySink {
   public:
    explicit Posts(Implementation& owner) : owner_(owner) {}
    void delivered(std::uint64_t token, const client::DeliveryReport& report) noexcept override {
      const detail::ClientThreadMark mark;
      owner_.count(report);
      owner_.hooks_.tell(token, report);
    }

   private:
    Implementation& owner_;
  };

  // Futures that wait for room.
  class Rooms final : public client::RoomSink {
   public:
    void room(std::uint64_t token, const client::ClientError* refused) noexcept override {
      const detail::ClientThreadMark mark;
      promise_of<Room>(token).set(refused == nullptr ? Room() : client::public_error(*refused));
    }
  };

  template <class T>
  static std::uint64_t token_of(detail::Promise<T> promise) {
    return static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(promise.hand_over()));
  }
  template <class T>
  static detail::Promise<T> promise_of(std::uint64_t token) {
    using State = detail::ValueState<T>;
    auto* state = reinterpret_cast<State*>(static_cast<std::uintptr_t>(token));
    return detail::Promise<T>(detail::StateReference<State>(state));
  }
  client::ClientResult<void> ask_for_room(const Record& record, std::uint64_t token);
  // On the client's thread.
  void count(const client::DeliveryReport& report) {
    if (report.error != nullptr && report.error->failure == client::Failure::closed)
      ++left_when_closed_;
  }
  MonotonicTime deadline_after(std::chrono::milliseconds time) {
    return client::deadline_after(host_.thread().clock(), time);
  }

  client::ClientHost host_;
  Logger log_ = host_.logger();
  const client::ProducerSettings settings_;
  client::ProducerHooks hooks_;
  Futures futures_;
  Posts posts_;
  Rooms rooms_;
  client::TransactionCore transactions_;
  std::mutex closing_;
  bool is_closed_ = false;
  std::uint64_t left_when_closed_ = 0;  // of the client's thread, until it is closed
  std::unique_ptr<client::ProducerClient> client_;
};

std::optional<Error> Producer::Implementation::start() {
  if (const auto started = host_.start(); !started) return client::public_error(started.error());
  host_.thread().run([this]() -> Task<void> {
    client::ClientThread& thread = host_.thread();
    client_ = std::make_unique<client::ProducerClient>(
        settings_, thread.executor(), thread.mailbox(), thread.network(), thread.resolver(), log_,
        Random(client::random_seed()));
    transactions_.set_client(*client_);
    co_return;
  });
  return std::nullopt;
}

Producer::Implementation::~Implementation() {
  if (!client_) return;
  if (host_.cannot_ask()) {
    // What lives on the thread can be ended there only, and in a forked process it is not there.
    static_cast<void>(client_.release());
    return;
  }
  if (const auto closed = close(closing_time_max); !closed)
    log_.error("closing: {}", closed.error().message());
  host_.wait_for_all();
  host_.thread().run([this]() -> Task<void> {
    client_.reset();
    co_return;
  });
}

client::ClientResult<void> Producer::Implementation::add(const Record& record,
                                                         client::DeliverySink& sink,
                                                         std::uint64_t token, WhenFull when_full) {
  if (!hooks_.has_interceptors()) [[likely]]
    return add_as_it_is(record, sink, token, when_full);
  OutgoingRecord outgoing(record);
  hooks_.pass(outgoing);
  auto taken = add_as_it_is(outgoing.record(), sink, token, when_full);
  if (!taken) hooks_.refused(outgoing.record(), taken.error());
  return taken;
}

client::ClientResult<void> Producer::Implementation::add_as_it_is(const Record& record,
                                                                  client::DeliverySink& sink,
                                                                  std::uint64_t token,
                                                                  WhenFull when_full) {
  // A transaction that lacks this record is not told of it: in a forked process nobody commits it.
  if (auto refused = host_.cannot_ask()) return failure(*std::move(refused));
  if (hooks_.events() != nullptr) [[unlikely]] {
    if (auto refused = hooks_.refusal()) {
      client_->refused(*refused);
      return failure(*std::move(refused));
    }
  }
  const HeadersToSend headers(record.headers);
  const bool may_wait = when_full == WhenFull::wait && !host_.thread().is_own_thread();
  return client_->send(to_send_of(record, headers), &sink, token,
                       may_wait ? client::FullBuffer::wait : client::FullBuffer::fail);
}

Future<Outcome> Producer::Implementation::send(const Record& record, WhenFull when_full) {
  detail::Promise<Outcome> promise;
  if (hooks_.events() != nullptr) promise.complete_on(hooks_.events());
  Future<Outcome> future = promise.future();
  const std::uint64_t token = token_of(std::move(promise));
  if (const auto taken = add(record, futures_, token, when_full); !taken)
    promise_of<Outcome>(token).set(client::public_error(taken.error()));
  return future;
}

client::ClientResult<void> Producer::Implementation::ask_for_room(const Record& record,
                                                                  std::uint64_t token) {
  if (auto refused = host_.cannot_ask()) return failure(*std::move(refused));
  // There it is dispatch() that makes room.
  if (auto refused = hooks_.refusal()) return failure(*std::move(refused));
  const HeadersToSend headers(record.headers);
  return client_->when_room(to_send_of(record, headers), rooms_, token);
}

Future<Room> Producer::Implementation::when_room(const Record& record) {
  detail::Promise<Room> promise;
  if (hooks_.events() != nullptr) promise.complete_on(hooks_.events());
  Future<Room> future = promise.future();
  const std::uint64_t token = token_of(std::move(promise));
  if (const auto asked = ask_for_room(record, token); !asked)
    promise_of<Room>(token).set(client::public_error(asked.error()));
  return future;
}

Result<Metrics> Producer::Implementation::metrics() {
  return client::public_result(host_.run([this]() -> Task<client::ClientResult<Metrics>> {
    client::MetricList list(settings_.common.client_id, host_.thread().clock().now());
    client_->list_metrics(list);
    co_return client::public_metrics(std::move(list));
  }));
}

void Producer::Implementation::set_partitioner(Partitioner partitioner) {
  const bool is_one = partitioner != nullptr;
  hooks_.set_partitioner(std::move(partitioner));
  client_->set_chooser(is_one ? &hooks_ : nullptr);
}

Result<void> Producer::Implementation::flush(std::chrono::milliseconds time) {
  return client::public_result(
      host_.run([this, deadline = deadline_after(time)] { return client_->flush(deadline); }));
}

Result<void> Producer::Implementation::close(std::chrono::milliseconds time) {
  if (auto refused = host_.cannot_wait()) return client::public_error(*refused);
  const std::lock_guard lock(closing_);
  if (std::exchange(is_closed_, true)) return {};
  const auto closed = host_.run(
      [this, deadline = deadline_after(time)] { return close_client(*client_, deadline); });
  if (!closed) return client::public_error(closed.error());
  if (left_when_closed_ == 0) return {};
  return Error({.code = ErrorCode::request_timed_out,
                .origin = Origin::timeout,
                .persisted = Persisted::unknown},
               std::to_string(left_when_closed_) +
                   " records could not be sent before the producer was closed");
}

Result<std::int32_t> Producer::Implementation::partition_count(std::string_view topic,
                                                               std::chrono::milliseconds time) {
  return client::public_result(
      host_.run([this, topic = std::string(topic), deadline = deadline_after(time)] {
        return client_->load(topic, deadline);
      }));
}

Result<Uuid> Producer::Implementation::client_instance_id(std::chrono::milliseconds time) {
  const auto id = host_.run(
      [this, deadline = deadline_after(time)] { return client_->client_instance_id(deadline); });
  if (!id) return client::public_error(id.error());
  return Uuid{id->bytes};
}

Producer::Producer(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}

Producer::Producer(const Config& config, const ClientOptions& options)
    : Producer(open(config, options).value()) {}

Result<Producer> Producer::open(const Config& config, const ClientOptions& options) {
  auto settings = client::producer_settings(client::properties_of(config));
  if (!settings) return client::settings_error("producer", settings.error());
  auto implementation = std::make_unique<Implementation>(*std::move(settings), options);
  if (auto error = implementation->start()) return *std::move(error);
  return Producer(std::move(implementation));
}

Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&& other) noexcept {
  client::end_where_it_may_wait(
      std::exchange(implementation_, std::exchange(other.implementation_, nullptr)));
  return *this;
}
Producer::~Producer() {
  client::end_where_it_may_wait(std::move(implementation_));
}

detail::TransactionHost& Producer::transactions() noexcept {
  return implementation_->transactions();
}

Future<Result<Delivery>> Producer::send(const Record& record, WhenFull when_full) {
  return implementation_->send(record, when_full);
}

Result<void> Producer::post(const Record& record, std::uint64_t tag, WhenFull when_full) {
  return client::public_result(
      implementation_->add(record, implementation_->posts(), tag, when_full));
}

Future<Result<void>> Producer::when_room(const Record& record) {
  return implementation_->when_room(record);
}

void Producer::on_delivery(DeliveryHandler handler) {
  implementation_->hooks().set_handler(std::move(handler));
}

void Producer::set_partitioner(Partitioner partitioner) {
  implementation_->set_partitioner(std::move(partitioner));
}

void Producer::add_interceptor(std::shared_ptr<ProducerInterceptor> interceptor) {
  implementation_->hooks().add(std::move(interceptor));
}

Result<void> Producer::flush(std::chrono::milliseconds time) {
  return implementation_->flush(time);
}

Result<void> Producer::close(std::chrono::milliseconds time) {
  return implementation_->close(time);
}

Result<Metrics> Producer::metrics() const {
  return implementation_->metrics();
}

Result<Uuid> Producer::client_instance_id(std::chrono::milliseconds time) {
  return implementation_->client_instance_id(time);
}

Result<std::int32_t> Producer::partition_count(std::string_view topic,
                                               std::chrono::milliseconds time) {
  return implementation_->partition_count(topic, time);
}

}  // namespace millrace::inline v1
