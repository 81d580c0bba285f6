module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.produce;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {

Sender::Sender(const ProducerSettings& settings, Executor& executor, Accumulator& accumulator,
               Brokers& brokers, Metadata& metadata, Waker& waker, Random random)
    : settings_(settings),
      executor_(executor),
      accumulator_(accumulator),
      brokers_(brokers),
      metadata_(metadata),
      random_(random),
      sealer_(settings.compression, !settings.transactional_id.empty()),
      signal_(executor),
      progress_(executor),
      stopping_(executor) {
  if (settings.transactional_id.empty()) return;
  transactor_ = std::make_unique<Transactor>(settings, executor, brokers, *this, waker,
                                             Random(random_.next()));
}

Sender::~Sender() {
  check(tasks_.running() == 0, "a producer is closed before it ends");
}

void Sender::start() {
  metadata_.on_change([this](const std::shared_ptr<const ClusterView>& view) {
    for (Topic* topic : accumulator_.topics.all()) {
      const TopicView* known = view->find(topic->name());
      if (known != nullptr) static_cast<void>(accumulator_.learn(*topic, *known));
    }
    signal_.set();
  });
  tasks_.start(run());
}

Task<void> Sender::run() {
  while (!is_stopped_) {
    const MonotonicTime again = pass();
    static_cast<void>(co_await signal_.wait(again));
  }
}

void Sender::take_news() {
  accumulator_.take_news(news_, wanted_);
  for (Topic* topic : wanted_) {
    if (!std::exchange(topic->is_loading, true)) tasks_.start(load_for_waiting(*topic));
  }
  for (Partition* partition : news_) {
    if (std::exchange(partition->is_active, true)) continue;
    active_.push_back(partition);
    metadata_.want(partition->topic.name());
  }
}

MonotonicTime Sender::pass() {
  const MonotonicTime now = executor_.clock().now();
  MonotonicTime again = no_deadline;
  take_news();
  if (progress_.size() != 0) progress_.wake_all();
  if (transactor_ != nullptr) {
    transactor_->progressed();
    if (transactor_->drops()) drop_unsent();
  }
  if (accumulator_.pool.is_watched()) accumulator_.tell_room();
  if (active_.empty()) return again;
  for (auto& [broker, node] : nodes_) node.ready.clear();
  // Another one is the first each time: a request may have no room for the last.
  ++first_turn_;
  for (std::size_t i = 0; i < active_.size(); ++i) {
    Partition& partition = *active_[(first_turn_ + i) % active_.size()];
    partition.is_active = look_at(partition, now, again);
  }
  std::erase_if(active_, [](const Partition* partition) { return !partition->is_active; });
  for (auto& [broker, node] : nodes_) send_to(broker, node, now, again);
  if (transactor_ != nullptr) transactor_->join();
  tell_loads(now);
  return again;
}

bool Sender::open_batches_are_due() const {
  const ChunkPool& pool = accumulator_.pool;
  return flushing_ != 0 || pool.waiting() != 0 || pool.is_watched() ||
         settings_.linger == Duration{};
}

bool Sender::look_at(Partition& partition, MonotonicTime now, MonotonicTime& again) {
  const Partition::Seen seen = partition.look();
  const bool open_is_late = seen.open_since && *seen.open_since + settings_.delivery_timeout <= now;
  if (seen.has_complete || open_is_late) partition.take(partition.batches, open_is_late);
  expire(partition, now);
  report(partition);
  const bool has_open = seen.open_since && !open_is_late;
  if (partition.batches.empty() && !has_open) return partition.in_flight != 0;

  const MonotonicTime oldest =
      partition.batches.empty() ? *seen.open_since : partition.batches.first()->created();
  again = std::min(again, oldest + settings_.delivery_timeout);
  if (!is_ready(partition, now, again)) return true;
  const auto leader = metadata_.known_leader(partition.topic.name(), partition.index);
  if (!leader) {
    metadata_.want(partition.topic.name());
    metadata_.invalidate();
    return true;
  }
  nodes_[leader->broker].ready.push_back({&partition, nullptr, leader->topic_id});
  return true;
}

bool Sender::has_numbers(Partition& partition) {
  if (transactor_ != nullptr) return transactor_->admits(partition);
  if (!is_idempotent() || !partition.sequences.needs_id()) return true;
  if (producer_id_ != no_producer_id) {
    partition.sequences.begin(producer_id_, producer_epoch_);
    return true;
  }
  if (!std::exchange(is_getting_id_, true)) tasks_.start(get_producer_id());
  return false;
}

namespace {

Batch* first_waiting(const Partition& partition) {
  Batch* batch = partition.batches.first();
  while (batch != nullptr && batch->state != BatchState::waiting) batch = batch->next;
  return batch;
}

// Whether the broker will still know the first batch that has no outcome when it has taken the next
// one: the first may have to be repeated.
bool is_remembered(const Partition& partition) {
  std::size_t before = 0;
  const Batch* batch = partition.batches.first();
  for (; batch != nullptr && batch->state != BatchState::waiting; batch = batch->next) ++before;
  return before < idempotent_batches_in_flight_max;
}

}  // namespace

bool Sender::is_ready(Partition& partition, MonotonicTime now, MonotonicTime& again) {
  if (partition.must_renumber) {
    if (partition.in_flight != 0) return false;
    renumber(partition);
  }
  if (partition.in_flight >= static_cast<std::size_t>(settings_.max_in_flight)) return false;
  if (is_idempotent() && partition.in_flight != 0 && !partition.sequences.is_known()) return false;
  if (is_idempotent() && !is_remembered(partition)) return false;
  if (const Batch* batch = first_waiting(partition)) {
    // What comes after it waits for it: the order is kept.
    if (batch->not_before > now) again = std::min(again, batch->not_before);
    return batch->not_before <= now && has_numbers(partition);
  }
  const Partition::Seen seen = partition.look();
  if (!seen.has_complete && !seen.open_has_size) {
    if (!seen.open_since) return false;
    if (!open_batches_are_due() && *seen.open_since + settings_.linger > now) {
      again = std::min(again, *seen.open_since + settings_.linger);
      return false;
    }
  }
  return has_numbers(partition);
}

Batch* Sender::next_batch(Partition& partition, MonotonicTime now, MonotonicTime& again) {
  if (!is_ready(partition, now, again)) return nullptr;
  if (Batch* batch = first_waiting(partition)) return batch;
  BatchList taken;
  partition.take(taken, false);
  if (taken.empty()) partition.take(taken, true);
  Batch* batch = taken.first();
  partition.batches.append(taken);
  return batch;
}

void Sender::seal(Partition& partition, Batch& batch) {
  if (is_idempotent() && !std::exchange(batch.has_sequence, true)) {
    batch.assigned = partition.sequences.assign(batch.record_count());
  }
  if (!batch.is_sealed() || batch.producer() != batch.assigned) {
    sealer_.seal(batch, batch.assigned);
  }
}

std::unique_ptr<OutgoingProduce> Sender::make_request(Node& node, MonotonicTime now,
                                                      MonotonicTime& again) {
  std::unique_ptr<OutgoingProduce> request;
  for (const OutgoingProduce::Item& ready : node.ready) {
    Partition& partition = *ready.partition;
    Batch* batch = next_batch(partition, now, again);
    if (batch == nullptr) continue;
    if (request != nullptr && request->bytes() + batch->bytes() > settings_.max_request_size) break;
    if (request == nullptr) {
      if (spare_requests_.empty()) spare_requests_.push_back(std::make_unique<OutgoingProduce>());
      request = std::move(spare_requests_.back());
      spare_requests_.pop_back();
    }
    seal(partition, *batch);
    batch->state = BatchState::in_flight;
    ++batch->attempts;
    ++partition.in_flight;
    request->add({&partition, batch, ready.topic_id});
  }
  return request;
}

void Sender::send_to(BrokerId broker, Node& node, MonotonicTime now, MonotonicTime& again) {
  if (node.unreachable_since && !node.is_connecting && node.in_flight == 0 &&
      (node.ready.empty() || brokers_.is_connected(broker))) {
    // Where nothing is left for it, the next record is its trial.
    node.unreachable_since.reset();
  }
  if (node.ready.empty()) return;
  if (!brokers_.is_connected(broker)) {
    if (!node.unreachable_since) node.unreachable_since = now;
    if (!std::exchange(node.is_connecting, true)) tasks_.start(connect(broker));
    return;
  }
  while (node.in_flight < static_cast<std::size_t>(settings_.max_in_flight)) {
    std::unique_ptr<OutgoingProduce> request = make_request(node, now, again);
    if (request == nullptr) return;
    request->finish(settings_.acks, settings_.common.request_timeout,
                    transactor_ != nullptr ? transactor_->current() : TransactionOf{});
    measure(*request, now);
    ++node.in_flight;
    ++counters_.requests;
    counters_.batches += request->items().size();
    tasks_.start(send(broker, std::move(request)));
  }
}

namespace {

// Batches differ in size: as many as there would be if none had grown.
std::size_t batches_waiting(Partition& partition, std::size_t batch_bytes) {
  if (!partition.is_active) return 0;
  std::size_t bytes = partition.waiting_bytes();
  for (const Batch* batch = partition.batches.first(); batch != nullptr; batch = batch->next) {
    bytes += batch->plain_bytes();
  }
  return std::max(partition.batches.size(), bytes / std::max<std::size_t>(batch_bytes, 1));
}

}  // namespace

void Sender::tell_loads(MonotonicTime now) {
  if (now < loads_told_ + loads_interval) return;
  loads_told_ = now;
  const auto view = metadata_.view();
  for (const Partition* active : active_) {
    Topic& topic = active->topic;
    if (topic.partition_count() < 2 || std::exchange(topic.loads_told, now) == now) continue;
    const TopicView* known = view->find(topic.name());
    if (known == nullptr) continue;
    loads_.clear();
    const Duration patience = settings_.partitioner_availability_timeout;
    // Something waits for an answer of the broker.
    const auto is_held_up = [&](const Partition& partition, std::size_t in_flight) {
      return in_flight >= static_cast<std::size_t>(settings_.max_in_flight) ||
             (partition.in_flight != 0 && first_waiting(partition) != nullptr);
    };
    for (const PartitionView& partition : known->partitions) {
      if (partition.leader == no_broker || partition.index.value() >= topic.partition_count()) {
        continue;
      }
      const auto node = nodes_.find(partition.leader);
      if (patience != Duration{} && node != nodes_.end()) {
        std::optional<MonotonicTime>& since = node->second.unreachable_since;
        // One that answers is heard of before the time is up.
        if (!since && is_held_up(topic.partition(partition.index), node->second.in_flight))
          since = now;
        if (since && *since + patience <= now) continue;
      }
      const std::size_t waiting =
          settings_.partitioner_adaptive
              ? batches_waiting(topic.partition(partition.index), settings_.batch_size)
              : 0;
      loads_.push_back({partition.index, waiting});
    }
    topic.sticky.set_loads(loads_);
  }
}

}  // namespace millrace::client
