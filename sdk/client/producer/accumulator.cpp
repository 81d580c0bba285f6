module;
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.producer;

import millrace.base;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {
namespace {

// Partitions that may have news at one time before the list of them grows.
constexpr std::size_t news_at_first = 64;

}  // namespace

Accumulator::Accumulator(const ProducerSettings& settings, const Clock& clock, Waker& waker,
                         std::uint64_t seed)
    : pool(settings.buffer_memory, &waker),
      topics(settings.batch_size, seed),
      settings_(settings),
      clock_(clock),
      waker_(waker) {
  news_.reserve(news_at_first);
}

Accumulator::~Accumulator() = default;

ClientError Accumulator::refusal() const {
  const std::scoped_lock lock(mutex_);
  if (refusal_) return *refusal_;
  return client_error(Failure::closed, "the producer is closed");
}

void Accumulator::ask_for(Topic& topic) {
  {
    const std::scoped_lock lock(mutex_);
    if (std::ranges::find(wanted_, &topic) == wanted_.end()) wanted_.push_back(&topic);
  }
  waker_.wake();
}

void Accumulator::ask_for(Partition& partition) {
  {
    const std::scoped_lock lock(mutex_);
    news_.push_back(&partition);
  }
  waker_.wake();
}

void Accumulator::take_news(std::vector<Partition*>& partitions, std::vector<Topic*>& names) {
  const std::scoped_lock lock(mutex_);
  // Copied: what threads that send put things into keeps its room.
  partitions.assign(news_.begin(), news_.end());
  names.assign(wanted_.begin(), wanted_.end());
  news_.clear();
  wanted_.clear();
}

std::int32_t Accumulator::partition_count(std::string_view name) const {
  const Topic* topic = topics.find(name);
  return topic == nullptr ? 0 : topic->partition_count();
}

ClientResult<Topic*> Accumulator::known_topic(std::string_view name, FullBuffer when_full,
                                              MonotonicTime deadline) {
  Topic* topic = topics.find_or_add(name);
  if (topic == nullptr) {
    return failure(client_error(
        Failure::bad_argument,
        "no further topics: this producer has written to " + std::to_string(producer_topics_max)));
  }
  if (topic->partition_count() > 0) return topic;
  const std::uint64_t failures = topic->failures();
  ask_for(*topic);
  // close() fails all topics that were there before this.
  if (is_closed_.load(std::memory_order_seq_cst)) return failure(refusal());
  if (when_full == FullBuffer::fail) {
    ClientError unknown =
        client_error(Failure::unknown_topic,
                     "topic " + topic->name() + " is not known yet; it is being asked for");
    unknown.retriable = true;
    // Who does not wait hears here what the cluster said when it was asked before.
    if (const auto before = topic->last_failure()) {
      if (!before->retriable) return failure(*before);
      unknown.message += "; before: " + before->message;
    }
    return failure(std::move(unknown));
  }
  const MonotonicTime begun = clock_.now();
  const auto known = topic->wait_until_known(deadline - begun, failures);
  waits_.for_topics += (clock_.now() - begun).count();
  if (!known) return failure(known.error());
  return topic;
}

ClientResult<Partition*> Accumulator::partition_for(Topic& topic, const RecordToSend& record,
                                                    bool& is_sticky) {
  const std::int32_t count = topic.partition_count();
  std::optional<PartitionIndex> index = record.partition;
  if (!index) {
    index = partition_of_key(settings_.partitioner, record.key, settings_.partitioner_ignore_keys,
                             count);
  } else if (index->value() < 0 || index->value() >= count) {
    ask_for(topic);
    return failure(client_error(Failure::bad_argument, "topic " + topic.name() +
                                                           " has no partition " +
                                                           std::to_string(index->value()) +
                                                           ": it has " + std::to_string(count)));
  }
  if (!index && settings_.partitioner == PartitionerKind::round_robin) {
    const std::uint32_t turn = topic.next_in_turn.fetch_add(1, std::memory_order_relaxed);
    index = PartitionIndex{static_cast<std::int32_t>(turn % static_cast<std::uint32_t>(count))};
  }
  is_sticky = !index;
  if (!index) index = topic.sticky.current(count);
  return &topic.partition(*index);
}

ClientResult<std::optional<PartitionIndex>> Accumulator::choose(const Topic& topic,
                                                                const RecordToSend& record) {
  const std::int32_t count = topic.partition_count();
  const auto available = topic.available();
  auto chosen = chooser_->choose(record, count, *available);
  if (chosen && *chosen && ((*chosen)->value() < 0 || (*chosen)->value() >= count)) {
    return failure(client_error(Failure::bad_argument, "the partitioner chose partition " +
                                                           std::to_string((*chosen)->value()) +
                                                           " of topic " + topic.name() +
                                                           ", which has " + std::to_string(count)));
  }
  return chosen;
}

ClientError Accumulator::full(std::string_view topic, std::string_view why) const {
  std::string message =
      formatted("no room for a record of topic {}: buffer.memory ({} bytes) is full{}", topic,
                settings_.buffer_memory, why);
  const std::scoped_lock lock(mutex_);
  if (!hindrance_.empty()) {
    const std::chrono::duration<double> age = clock_.now() - hindered_at_;
    message += formatted("; {:.1f} s ago: {}", age.count(), hindrance_);
  }
  return client_error(Failure::buffer_full, std::move(message));
}

void Accumulator::hindered(std::string why) {
  const std::scoped_lock lock(mutex_);
  hindrance_ = std::move(why);
  hindered_at_ = clock_.now();
}

ClientError Accumulator::too_large(std::string_view topic) {
  return client_error(Failure::record_too_large,
                      "a record of topic " + std::string(topic) + " is larger than buffer.memory");
}

// Why no batch takes it, whatever room there is.
std::optional<ClientError> Accumulator::oversize(const RecordToSend& record,
                                                 const RecordParts& parts) const {
  const std::size_t bytes_most =
      record_batch_header_bytes + parts.fixed_bytes + record_frame_bytes_max;
  if (bytes_most <= settings_.max_request_size &&
      record.headers.size() <= std::numeric_limits<std::int32_t>::max()) [[likely]] {
    return std::nullopt;
  }
  return client_error(Failure::record_too_large, "a record of topic " + std::string(record.topic) +
                                                     " takes " + std::to_string(bytes_most) +
                                                     " bytes, more than max.request.size");
}

ClientResult<void> Accumulator::wait_for_memory(std::size_t chunks, const RecordToSend& record,
                                                FullBuffer when_full, MonotonicTime deadline,
                                                ChunkList& to) {
  if (when_full == FullBuffer::fail && chunks <= pool.chunks_max()) {
    ++waits_.refused;
    return failure(full(record.topic, ""));
  }
  if (chunks > pool.chunks_max()) return failure(too_large(record.topic));
  pool.add_waiting();
  waker_.wake();
  const MonotonicTime begun = clock_.now();
  const MemoryWait end = pool.wait_and_take(chunks, deadline - begun, to);
  waits_.for_memory += (clock_.now() - begun).count();
  pool.remove_waiting();
  if (end == MemoryWait::taken) return {};
  if (end == MemoryWait::closed) return failure(refusal());
  ++waits_.refused;
  return failure(full(record.topic, " and stayed so for max.block.ms"));
}

ClientResult<void> Accumulator::add(const RecordToSend& record, DeliverySink* sink,
                                    std::uint64_t token, FullBuffer when_full) {
  if (is_closed_.load(std::memory_order_relaxed)) [[unlikely]]
    return failure(refusal());
  MonotonicTime deadline{};
  Topic* topic = topics.find(record.topic);
  if (topic == nullptr || topic->partition_count() == 0) [[unlikely]] {
    deadline = clock_.now() + settings_.max_block;
    const auto known = known_topic(record.topic, when_full, deadline);
    if (!known) return failure(known.error());
    topic = *known;
  }
  const RecordParts parts = parts_of(record.key, record.value, record.headers,
                                     record.timestamp ? *record.timestamp : clock_.wall_now());
  if (auto refused = oversize(record, parts)) [[unlikely]]
    return failure(*std::move(refused));
  const PutLimits limits{std::min(settings_.batch_size, settings_.max_request_size),
                         std::min(settings_.batch_bytes_most(),
                                  topic->batch_bytes_most.load(std::memory_order_relaxed)),
                         &pool, &clock_};
  std::optional<RecordToSend> placed;
  if (chooser_ != nullptr && !record.partition) [[unlikely]] {
    const auto chosen = choose(*topic, record);
    if (!chosen) return failure(chosen.error());
    placed = record;
    placed->partition = *chosen;
  }
  const RecordToSend& to_place = placed ? *placed : record;
  ChunkList spare;
  for (;;) {
    bool is_sticky = false;
    const auto chosen = partition_for(*topic, to_place, is_sticky);
    if (!chosen) return failure(chosen.error());
    Partition& partition = **chosen;
    const Put put = partition.put(parts, sink, token, limits, spare);
    if (put.asks_sender) ask_for(partition);
    if (!spare.empty()) [[unlikely]]
      pool.give_back(spare);
    if (put.end == Put::End::done) [[likely]] {
      if (is_sticky) {
        topic->sticky.wrote(partition.index, parts.fixed_bytes + record_frame_bytes_max / 4,
                            put.batch_is_complete, topic->partition_count());
      }
      return {};
    }
    if (put.end == Put::End::closed) return failure(refusal());
    if (deadline == MonotonicTime{}) deadline = clock_.now() + settings_.max_block;
    const auto waited = wait_for_memory(put.chunks_needed, record, when_full, deadline, spare);
    if (!waited) return failure(waited.error());
  }
}

ClientResult<void> Accumulator::when_room(const RecordToSend& record, RoomSink& sink,
                                          std::uint64_t token) {
  const RecordParts parts =
      parts_of(record.key, record.value, record.headers, record.timestamp.value_or(Timestamp{0}));
  if (auto refused = oversize(record, parts)) return failure(*std::move(refused));
  // The most that add() asks for: as the first record of a batch.
  const std::size_t chunks = Batch::chunks_for_first(parts);
  if (chunks > pool.chunks_max()) return failure(too_large(record.topic));
  {
    const std::scoped_lock lock(room_mutex_);
    // close() tells all who were here before this.
    if (is_closed_.load(std::memory_order_seq_cst)) return failure(refusal());
    if (room_waiters_.size() >= room_waiting_max) {
      return failure(
          full(record.topic, ", and " + std::to_string(room_waiting_max) + " wait for room"));
    }
    room_waiters_.push_back({chunks, &sink, token});
    pool.set_watched(true);
  }
  waker_.wake();
  return {};
}

void Accumulator::tell_room() {
  for (std::size_t told = 0; told < room_told_max; ++told) {
    RoomWaiter next;
    {
      const std::scoped_lock lock(room_mutex_);
      if (room_waiters_.empty() || !pool.has_room(room_waiters_.front().chunks)) return;
      next = room_waiters_.front();
      room_waiters_.pop_front();
      if (room_waiters_.empty()) pool.set_watched(false);
    }
    // Without the lock: who is told may send, and ask again.
    next.sink->room(next.token, nullptr);
  }
  waker_.wake();
}

bool Accumulator::learn(Topic& topic, const TopicView& told) {
  if (is_closed_.load(std::memory_order_relaxed)) return false;
  topic.learn(told);
  return true;
}

void Accumulator::close(const ClientError* error) {
  {
    const std::scoped_lock lock(mutex_);
    if (error != nullptr) refusal_ = *error;
  }
  is_closed_.store(true, std::memory_order_seq_cst);
  pool.close();
  const ClientError refused = refusal();
  for (Topic* topic : topics.all()) {
    topic->fail(refused);
    for (std::int32_t i = 0; i < topic->partition_count(); ++i) {
      topic->partition(PartitionIndex{i}).close();
    }
  }
  std::deque<RoomWaiter> waiting;
  {
    const std::scoped_lock lock(room_mutex_);
    waiting.swap(room_waiters_);
    pool.set_watched(false);
  }
  for (const RoomWaiter& one : waiting) one.sink->room(one.token, &refused);
}

}  // namespace millrace::client
