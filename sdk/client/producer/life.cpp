// Flushing and closing, and what the sender asks of the cluster besides producing.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.transactions;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

Task<ClientResult<void>> Sender::flush(MonotonicTime deadline) {
  struct Target {
    Partition* partition = nullptr;
    std::uint64_t records = 0;
  };
  std::vector<Target> targets;
  for (Topic* topic : accumulator_.topics.all()) {
    for (std::int32_t i = 0; i < topic->partition_count(); ++i) {
      Partition& partition = topic->partition(PartitionIndex{i});
      const std::uint64_t accepted = partition.accepted();
      if (accepted > partition.reported) targets.push_back({&partition, accepted});
    }
  }
  const MonotonicTime begun = executor_.clock().now();
  ++flushing_;
  signal_.set();
  bool is_in_time = true;
  for (const Target& target : targets) {
    while (is_in_time && target.partition->reported < target.records) {
      is_in_time = co_await progress_.wait(deadline);
    }
  }
  --flushing_;
  meters_.flushing += executor_.clock().now() - begun;
  if (!is_in_time) {
    co_return failure(client_error(Failure::timed_out, "records are still on their way"));
  }
  co_return ClientResult<void>();
}

Task<void> Sender::close(MonotonicTime deadline) {
  accumulator_.close(fatal_ ? &*fatal_ : nullptr);
  if (transactor_ != nullptr) co_await transactor_->close(deadline);
  // Late or not, each record gets its outcome below.
  static_cast<void>(co_await flush(deadline));
  is_stopped_ = true;
  stopping_.wake_all();
  if (transactor_ != nullptr) transactor_->stop();
  fail_all(client_error(Failure::closed, "the producer was closed"));
  progress_.wake_all();
  signal_.set();
  // What metadata asks a broker that does not answer ends with the brokers.
  TaskGroup closing;
  closing.start(metadata_.close());
  co_await brokers_.close();
  co_await closing.wait();
  co_await tasks_.wait();
  if (transactor_ != nullptr) co_await transactor_->ended();
}

void Sender::fail_for_good(const ClientError& why) {
  if (fatal_) return;
  fatal_ = why;
  fatal_->fatal = true;
  accumulator_.close(&*fatal_);
  fail_all(*fatal_);
  progress_.wake_all();
}

Task<ClientResult<std::int32_t>> Sender::load(std::string name, MonotonicTime deadline) {
  Topic* topic = accumulator_.topics.find_or_add(name);
  if (topic == nullptr) {
    co_return failure(client_error(Failure::bad_argument, "no further topics"));
  }
  metadata_.want(name);
  const auto known = co_await metadata_.topic(name, deadline);
  if (!known) co_return failure(known.error());
  if ((*known)->partitions.empty()) {
    co_return failure(client_error(Failure::unknown_topic, "topic " + name + " has no partitions"));
  }
  if (!accumulator_.learn(*topic, **known)) {
    co_return failure(client_error(Failure::closed, "the producer is closed"));
  }
  co_return topic->partition_count();
}

Task<void> Sender::load_for_waiting(Topic& topic) {
  // Asked about a topic that is known: somebody named a partition that it has not.
  if (topic.partition_count() > 0) metadata_.invalidate();
  const auto loaded = co_await load(topic.name(), executor_.clock().now() + settings_.max_block);
  topic.is_loading = false;
  if (!loaded) topic.fail(loaded.error());
}

Task<void> Sender::connect(BrokerId broker) {
  const MonotonicTime now = executor_.clock().now();
  // Without acks a broker can refuse by the end of the connection only: it may lead no longer.
  if (std::exchange(nodes_[broker].has_taken_unanswered, false)) {
    static_cast<void>(co_await metadata_.refresh(now + settings_.common.request_timeout));
    nodes_[broker].is_connecting = false;
    signal_.set();
    co_return;
  }
  CallOptions options;
  options.deadline = now + settings_.common.socket_connection_setup_timeout_max;
  const auto versions = co_await brokers_.versions(broker, options);
  if (!versions) {
    Node& node = nodes_[broker];
    node.last_error = versions.error().message;
    accumulator_.hindered(node.last_error);
    if (!node.unreachable_since) node.unreachable_since = now;
    if (!is_stopped_) {
      // Its partitions may have another leader by now.
      metadata_.invalidate();
      static_cast<void>(
          co_await stopping_.wait(executor_.clock().now() + settings_.common.retry_backoff));
    }
  }
  nodes_[broker].is_connecting = false;
  signal_.set();
}

Task<void> Sender::get_producer_id() {
  Backoff backoff(settings_.common.retry_range(), random_);
  while (!is_stopped_ && producer_id_ == no_producer_id && !fatal_) {
    protocol::InitProducerIdRequest request;
    request.transactional_id = protocol::null_string;
    request.transaction_timeout_ms = std::numeric_limits<std::int32_t>::max();
    CallOptions options;
    options.deadline = executor_.clock().now() + settings_.common.request_timeout;
    const auto reply = co_await brokers_.call_any(request, options);
    ClientError error;
    if (!reply) {
      error = reply.error();
    } else if (const auto code = protocol::error_code_from(reply->message.error_code);
               code != ErrorCode::none) {
      error = broker_error(code, reply->broker, "no producer id");
    } else if (reply->message.producer_id < 0 || reply->message.producer_epoch < 0) {
      error = client_error(Failure::malformed_answer, "the answer has no producer id",
                           Persistence::not_persisted, reply->broker);
    } else {
      producer_id_ = ProducerId(reply->message.producer_id);
      producer_epoch_ = ProducerEpoch(reply->message.producer_epoch);
      break;
    }
    id_error_ = error.message;
    if (error.failure == Failure::closed) break;
    if (reply && error.code == ErrorCode::cluster_authorization_failed) {
      // The right may be given by and by: the next record asks again.
      error.message += ": it needs the right to write to some topic";
      fail_all(error);
      progress_.wake_all();
      break;
    }
    if (error.failure == Failure::unsupported_version || (reply && !error.retriable)) {
      fail_for_good(error);
      break;
    }
    if (is_stopped_) break;
    static_cast<void>(co_await stopping_.wait(executor_.clock().now() + backoff.next()));
  }
  is_getting_id_ = false;
  signal_.set();
}

}  // namespace millrace::client
