module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;

namespace millrace::client {

RecordMeters& ProducerMeters::of(std::string_view topic) {
  const auto known = topics_.find(topic);
  return known != topics_.end() ? known->second : topics_[std::string(topic)];
}

void ProducerMeters::sent(const SentBatch& batch, MonotonicTime now) {
  const auto bytes = static_cast<double>(batch.bytes);
  batch_bytes_.record(bytes, now);
  queued_.record(milliseconds_of(batch.queued), now);
  largest_record_.record(static_cast<double>(batch.largest_record_bytes), now);
  for (RecordMeters* meters : {&all_, &of(batch.topic)}) {
    meters->sent.record(batch.records, now);
    meters->bytes.record(bytes, now);
    meters->compression.record(bytes / static_cast<double>(batch.plain_bytes), now);
  }
}

void ProducerMeters::retried(std::string_view topic, std::int32_t records, MonotonicTime now) {
  all_.retried.record(records, now);
  of(topic).retried.record(records, now);
}

void ProducerMeters::failed(std::string_view topic, std::int32_t records, MonotonicTime now) {
  all_.failed.record(records, now);
  of(topic).failed.record(records, now);
}

namespace {

void list_records(const RecordMeters& meters, MetricList& to) {
  to.add_sums("record-send", "records that were sent", meters.sent);
  to.add_sums("record-retry", "records that were sent again", meters.retried);
  to.add_sums("record-error", "records that failed", meters.failed);
}

double nanoseconds_of(Duration duration) {
  return std::chrono::duration<double, std::nano>(duration).count();
}

void list_transactions(const TransactionTimes& times, MetricList& to) {
  to.add("txn-init-time-ns-total", "The time that was spent in init_transactions(), in ns.",
         nanoseconds_of(times.init));
  to.add("txn-begin-time-ns-total", "The time that was spent in begin(), in ns.",
         nanoseconds_of(times.begin));
  to.add("txn-send-offsets-time-ns-total", "The time that was spent in send_offsets(), in ns.",
         nanoseconds_of(times.send_offsets));
  to.add("txn-commit-time-ns-total", "The time that was spent in commit(), in ns.",
         nanoseconds_of(times.commit));
  to.add("txn-abort-time-ns-total", "The time that was spent in abort(), in ns.",
         nanoseconds_of(times.abort));
}

}  // namespace

void ProducerMeters::list(const Now& state, MetricList& to) const {
  to.begin("producer-metrics");
  list_records(all_, to);
  to.add_average_and_maximum("batch-size", "size of a batch, in bytes", batch_bytes_);
  to.add_average("compression-rate", "size of a compressed batch, of what it was",
                 all_.compression);
  to.add_average_and_maximum("record-queue-time", "time of a batch before it is sent, in ms",
                             queued_);
  to.add_average_and_maximum("record-size", "size of the largest record of a batch, in bytes",
                             largest_record_);
  to.add_average("records-per-request", "number of records in a request", request_records);
  to.add_average_and_maximum("request-latency", "time from a request to its answer, in ms",
                             latency);
  to.add_average_and_maximum("produce-throttle-time", "pause that a broker asked for, in ms",
                             throttle);
  to.add_counts("batch-split", "batches that were cut because they were too large", splits);
  to.add("requests-in-flight", "The requests that are not answered yet.",
         static_cast<double>(state.requests_in_flight));
  to.add("metadata-age", "How old the picture of the cluster is, in seconds.",
         seconds_of(state.metadata_age));
  to.add("waiting-threads", "The threads that wait for memory.",
         static_cast<double>(state.waiting_threads));
  to.add("buffer-total-bytes", "The memory for records, in bytes.",
         static_cast<double>(state.memory_bytes_max));
  to.add("buffer-available-bytes", "The memory for records that is free, in bytes.",
         static_cast<double>(state.memory_bytes_max - state.memory_bytes));
  to.add("buffer-exhausted-total", "The records that were refused because memory was full.",
         static_cast<double>(state.refused_for_memory));
  to.add("bufferpool-wait-time-ns-total", "The time that threads waited for memory, in ns.",
         nanoseconds_of(state.waited_for_memory));
  to.add("flush-time-ns-total", "The time that was spent in flush(), in ns.",
         nanoseconds_of(flushing));
  to.add("metadata-wait-time-ns-total", "The time that threads waited for topics, in ns.",
         nanoseconds_of(state.waited_for_metadata));
  list_transactions(state.transactions, to);
  for (const auto& [topic, meters] : topics_) {
    to.begin("producer-topic-metrics", {{"topic", topic}});
    list_records(meters, to);
    to.add_sums("byte", "bytes of batches that were sent", meters.bytes);
    to.add("compression-rate", "The average size of a compressed batch, of what it was.",
           meters.compression.average(to.now()));
  }
}

// --- Where it is measured. ---

void Sender::measure(const OutgoingProduce& request, MonotonicTime now) {
  double records = 0;
  for (const OutgoingProduce::Item& item : request.items()) {
    const Batch& batch = *item.batch;
    records += batch.record_count();
    meters_.sent({.topic = item.partition->topic.name(),
                  .records = batch.record_count(),
                  .bytes = batch.bytes(),
                  .plain_bytes = batch.plain_bytes(),
                  .largest_record_bytes = batch.largest_record_bytes(),
                  .queued = now - batch.created()},
                 now);
  }
  meters_.request_records.record(records, now);
}

void Sender::list_metrics(MetricList& to) const {
  const Accumulator::Waits& waits = accumulator_.waits();
  std::size_t in_flight = 0;
  for (const auto& [broker, node] : nodes_) in_flight += node.in_flight;
  const MonotonicTime refreshed = metadata_.view()->refreshed;
  meters_.list({.requests_in_flight = in_flight,
                .waiting_threads = accumulator_.pool.waiting(),
                .memory_bytes = accumulator_.pool.used_bytes(),
                .memory_bytes_max = accumulator_.pool.bytes_max(),
                .refused_for_memory = waits.refused,
                .waited_for_memory = Duration(waits.for_memory),
                .waited_for_metadata = Duration(waits.for_topics),
                .metadata_age = refreshed == MonotonicTime{} ? Duration{} : to.now() - refreshed,
                .transactions = transactor_ != nullptr ? transactor_->times() : TransactionTimes{}},
               to);
}

}  // namespace millrace::client
