module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.core;
import millrace.protocol.fetch;
import millrace.runtime;
import :asked_fetch;

namespace millrace::client {

using protocol::ErrorCode;
using protocol::FetchResponse;

namespace {

// A broker serves partitions in the order of the request until the answer is full, so another one
// comes first each time. A topic stays in one piece. Of a session the broker itself takes care.
void turn(std::vector<FetchItem>& items, TopicPartition& first) {
  if (items.empty()) return;
  const auto name_of = [](const FetchItem& item) -> const TopicPartition& { return *item.name; };
  auto next = std::ranges::upper_bound(items, first, {}, name_of);
  if (next == items.end()) next = items.begin();
  first = *next->name;
  const auto [begin, end] = std::ranges::equal_range(
      items, first.topic, {},
      [](const FetchItem& item) -> const std::string& { return item.name->topic; });
  std::ranges::rotate(begin, next, end);
  std::ranges::rotate(items, begin);
}

}  // namespace

Fetcher::Wake::Wake(Fetcher& f)
    : Timer([](Timer& self) { static_cast<Wake&>(self).fetcher.pump(); }), fetcher(f) {}

Fetcher::Fetcher(Executor& executor, Brokers& brokers, Metadata& metadata, Positions& positions,
                 const ConsumerSettings& settings, ConsumerMeters& meters, Logger logger)
    : executor_(executor),
      brokers_(brokers),
      metadata_(metadata),
      positions_(positions),
      settings_(settings),
      meters_(meters),
      logger_(std::move(logger)),
      random_(1),
      arrivals_(executor) {}

Fetcher::~Fetcher() = default;

Task<void> Fetcher::end_sessions(MonotonicTime deadline) {
  is_closed_ = true;
  const MonotonicTime latest = std::min(deadline, executor_.clock().now() + ending_sessions_max);
  TaskGroup ending;
  for (auto& [broker, lane] : lanes_) {
    auto request = lane.session.end();
    // Not worth a new connection.
    if (!request || !brokers_.is_connected(broker)) continue;
    ending.start(end_session(broker, *std::move(request), latest));
  }
  co_await ending.wait();
}

Task<void> Fetcher::end_session(BrokerId broker, FetchSession::Request request,
                                MonotonicTime deadline) {
  Asked asked;
  asked.fill(request);
  CallOptions options;
  options.deadline = deadline;
  options.version_min = fetch_version_with_sessions;
  options.may_wait_for_connection = false;
  // The connection ends when this is written: behind a fetch that waits the answer would be late.
  const auto told = co_await brokers_.call_without_answer(broker, asked.message, options);
  if (!told) logger_.debug("fetch session of broker {}: {}", broker, to_string(told.error()));
}

Task<void> Fetcher::close() {
  is_closed_ = true;
  if (wake_.armed()) executor_.cancel(wake_);
  arrivals_.wake_all();
  co_await tasks_.wait();
}

std::size_t Fetcher::buffered_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [broker, held] : held()) bytes += held.all;
  return bytes;
}

std::map<BrokerId, Fetcher::Held> Fetcher::held() const {
  std::map<BrokerId, Held> held;
  ++counts_;
  for (const auto& [name, progress] : positions_.all()) {
    for (const auto& chunk : progress.buffered) {
      Held& here = held[chunk.broker];
      if (!progress.is_paused) here.takeable += chunk.bytes;
      if (std::exchange(chunk.frame->counted, counts_) != counts_) here.all += chunk.frame->bytes;
    }
  }
  return held;
}

bool Fetcher::is_readable(const PartitionProgress& partition) {
  return partition.need == PositionNeed::nothing && !partition.is_paused && !partition.problem;
}

bool Fetcher::lacks_proof(const PartitionProgress& partition,
                          const std::optional<LeaderOf>& leader) {
  return leader && partition.epoch != no_leader_epoch && leader->epoch > partition.epoch &&
         leader->epoch > partition.proven;
}

