// millrace.client.bridge.producer: what the application hangs into a producer.
module;
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "hooks.hpp"
#include "millrace/event_queue.hpp"
#include "millrace/interceptors.hpp"
#include "millrace/partitioner.hpp"
#include "millrace/producer.hpp"
#include "millrace/result.hpp"

export module millrace.client.bridge.producer;

import millrace.base;
import millrace.client.core;
import millrace.client.producer;
import millrace.client.bridge;

export namespace millrace::client {

// The delivery handler, the partitioner and the interceptors of one producer, which owns it. Set
// before the first record; then called by any thread. Nothing that the application throws gets out.
class ProducerHooks final : public PartitionChooser {
 public:
  using Outcome = v1::Result<v1::Delivery>;

  ProducerHooks(Logger log, std::shared_ptr<v1::EventQueue> events);

  void set_handler(v1::DeliveryHandler handler);
  void set_partitioner(v1::Partitioner partitioner) { partitioner_ = std::move(partitioner); }
  void add(std::shared_ptr<v1::ProducerInterceptor> interceptor) {
    interceptors_.add(std::move(interceptor));
  }

  // --- The way in, on the threads that send. ---
  [[nodiscard]] inline bool has_interceptors() const { return !interceptors_.empty(); }
  void pass(v1::OutgoingRecord& record) const;
  // A record that interceptors have seen was not taken.
  void refused(const v1::Record& record, const ClientError& why) const;
  // Why none is taken now.
  [[nodiscard]] std::optional<ClientError> refusal() const;
  [[nodiscard]] ClientResult<std::optional<PartitionIndex>> choose(
      const RecordToSend& record, std::int32_t partition_count,
      std::span<const std::int32_t> available) override;

  // --- The way out, on the client's thread. ---
  [[nodiscard]] Outcome outcome_of(const DeliveryReport& report) const;
  // To the handler, or to the log.
  void tell(std::uint64_t tag, const DeliveryReport& report) const;
  [[nodiscard]] inline const std::shared_ptr<v1::EventQueue>& events() const { return events_; }

 private:
  const Logger log_;
  const std::shared_ptr<v1::EventQueue> events_;
  std::shared_ptr<const v1::DeliveryHandler> handler_;
  v1::Partitioner partitioner_;
  v1::HookFailures partitioner_failures_;
  v1::Interceptors<v1::ProducerInterceptor> interceptors_;
};

}  // namespace millrace::client
