#include "millrace/consumer.hpp"

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client_thread_mark.hpp"

import millrace.client.consumer;
import millrace.client.core;
import millrace.client.bridge;
import millrace.client.bridge.consumer;

namespace millrace::inline v1 {

namespace {

using Client = client::ConsumerClient;
using KafkaTime = decltype(client::ConsumedRecord::timestamp);
using Partitions = std::vector<TopicPartition>;
template <class T>
using Answer = Task<client::ClientResult<T>>;

client::TopicPartition inner(const TopicPartition& partition) {
  return {partition.topic, PartitionIndex(partition.partition)};
}

TopicPartition outer(const client::TopicPartition& partition) {
  return {partition.topic, partition.partition.value()};
}

client::Partitions inner(const Partitions& partitions) {
  client::Partitions converted;
  for (const TopicPartition& partition : partitions) converted.push_back(inner(partition));
  return converted;
}

Partitions outer(const client::Partitions& partitions) {
  Partitions converted;
  for (const client::TopicPartition& partition : partitions) converted.push_back(outer(partition));
  return converted;
}

client::CommittedOffsets inner(const Offsets& offsets) {
  client::CommittedOffsets converted;
  for (const auto& [partition, offset] : offsets)
    converted[inner(partition)].offset = Offset(offset);
  return converted;
}

// Handlers get public types.
client::PartitionsHandler inner(RebalanceHandler handler) {
  if (!handler) return {};
  return [handler = std::move(handler)](const client::Partitions& partitions) {
    handler(outer(partitions));
  };
}

Error one_poll_at_a_time() {
  return Error({.code = ErrorCode::invalid_request, .origin = Origin::configuration},
               "another poll() or next() of this consumer is under way");
}

Answer<Offsets> committed_of(Client& client, const Partitions& partitions, MonotonicTime deadline) {
  auto found = co_await client.committed(inner(partitions), deadline);
  if (!found) co_return failure(std::move(found.error()));
  Offsets offsets;
  for (const auto& [partition, committed] : *found)
    offsets[outer(partition)] = committed.offset.value();
  co_return offsets;
}

Answer<std::map<TopicPartition, FoundOffset>> found_of(Client& client, client::WantedOffsets wanted,
                                                       MonotonicTime deadline) {
  auto answers = co_await client.offsets(std::move(wanted), deadline);
  if (!answers) co_return failure(std::move(answers.error()));
  std::map<TopicPartition, FoundOffset> found;
  for (const auto& [partition, answer] : *answers) {
    FoundOffset& into = found[outer(partition)];
    into.offset = answer.offset.value();
    if (answer.timestamp != no_timestamp)
      into.timestamp = Timestamp(std::chrono::milliseconds(answer.timestamp.value()));
  }
  co_return found;
}

}  // namespace

// The core alone: it is shared with records.
class Consumer::Implementation {
 public:
  explicit Implementation(std::shared_ptr<client::ConsumerCore> shared) : core(std::move(shared)) {}

  Result<Offsets> offsets_at(const Partitions& partitions, KafkaTime place,
                             std::chrono::milliseconds time);
  // Of a consumer's poll and next.
  static client::ClientResult<Records> records_of(
      client::ClientResult<client::ConsumerCore::Held> polled);
  // On the thread that gets them.
  static void pass(const client::ConsumerCore& core, const Records& records);
  // Ends after its consumer where that is dropped on its own thread.
  static Answer<Records> next(client::ConsumerCore& core);