// The broker to read from: the replica that the leader named, or the leader.
std::optional<BrokerId> Fetcher::source_of(PartitionProgress& partition,
                                           const std::optional<LeaderOf>& leader,
                                           MonotonicTime now) {
  if (partition.replica != no_broker) {
    const bool is_named = now < partition.replica_until;
    if (is_named && brokers_.knows(partition.replica)) return partition.replica;
    partition.replica = no_broker;
    // One that has joined lately: the leader names it again, and does so until it is known.
    if (is_named) {
      metadata_.invalidate();
      back_off(partition);
    }
  }
  if (!leader) return std::nullopt;
  return leader->broker;
}

void Fetcher::pump() {
  if (is_closed_) return;
  const MonotonicTime now = executor_.clock().now();
  struct Candidate {
    std::vector<PartitionProgress*> partitions;
    bool has_full = false;
  };
  std::map<BrokerId, Candidate> candidates;
  std::map<BrokerId, Held> buffered = held();
  MonotonicTime wake = no_deadline;
  bool any_leaderless = false;
  bool any_unproven = false;
  for (auto& [name, progress] : positions_.all()) {
    const auto leader = metadata_.known_leader(name.topic, name.partition);
    // What will be read soon has its part of the memory already; what is read has it at its source.
    const bool is_soon_read = leader && !progress.is_paused &&
                              progress.need != PositionNeed::policy &&
                              progress.need != PositionNeed::nothing;
    if (is_soon_read) candidates.try_emplace(leader->broker);
    if (!is_readable(progress)) continue;
    if (lacks_proof(progress, leader)) {
      candidates.try_emplace(leader->broker);
      positions_.ask_for_proof(progress);
      any_unproven = true;
      continue;
    }
    const auto source = source_of(progress, leader, now);
    if (!source) {
      any_leaderless = true;
      continue;
    }
    Candidate& candidate = candidates[*source];
    if (progress.buffered.size() >= buffered_chunks_max) {
      candidate.has_full = true;
    } else if (progress.not_before > now) {
      wake = std::min(wake, progress.not_before);
    } else if (progress.fetching_from != *source) {
      candidate.partitions.push_back(&progress);
    }
  }
  if (any_leaderless) metadata_.invalidate();
  if (any_unproven && on_need_) on_need_();
  const std::size_t share = settings_.prefetch_memory / std::max<std::size_t>(1, candidates.size());
  for (auto& [broker, candidate] : candidates) {
    Held& held = buffered[broker];
    const auto one = static_cast<std::size_t>(settings_.max_partition_fetch_bytes);
    const bool has_room = held.takeable == 0 || held.all + one <= share;
    Lane& lane = lanes_[broker];
    if (candidate.partitions.empty() || candidate.has_full || !has_room || lane.is_under_way) {
      continue;
    }
    if (lane.not_before > now) {
      wake = std::min(wake, lane.not_before);
      continue;
    }
    lane.is_under_way = true;
    if (!brokers_.is_connected(broker)) {
      tasks_.start(connect(broker));
      continue;
    }
    if (held.all > share) held.all -= forget_paused(broker, held.all - share);
    // The next answer comes while this one is taken.
    const std::size_t room = std::max(std::min(share - std::min(share, held.all), share / 2), one);
    tasks_.start(fetch(broker, ask(broker, candidate.partitions, room)));
  }
  if (wake != no_deadline) executor_.arm(wake_, wake);
}

std::size_t Fetcher::forget_paused(BrokerId broker, std::size_t bytes) {
  // What others are still to take of an answer keeps all of it.
  ++counts_;
  for (const auto& [name, progress] : positions_.all()) {
    if (progress.is_paused) continue;
    for (const auto& chunk : progress.buffered) chunk.frame->counted = counts_;
  }
  std::size_t forgotten = 0;
  for (auto& [name, progress] : positions_.all()) {
    if (forgotten >= bytes) break;
    const auto is_in_the_way = [&](const auto& chunk) {
      return chunk.broker == broker && chunk.frame->counted != counts_;
    };
    if (!progress.is_paused || std::ranges::none_of(progress.buffered, is_in_the_way)) continue;
    for (const auto& chunk : progress.buffered) {
      const bool is_last = chunk.broker == broker && chunk.frame.use_count() == 1;
      forgotten += is_last ? chunk.frame->bytes : 0;
    }
    positions_.forget_fetched(progress);
  }
  return forgotten;
}

