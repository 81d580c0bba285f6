module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.fetching;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.metadata;
import millrace.protocol.api;
import millrace.protocol.fetch;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.security;
import millrace.storage.log;
import :fetch;

namespace millrace::broker {
namespace {

// A request that names more is looked through for partitions that it names again and again: each
// takes some hundred bytes for as long as the request waits.
constexpr std::size_t partitions_as_named_max = 1'000;

std::size_t partitions_named(const protocol::FetchRequest& request) {
  std::size_t partitions = 0;
  for (const auto& topic : request.topics) partitions += topic.partitions.size();
  return partitions;
}

}  // namespace

// What a response rests on. Parts of other shards go home to end.
class FetchHold final : public ResponseHold {
 public:
  FetchHold(FetchRequests& owner, std::vector<PlacedPart> parts)
      : owner_(owner), parts_(std::move(parts)) {}
  ~FetchHold() override {
    for (PlacedPart& placed : parts_) {
      if (placed.shard == owner_.context_.here.index()) continue;
      owner_.releases_.start(release(owner_.context_.here, std::move(placed)));
    }
  }

 private:
  static Task<void> release(Shard& here, PlacedPart placed) {
    co_await here.call(placed.shard, [&placed](Shard&) { placed.part.reset(); });
  }

  FetchRequests& owner_;
  std::vector<PlacedPart> parts_;
};

Fetch::Fetch(FetchRequests& owner, const RequestContext& context)
    : owner_(owner), context_(context), client_id_(context.client_id), next_(owner.first_) {
  if (next_ != nullptr) next_->previous_ = this;
  owner.first_ = this;
}

Fetch::~Fetch() {
  (previous_ == nullptr ? owner_.first_ : previous_->next_) = next_;
  if (next_ != nullptr) next_->previous_ = previous_;
}

const metadata::Image& Fetch::image() const {
  const FetchContext& context = owner_.context_;
  return *context.grounds[context.here.index().value()].partitions->image();
}

ErrorCode Fetch::begin(const protocol::FetchRequest& request) {
  const auto not_negative = [](std::int32_t number) {
    return static_cast<std::uint64_t>(std::max(number, 0));
  };
  limits_.isolation =
      request.isolation_level == 0 ? Isolation::read_uncommitted : Isolation::read_committed;
  limits_.bytes_max = std::min(not_negative(request.max_bytes), owner_.context_.bytes_max);
  bytes_min_ = std::min(not_negative(request.min_bytes), limits_.bytes_max);
  deadline_ = context_.received + std::chrono::milliseconds(not_negative(request.max_wait_ms));
  const ErrorCode error = begin_session(request);
  if (error != ErrorCode::none) return error;
  if (session_) {
    ask_for_all_of(*session_);
    return ErrorCode::none;
  }
  if (partitions_named(request) > partitions_as_named_max) {
    protocol::FetchRequest named;
    named.topics = request.topics;
    FetchSession distinct(context_.version >= first_version_with_topic_ids);
    distinct.update(named);
    ask_for_all_of(distinct);
    return ErrorCode::none;
  }
  for (const auto& topic : request.topics) {
    for (const auto& partition : topic.partitions) {
      ask_for(topic.topic, topic.topic_id, PartitionIndex(partition.partition),
              wanted_partition(partition));
    }
  }
  return ErrorCode::none;
}

// Epoch 0 asks for a new session, -1 for none; both end the one that is named.
ErrorCode Fetch::begin_session(const protocol::FetchRequest& request) {
  FetchSessionCache& cache = owner_.sessions_;
  const SessionId named(request.session_id);
  const SessionEpoch epoch(request.session_epoch);
  const MonotonicTime now = owner_.context_.here.clock().now();
  const bool uses_topic_ids = context_.version >= first_version_with_topic_ids;
  if (epoch == first_session_epoch || epoch == final_session_epoch) {
    if (named != no_session) cache.remove(named);
    if (epoch == final_session_epoch) return ErrorCode::none;
    session_ = cache.create(uses_topic_ids, partitions_named(request), now, session_id_);
    if (!session_) return ErrorCode::none;
  } else {
    FetchSessionCache::Found found = cache.take(named, epoch, uses_topic_ids, now);
    if (found.error != ErrorCode::none) return found.error;
    session_ = std::move(found.session);
    session_id_ = named;
    incremental_ = true;
  }
  session_->update(request);
  cache.resized(session_id_);
  if (session_->size() == 0) {
    // Whoever wants nothing needs no session.
    cache.remove(session_id_);
    session_.reset();
    session_id_ = no_session;
    incremental_ = false;
  }
  return ErrorCode::none;
}

void Fetch::ask_for_all_of(FetchSession& session) {
  for (const FetchSession::Entry& entry : session.entries()) {
    ask_for(entry.key.topic, entry.key.topic_id, entry.key.partition, entry.wanted);
  }
}

void Fetch::refuse(std::string_view topic, const Uuid& topic_id, PartitionIndex partition,
                   const WantedPartition& wanted, ErrorCode error) {
  FetchedPartition& refused =
      refused_.emplace_back(std::string(topic), topic_id, partition, wanted);
  refused.error = error;
  asked_.push_back(&refused);
}

void Fetch::ask_for(std::string_view topic, const Uuid& topic_id, PartitionIndex partition,
                    const WantedPartition& wanted) {
  const FetchContext& context = owner_.context_;
  std::string_view name = topic;
  std::shared_ptr<const metadata::Topic> known;
  if (context_.version >= first_version_with_topic_ids) {
    known = image().topic(topic_id);
    if (!known) return refuse(topic, topic_id, partition, wanted, ErrorCode::unknown_topic_id);
    name = known->name;
  }
  if (!context.authorizer.authorize(*context_.session, security::Operation::read,
                                    security::ResourceType::topic, name)) {
    return refuse(topic, topic_id, partition, wanted, ErrorCode::topic_authorization_failed);
  }
  const auto shard_count = static_cast<std::uint32_t>(context.grounds.size());
  FetchPart& part = part_of(shard_of(name, partition, shard_count));
  asked_.push_back(&part.add(std::string(name), topic_id, partition, wanted));
}

FetchPart& Fetch::part_of(ShardIndex shard) {
  for (PlacedPart& placed : parts_) {
    if (placed.shard == shard) return *placed.part;
  }
  const FetchGround& ground = owner_.context_.grounds[shard.value()];
  parts_.push_back(
      {shard, std::make_unique<FetchPart>(*ground.executor, *ground.files, *ground.partitions)});
  return *parts_.back().part;
}

Task<void> Fetch::read(PlacedPart& placed) {
  Shard& here = owner_.context_.here;
  if (placed.shard == here.index()) {
    co_await placed.part->read(limits_);
  } else {
    co_await here.call(placed.shard, [&](Shard&) { return placed.part->read(limits_); });
  }
}

Task<void> Fetch::read_parts() {
  if (parts_.size() == 1) co_return co_await read(parts_.front());
  TaskGroup reading;
  for (PlacedPart& placed : parts_) reading.start(read(placed));
  co_await reading.wait();
}

bool Fetch::is_enough() const {
  if (!refused_.empty() || parts_.empty() || owner_.stopped_) return true;
  std::uint64_t bytes = 0;
  for (const PlacedPart& placed : parts_) {
    if (placed.part->must_answer()) return true;
    bytes += placed.part->bytes();
  }
  return bytes >= bytes_min_ || gone_ || owner_.context_.here.clock().now() >= deadline_;
}

Task<void> Fetch::read() {
  co_await read_parts();
  while (!is_enough()) {
    co_await wait_for_change();
    co_await read_parts();
  }
}

Task<void> Fetch::wait(PlacedPart& placed) {
  Shard& here = owner_.context_.here;
  if (placed.shard == here.index()) {
    co_await placed.part->wait(deadline_);
  } else {
    co_await here.call(placed.shard, [&](Shard&) { return placed.part->wait(deadline_); });
  }
  if (parts_.size() == 1 || std::exchange(woken_, true)) co_return;
  // One of them has changed: the others need not wait any longer.
  for (PlacedPart& other : parts_) {
    if (&other != &placed) co_await stop_waiting(other);
  }
}

Task<void> Fetch::stop_waiting(PlacedPart& placed) {
  Shard& here = owner_.context_.here;
  if (placed.shard == here.index()) {
    placed.part->stop_waiting();
  } else {
    co_await here.call(placed.shard, [&](Shard&) { placed.part->stop_waiting(); });
  }
}

Task<void> Fetch::wait_for_change() {
  waits_ = true;
  if (parts_.size() == 1) {
    co_await wait(parts_.front());
  } else {
    woken_ = false;
    TaskGroup waiting;
    for (PlacedPart& placed : parts_) waiting.start(wait(placed));
    co_await waiting.wait();
  }
  co_await stops_.wait();
  waits_ = false;
}

void Fetch::stop_waiting() {
  gone_ = true;
  if (!waits_) return;
  for (PlacedPart& placed : parts_) stops_.start(stop_waiting(placed));
}

// The first records are given whatever their size.
bool Fetch::fits(const FetchedPartition& fetched, std::uint64_t& bytes) const {
  if (fetched.slice.empty()) return false;
  if (bytes > 0 && bytes + fetched.chunk.size > limits_.bytes_max) return false;
  bytes += fetched.chunk.size;
  return true;
}

// A session that was removed meanwhile is of use to nobody.
bool Fetch::tell(const FetchedPartition& fetched, bool with_records) {
  if (!session_) return true;
  const bool by_id = session_->uses_topic_ids();
  const auto entry = session_->find(
      {by_id ? std::string() : fetched.topic, by_id ? fetched.topic_id : Uuid{}, fetched.index});
  if (entry == session_->entries().end()) return true;
  const bool must =
      FetchSession::tell(*entry, {.error = fetched.error,
                                  .high_watermark = fetched.high_watermark,
                                  .log_start = fetched.log_start,
                                  .record_bytes = with_records ? fetched.chunk.size : 0,
                                  .diverges = fetched.diverging.has_value()});
  if (incremental_ && with_records) session_->serve_last(entry);
  return must || !incremental_;
}

Response Fetch::answer() {
  const FetchContext& context = owner_.context_;
  for (PlacedPart& placed : parts_) {
    if (placed.shard == context.here.index()) placed.part->settle();
  }
  FetchAnswer& answer = owner_.answer_;
  answer.clear();
  std::uint64_t bytes = 0;
  for (FetchedPartition* fetched : asked_) {
    const bool with_records = fits(*fetched, bytes);
    if (context_.version < first_version_with_leaders) fetched->leader = {};
    if (tell(*fetched, with_records)) answer.add(*fetched, with_records, limits_.isolation);
  }
  if (context_.version >= first_version_with_endpoints) {
    answer.add_endpoints(image(), context_.session->listener);
  }
  protocol::FetchResponse response = answer.finish();
  const Duration throttle = context.quotas.record(
      *context_.session, client_id_, security::QuotaKind::fetch, bytes, context.here.clock().now());
  response.throttle_time_ms = static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(throttle).count());
  response.session_id = session_id_.value();
  return respond(context_, context.buffers, response,
                 std::make_unique<FetchHold>(owner_, std::move(parts_)));
}

Response Fetch::refusal(ErrorCode error) const {
  protocol::FetchResponse response;
  response.error_code = static_cast<std::int16_t>(error);
  response.session_id = session_id_.value();
  return respond(context_, owner_.context_.buffers, response);
}

}  // namespace millrace::broker
