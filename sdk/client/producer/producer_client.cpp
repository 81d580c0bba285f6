module;
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

class ProducerClient::Wake final : public Waker {
 public:
  Wake(ProducerClient& owner, Mailbox& mailbox)
      : mailbox_(mailbox), callback_(&owner, [](void* producer) {
          static_cast<ProducerClient*>(producer)->sender_.wake();
        }) {}

  void wake() override {
    if (Callback* callback = callback_.ask()) mailbox_.send(*callback);
  }

 private:
  Mailbox& mailbox_;
  RecurringCallback callback_;
};

namespace {

// Times without end would not fit when they are added to the time of now.
ProducerSettings bounded(ProducerSettings settings) {
  for (Duration* duration : {&settings.linger, &settings.max_block, &settings.delivery_timeout,
                             &settings.partitioner_availability_timeout}) {
    *duration = std::min(*duration, producer_wait_max);
  }
  return settings;
}

MetadataOptions metadata_options(const ProducerSettings& settings) {
  MetadataOptions options;
  // As Java's producer: brokers decide whether writing to a topic makes it.
  options.allow_auto_topic_creation = true;
  options.topic_idle_max = settings.metadata_max_idle;
  return options;
}

}  // namespace

ProducerClient::ProducerClient(const ProducerSettings& settings, Executor& executor,
                               Mailbox& mailbox, Network& network, Resolver& resolver,
                               const Logger& logger, Random random)
    : settings_(bounded(settings)),
      wake_(std::make_unique<Wake>(*this, mailbox)),
      brokers_(executor, network, resolver, settings_.common, logger, Random(random.next())),
      metadata_(executor, brokers_, settings_.common, metadata_options(settings_), logger,
                Random(random.next())),
      accumulator_(settings_, executor.clock(), *wake_, random.next()),
      sender_(settings_, executor, accumulator_, brokers_, metadata_, *wake_,
              Random(random.next())),
      instance_id_(executor, brokers_, settings_.common.retry_range(), Random(random.next())) {
  sender_.start();
}

ProducerClient::~ProducerClient() = default;

ClientResult<void> ProducerClient::send(const RecordToSend& record, DeliverySink* sink,
                                        std::uint64_t token, FullBuffer when_full) {
  if (!settings_.transactional_id.empty()) [[unlikely]] {
    Transactor& transactor = *sender_.transactor();
    if (auto refused = transactor.enter()) return failure(*std::move(refused));
    auto added = accumulator_.add(record, sink, token, when_full);
    if (!added) [[unlikely]]
      transactor.refused(added.error());
    transactor.leave();
    return added;
  }
  return accumulator_.add(record, sink, token, when_full);
}

void ProducerClient::refused(const ClientError& why) {
  Transactor* const transactor = sender_.transactor();
  if (transactor == nullptr || transactor->enter()) return;
  transactor->refused(why);
  transactor->leave();
}

std::int32_t ProducerClient::partition_count(std::string_view topic) const {
  return accumulator_.partition_count(topic);
}

Task<ClientResult<std::int32_t>> ProducerClient::load(std::string topic, MonotonicTime deadline) {
  return sender_.load(std::move(topic), deadline);
}

Task<ClientResult<std::shared_ptr<const TopicView>>> ProducerClient::partitions_for(
    std::string topic, MonotonicTime deadline) {
  return metadata_.topic(std::move(topic), deadline);
}

Task<ClientResult<void>> ProducerClient::flush(MonotonicTime deadline) {
  return sender_.flush(deadline);
}

Task<void> ProducerClient::close(MonotonicTime deadline) {
  instance_id_.stop();
  return sender_.close(deadline);
}

void ProducerClient::list_metrics(MetricList& to) const {
  brokers_.list_metrics("producer", to);
  sender_.list_metrics(to);
}

ProducerMetrics ProducerClient::metrics() const {
  ProducerMetrics metrics;
  metrics.sender = sender_.counters();
  metrics.brokers = brokers_.counters();
  metrics.memory_bytes = accumulator_.pool.used_bytes();
  metrics.memory_bytes_peak = accumulator_.pool.used_bytes_peak();
  metrics.memory_bytes_max = accumulator_.pool.bytes_max();
  return metrics;
}

}  // namespace millrace::client