std::unique_ptr<Fetcher::Asked> Fetcher::ask(BrokerId broker,
                                             const std::vector<PartitionProgress*>& partitions,
                                             std::size_t room) {
  auto asked = std::make_unique<Asked>();
  asked->broker = broker;
  std::vector<FetchItem> items;
  items.reserve(partitions.size());
  for (PartitionProgress* partition : partitions) {
    partition->fetching_from = broker;
    const auto leader = metadata_.known_leader(partition->name->topic, partition->name->partition);
    const Uuid topic_id = leader ? leader->topic_id : Uuid{};
    items.push_back({partition->name,
                     {.topic_id = topic_id,
                      .leader_epoch = leader ? leader->epoch : no_leader_epoch,
                      .offset = partition->fetch_position,
                      .bytes_max = settings_.max_partition_fetch_bytes},
                     knows_ends(*partition)});
    asked->wait_for(*partition, topic_id);
  }
  const auto versions = brokers_.known_versions(broker);
  asked->uses_ids =
      asked->has_ids && versions != nullptr &&
      versions->highest(protocol::FetchRequest::api_key).value_or(0) >= fetch_version_with_ids;
  Lane& lane = lanes_[broker];
  auto request = lane.session.ask(std::move(items), asked->uses_ids);
  if (!request.is_incremental()) turn(request.named, lane.named_first);
  asked->fill(request);
  const auto most = static_cast<std::size_t>(settings_.fetch_max_bytes);
  asked->message.max_wait_ms = static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(settings_.fetch_max_wait).count());
  asked->message.min_bytes = settings_.fetch_min_bytes;
  asked->message.max_bytes = static_cast<std::int32_t>(std::min(room, most));
  asked->message.isolation_level = static_cast<std::int8_t>(settings_.isolation_level);
  asked->message.rack_id = settings_.common.client_rack;
  return asked;
}

Task<void> Fetcher::connect(BrokerId broker) {
  CallOptions options;
  options.deadline = executor_.clock().now() + connecting_max;
  const auto versions = co_await brokers_.versions(broker, options);
  if (is_closed_) co_return;
  Lane& lane = lanes_[broker];
  if (versions) {
    lane.failures = 0;
  } else {
    ++counters_.failures;
    logger_.debug("connecting to broker {} to fetch: {}", broker, to_string(versions.error()));
    lane.not_before = executor_.clock().now() +
                      backoff_after(++lane.failures, settings_.common.retry_range(), random_);
    metadata_.invalidate();
  }
  lane.is_under_way = false;
  pump();
}

Task<void> Fetcher::fetch(BrokerId broker, std::unique_ptr<Asked> asked) {
  ++counters_.requests;
  CallOptions options;
  // The answer may wait at the broker.
  options.timeout = settings_.common.request_timeout + settings_.fetch_max_wait;
  options.may_wait_for_connection = false;
  // What the session was told by ids means nothing by names.
  if (asked->uses_ids) {
    options.version_min = fetch_version_with_ids;
  } else {
    options.version_max = fetch_version_with_ids - 1;
  }
  const MonotonicTime begun = executor_.clock().now();
  auto reply = co_await brokers_.call(broker, asked->message, options);
  if (is_closed_) co_return;
  Lane& lane = lanes_[broker];
  if (reply && reply->message.error_code == 0) {
    const MonotonicTime now = executor_.clock().now();
    meters_.fetch_latency.record(milliseconds_of(now - begun), now);
    meters_.fetch_throttle.record(reply->message.throttle_time_ms, now);
    const std::int32_t session_id = reply->message.session_id;
    auto shared = std::make_shared<Reply<FetchResponse>>(std::move(*reply));
    lane.session.answered(session_id, take_answer(*asked, std::move(shared)));
  } else if (reply) {
    refused(*asked, lane.session, broker, protocol::error_code_from(reply->message.error_code));
  } else {
    ++counters_.failures;
    logger_.debug("fetch from broker {}: {}", broker, to_string(reply.error()));
    lane.session.unanswered();
    release(*asked, false);
    metadata_.invalidate();
  }
  lane.is_under_way = false;
  pump();
}