  const std::shared_ptr<client::ConsumerCore> core;
};

void Consumer::Implementation::pass(const client::ConsumerCore& core, const Records& records) {
  if (records.empty()) return;
  core.interceptors().each("ConsumerInterceptor::on_consume",
                           [&](ConsumerInterceptor& one) { one.on_consume(records); });
}

client::ClientResult<Records> Consumer::Implementation::records_of(
    client::ClientResult<client::ConsumerCore::Held> polled) {
  if (!polled) return failure(std::move(polled.error()));
  return Records(std::move(polled->memory), polled->first, polled->count);
}

Answer<Records> Consumer::Implementation::next(client::ConsumerCore& core) {
  const std::shared_ptr<client::ConsumerCore> owner = core.shared_from_this();
  for (;;) {
    auto polled = co_await core.poll(core.deadline_after(std::chrono::minutes(1)));
    if (polled && polled->count == 0) continue;
    core.end_poll();
    auto records = records_of(std::move(polled));
    if (records && !core.interceptors().empty()) {
      const detail::ClientThreadMark mark;
      pass(core, *records);
    }
    co_return records;
  }
}

Result<Offsets> Consumer::Implementation::offsets_at(const Partitions& partitions, KafkaTime place,
                                                     std::chrono::milliseconds time) {
  client::WantedOffsets wanted;
  for (const TopicPartition& partition : partitions) wanted.emplace(inner(partition), place);
  const auto found = core->ask<std::map<TopicPartition, FoundOffset>>(
      [&wanted, deadline = core->deadline_after(time)](Client& client) {
        return found_of(client, std::move(wanted), deadline);
      });
  if (!found) return found.error();
  Offsets offsets;
  for (const auto& [partition, at] : *found) offsets[partition] = at.offset;
  return offsets;
}

Consumer::Consumer(std::unique_ptr<Implementation> implementation) noexcept
    : implementation_(std::move(implementation)) {}

Consumer::Consumer(const Config& config, const ClientOptions& options)
    : Consumer(open(config, options).value()) {}

Result<Consumer> Consumer::open(const Config& config, const ClientOptions& options) {
  auto settings = client::consumer_settings(client::properties_of(config));
  if (!settings) return client::settings_error("consumer", settings.error());
  auto core = client::ConsumerCore::make(*std::move(settings), options);
  if (const auto started = core->start(); !started) return client::public_error(started.error());
  return Consumer(std::make_unique<Implementation>(std::move(core)));
}

Consumer::Consumer(Consumer&&) noexcept = default;

Consumer& Consumer::operator=(Consumer&& other) noexcept {
  std::swap(implementation_, other.implementation_);
  return *this;
}

Consumer::~Consumer() {
  if (!implementation_) return;
  client::ConsumerCore& core = *implementation_->core;
  if (core.host().cannot_ask()) return;
  if (core.host().thread().is_own_thread()) {
    core.close_by_itself(closing_time_max);
  } else if (const auto closed = core.close(closing_time_max); !closed) {
    core.host().logger().error("closing: {}", closed.error().message());
  }
}

Result<void> Consumer::subscribe(std::vector<std::string> topics) {
  client::ConsumerCore* core = implementation_->core.get();
  return core->ask_now<void>(
      [&](Client& client) { return client.subscribe(std::move(topics), core); });
}

Result<void> Consumer::subscribe_pattern(std::string_view pattern) {
  client::ConsumerCore* core = implementation_->core.get();
  return core->ask_now<void>(
      [&](Client& client) { return client.subscribe_pattern(std::string(pattern), core); });
}

Result<void> Consumer::subscribe_broker_pattern(std::string_view pattern) {
  client::ConsumerCore* core = implementation_->core.get();
  return core->ask_now<void>(
      [&](Client& client) { return client.subscribe_broker_pattern(std::string(pattern), core); });
}

Result<void> Consumer::assign(const std::vector<TopicPartition>& partitions) {
  return implementation_->core->ask_now<void>(
      [&](Client& client) { return client.assign(inner(partitions)); });
}

Result<void> Consumer::unsubscribe(std::chrono::milliseconds time) {
  client::ConsumerCore& core = *implementation_->core;
  const MonotonicTime deadline = core.deadline_after(time);
  return core.ask_and_tell<void>([deadline](Client& client) -> Answer<void> {
    co_await client.unsubscribe(deadline);
    co_return client::ClientResult<void>();
  });
}

Result<std::vector<TopicPartition>> Consumer::assignment() const {
  return implementation_->core->ask_now<Partitions>(
      [](Client& client) -> client::ClientResult<Partitions> {
        return outer(client.assignment());
      });
}

Consumer& Consumer::on_assigned(RebalanceHandler handler) {
  implementation_->core->on_assigned = inner(std::move(handler));
  return *this;
}

Consumer& Consumer::on_revoked(RebalanceHandler handler) {
  implementation_->core->on_revoked = inner(std::move(handler));
  return *this;
}

Consumer& Consumer::on_lost(RebalanceHandler handler) {
  implementation_->core->on_lost = inner(std::move(handler));
  return *this;
}

Result<Records> Consumer::poll(std::chrono::milliseconds time) {
  client::ConsumerCore& core = *implementation_->core;
  if (!core.begin_poll()) return one_poll_at_a_time();
  auto polled = core.ask_and_tell<Records>(
      [&core, deadline = core.deadline_after(time)](Client&) -> Answer<Records> {
        co_return Implementation::records_of(co_await core.poll(deadline));
      });
  core.end_poll();
  if (polled) Implementation::pass(core, *polled);
  return polled;
}

Future<Result<Records>> Consumer::next() {
  client::ConsumerCore& core = *implementation_->core;
  if (!core.begin_poll()) {
    detail::Promise<Result<Records>> refused;
    refused.set(one_poll_at_a_time());
    return refused.future();
  }
  return core.begin_polling<Records>([&core] { return Implementation::next(core); });
}

Result<void> Consumer::wake() {
  return implementation_->core->ask_now<void>([](Client& client) {
    client.wake();
    return client::ClientResult<void>();
  });
}

Result<int> Consumer::event_fd() {
  return implementation_->core->event_fd();
}

void Consumer::add_interceptor(std::shared_ptr<ConsumerInterceptor> interceptor) {
  implementation_->core->add(std::move(interceptor));
}

Result<GroupMembership> Consumer::membership() const {
  client::ConsumerCore& core = *implementation_->core;
  const client::ConsumerSettings& settings = core.settings();
  return core.ask_now<GroupMembership>(
      [&](Client& client) -> client::ClientResult<GroupMembership> {
        if (settings.group_id.empty()) {
          return failure(client_error(client::Failure::bad_argument, "to commit, set group.id"));
        }
        const client::Membership is = client.membership();
        // Not even its partitions, which it was not told yet that it has lost.
        if (client.phase() != client::MemberPhase::out && is.member_id.empty()) {
          return failure(
              client_error(client::Failure::not_in_group,
                           "group " + settings.group_id + ": this consumer is no member now"));
        }
        GroupMembership membership{.group_id = settings.group_id,
                                   .generation = is.generation.value(),
                                   .member_id = is.member_id};
        if (!settings.group_instance_id.empty())
          membership.instance_id = settings.group_instance_id;
        return membership;
      });
}

Result<void> Consumer::pause(const std::vector<TopicPartition>& partitions) {
  return implementation_->core->ask_now<void>(
      [&](Client& client) { return client.pause(inner(partitions)); });
}

Result<void> Consumer::resume(const std::vector<TopicPartition>& partitions) {
  return implementation_->core->ask_now<void>(
      [&](Client& client) { return client.resume(inner(partitions)); });
}

Result<std::vector<TopicPartition>> Consumer::paused() const {
  return implementation_->core->ask_now<Partitions>(
      [](Client& client) -> client::ClientResult<Partitions> { return outer(client.paused()); });
}

Result<void> Consumer::seek(const TopicPartition& partition, std::int64_t offset) {
  return implementation_->core->ask_now<void>(
      [&](Client& client) { return client.seek(inner(partition), Offset(offset)); });
}

Result<void> Consumer::seek_to_beginning(const TopicPartition& partition) {
  return implementation_->core->ask_now<void>([&](Client& client) {
    return client.seek_to_time(inner(partition), client::earliest_timestamp);
  });
}

Result<void> Consumer::seek_to_end(const TopicPartition& partition) {
  return implementation_->core->ask_now<void>([&](Client& client) {
    return client.seek_to_time(inner(partition), client::latest_timestamp);
  });
}

Result<void> Consumer::seek_to_time(const TopicPartition& partition, Timestamp time) {
  return implementation_->core->ask_now<void>([&](Client& client) {
    return client.seek_to_time(inner(partition), KafkaTime(time.time_since_epoch().count()));
  });
}

Result<std::int64_t> Consumer::position(const TopicPartition& partition,
                                        std::chrono::milliseconds time) const {
  client::ConsumerCore& core = *implementation_->core;
  return core.ask<std::int64_t>(
      [&, deadline = core.deadline_after(time)](Client& client) -> Answer<std::int64_t> {
        const auto position = co_await client.position(inner(partition), deadline);
        if (!position) co_return failure(position.error());
        co_return position->value();
      });
}

Result<std::map<TopicPartition, Lag>> Consumer::lag() const {
  using Lags = std::map<TopicPartition, Lag>;
  return implementation_->core->ask_now<Lags>([](Client& client) -> client::ClientResult<Lags> {
    Lags lags;
    for (const client::TopicPartition& partition : client.assignment())
      if (const auto lag = client.lag(partition))
        lags[outer(partition)] = {lag->position.value(), lag->end.value()};
    return lags;
  });
}

Result<std::vector<StalledPartition>> Consumer::stalled() const {
  using Stalled = std::vector<StalledPartition>;
  client::ConsumerCore& core = *implementation_->core;
  return core.ask_now<Stalled>([&core](Client& client) -> client::ClientResult<Stalled> {
    const MonotonicTime now = core.host().thread().clock().now();
    Stalled stalled;
    for (client::StalledPartition& one : client.stalled()) {
      stalled.push_back(
          {.partition = outer(one.partition),
           .position = one.position.value(),
           .end = one.end.value(),
           .stalled_for = std::chrono::duration_cast<std::chrono::milliseconds>(now - one.since),
           .why = std::move(one.why)});
    }
    return stalled;
  });
}

Result<void> Consumer::commit(std::chrono::milliseconds time) {
  client::ConsumerCore& core = *implementation_->core;
  return core.ask<void>(
      [deadline = core.deadline_after(time)](Client& client) { return client.commit(deadline); });
}

Result<void> Consumer::commit(const Offsets& offsets, std::chrono::milliseconds time) {
  client::ConsumerCore& core = *implementation_->core;
  return core.ask<void>([&, deadline = core.deadline_after(time)](Client& client) {
    return client.commit(inner(offsets), deadline);
  });
}

void Consumer::commit_async() {
  commit_async([logger = implementation_->core->host().logger()](const Result<void>& committed) {
    if (!committed) logger.warning("commit: {}", committed.error().message());
  });
}

void Consumer::commit_async(std::function<void(const Result<void>&)> done) {
  client::ConsumerCore* core = implementation_->core.get();
  core->begin<void>([core] { return core->commit(core->deadline_after(waiting_time)); })
      .then(std::move(done));
}

Result<Offsets> Consumer::committed(const std::vector<TopicPartition>& partitions,
                                    std::chrono::milliseconds time) const {
  client::ConsumerCore& core = *implementation_->core;
  return core.ask<Offsets>([&, deadline = core.deadline_after(time)](Client& client) {
    return committed_of(client, partitions, deadline);
  });
}

Result<Offsets> Consumer::beginning_offsets(const std::vector<TopicPartition>& partitions,
                                            std::chrono::milliseconds time) const {
  return implementation_->offsets_at(partitions, client::earliest_timestamp, time);
}

Result<Offsets> Consumer::end_offsets(const std::vector<TopicPartition>& partitions,
                                      std::chrono::milliseconds time) const {
  return implementation_->offsets_at(partitions, client::latest_timestamp, time);
}

Result<std::map<TopicPartition, FoundOffset>> Consumer::offsets_for_times(
    const std::map<TopicPartition, Timestamp>& times, std::chrono::milliseconds time) const {
  client::ConsumerCore& core = *implementation_->core;
  client::WantedOffsets wanted;
  for (const auto& [partition, at] : times)
    wanted.emplace(inner(partition), KafkaTime(at.time_since_epoch().count()));
  return core.ask<std::map<TopicPartition, FoundOffset>>(
      [&wanted, deadline = core.deadline_after(time)](Client& client) {
        return found_of(client, std::move(wanted), deadline);
      });
}

Result<Metrics> Consumer::metrics() const {
  client::ConsumerCore& core = *implementation_->core;
  return core.ask_now<Metrics>([&core](Client& client) -> client::ClientResult<Metrics> {
    client::MetricList list = core.metric_list();
    client.list_metrics(list);
    return client::public_metrics(std::move(list));
  });
}

Result<Uuid> Consumer::client_instance_id(std::chrono::milliseconds time) const {
  client::ConsumerCore& core = *implementation_->core;
  return core.ask<Uuid>([deadline = core.deadline_after(time)](Client& client) -> Answer<Uuid> {
    const auto id = co_await client.client_instance_id(deadline);
    if (!id) co_return failure(id.error());
    co_return Uuid{id->bytes};
  });
}

Result<void> Consumer::close(std::chrono::milliseconds time) {
  return implementation_->core->close(time);
}

}  // namespace millrace::inline v1