bool Fetcher::knows_ends(const PartitionProgress& partition) const {
  const bool committed_only = settings_.isolation_level == IsolationLevel::read_committed;
  return partition.high_watermark && partition.log_start &&
         (!committed_only || partition.last_stable);
}

void Fetcher::back_off(PartitionProgress& partition) {
  partition.not_before =
      executor_.clock().now() +
      backoff_after(++partition.failures, settings_.common.retry_range(), random_);
}

void Fetcher::fail(PartitionProgress& partition, ClientError error) {
  partition.problem = std::move(error);
  arrivals_.wake_all();
}

// --- Taking. ---

bool Fetcher::has_something() const {
  return std::ranges::any_of(positions_.all(), [](const auto& entry) {
    const PartitionProgress& partition = entry.second;
    return !partition.is_paused && (!partition.buffered.empty() || partition.problem);
  });
}

ClientResult<std::size_t> Fetcher::take(std::size_t records_max, FetchedRecords& to) {
  std::size_t count = 0;
  const std::size_t partitions = positions_.all().size();
  auto place = positions_.all().upper_bound(last_taken_);
  for (std::size_t i = 0; i < partitions && count < records_max; ++i) {
    if (place == positions_.all().end()) place = positions_.all().begin();
    PartitionProgress& partition = place->second;
    if (!partition.is_paused && (!partition.buffered.empty() || partition.problem)) {
      // An error comes alone: what was taken before it is given first.
      if (partition.buffered.empty() && count > 0) break;
      const auto taken = take_from(partition, records_max - count, to);
      if (!taken && count == 0) return failure(taken.error());
      if (!taken) {
        // What others gave comes first; the next poll tells the error.
        partition.problem = taken.error();
        break;
      }
      if (*taken > 0) last_taken_ = place->first;
      count += *taken;
    }
    ++place;
  }
  counters_.records += count;
  pump();
  return count;
}

// Once for each answer: all of it was taken.
void Fetcher::measure(PartitionProgress& partition, std::size_t taken) {
  const MonotonicTime now = executor_.clock().now();
  meters_.all.records.record(static_cast<double>(taken), now);
  meters_.of(partition.name->topic).records.record(static_cast<double>(taken), now);
  const bool committed_only = settings_.isolation_level == IsolationLevel::read_committed;
  if (const auto& end = committed_only ? partition.last_stable : partition.high_watermark) {
    const auto lag =
        static_cast<double>(std::max(*end, partition.position).since(partition.position));
    partition.meters.lag.record(lag, now);
    meters_.lag.record(lag, now);
  }
  if (const auto& start = partition.log_start) {
    const auto lead = static_cast<double>(std::max(*start, partition.position).since(*start));
    partition.meters.lead.record(lead, now);
    meters_.lead.record(lead, now);
  }
}

ClientResult<std::size_t> Fetcher::take_from(PartitionProgress& partition, std::size_t records_max,
                                             FetchedRecords& to) {
  std::size_t count = 0;
  while (!partition.buffered.empty() && count < records_max) {
    ChunkReader& reader = partition.buffered.front().reader;
    const auto taken = reader.take(records_max - count, to);
    partition.position = reader.next_offset();
    if (reader.leader_epoch() != no_leader_epoch) partition.epoch = reader.leader_epoch();
    if (!taken) {
      // What was taken before the damage is given first; the error comes again.
      if (count > 0) return count;
      ClientError error = client_error(Failure::malformed_answer, taken.error().message);
      error.code = ErrorCode::corrupt_message;
      positions_.forget_fetched(partition);
      back_off(partition);
      return failure(std::move(error));
    }
    count += *taken;
    partition.buffered.front().taken += *taken;
    if (reader.finished()) {
      measure(partition, partition.buffered.front().taken);
      partition.buffered.pop_front();
    }
  }
  if (count > 0) {
    partition.advanced = executor_.clock().now();
    partition.was_reported = false;
  }
  if (count == 0 && partition.problem) {
    ClientError error = std::move(*partition.problem);
    partition.problem.reset();
    back_off(partition);
    return failure(std::move(error));
  }
  return count;
}

}  // namespace millrace::client
