module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.partitions.data;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.metadata;
import millrace.protocol.produce;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.security;
import millrace.storage.manager;
import :appender;
import :arena_lease;
import :data_requests;
import :produce;

namespace millrace::broker {

using security::Operation;
using security::ResourceType;

namespace {

// The buffer of a frame belongs to the request alone, but for bytes that no frame has taken.
[[nodiscard]] MutableBytes mutable_bytes(protocol::Bytes bytes) {
  return {const_cast<std::byte*>(bytes.data()), bytes.size()};
}

[[nodiscard]] bool is_known(std::int16_t acks) {
  return acks == -1 || acks == 0 || acks == 1;
}

}  // namespace

Task<Response> DataRequests::produce(Request request) {
  Produce produce(*this, std::move(request));
  if (auto reason = produce.begin()) co_return Response::close(std::move(*reason));
  co_await produce.wait();
  co_return produce.answer();
}

std::optional<std::string> Produce::begin() {
  const std::int16_t version = request_.context.version;
  // Advertised from version 0 on, because librdkafka chooses codecs by it.
  if (version < first_produce_version) {
    return formatted("Produce version {} is not served", version);
  }
  if (const auto read = protocol::decode(message_, request_.body, version, *arena_); !read) {
    return "Produce: " + protocol::to_string(read.error());
  }
  terms_.zstd_allowed = version >= first_produce_version_with_zstd;
  terms_.deadline = owner_.context().here.clock().now() +
                    std::chrono::milliseconds(std::max(message_.timeout_ms, 0));
  if (message_.transactional_id.data() != nullptr &&
      !owner_.context().authorizer.authorize(*request_.context.session, Operation::write,
                                             ResourceType::transactional_id,
                                             message_.transactional_id)) {
    refused_ = ErrorCode::transactional_id_authorization_failed;
  }
  if (is_known(message_.acks)) {
    terms_.acks = static_cast<Acks>(message_.acks);
  } else {
    refused_ = ErrorCode::invalid_required_acks;
  }
  std::size_t count = 0;
  for (const Topic& topic : message_.topic_data) count += topic.partition_data.size();
  parts_.reserve(count);
  for (const Topic& topic : message_.topic_data) add_topic(topic);
  submit();
  return std::nullopt;
}

void Produce::add_topic(const Topic& topic) {
  const auto shards = static_cast<std::uint32_t>(owner_.context().all.size());
  std::string_view name = topic.name;
  ErrorCode refusal = refused_;
  if (request_.context.version >= first_produce_version_with_ids) {
    // The image that has the name stays until the answer is made.
    const auto known = owner_.image().topic(topic.topic_id);
    if (known == nullptr) {
      if (refusal == ErrorCode::none) refusal = ErrorCode::unknown_topic_id;
    } else {
      char* copy = arena_->allocate<char>(known->name.size());
      if (copy == nullptr)
        refusal = ErrorCode::invalid_request;
      else
        name = {copy, std::ranges::copy(known->name, copy).out};
    }
  }
  if (refusal == ErrorCode::none) refusal = refusal_of(name);
  for (const auto& partition : topic.partition_data) {
    ProducePart& part = parts_.emplace_back();
    part.topic = name;
    part.topic_id = topic.topic_id;
    part.index = PartitionIndex(partition.index);
    part.batch = mutable_bytes(partition.records.bytes());
    part.shard = shard_of(name, part.index, shards);
    if (refusal != ErrorCode::none) {
      part.fail(refusal);
      owner_.metrics_.count_failure(refusal);
    }
  }
}

ErrorCode Produce::refusal_of(std::string_view topic) const {
  if (!owner_.may(request_, Operation::write, topic)) return ErrorCode::topic_authorization_failed;
  if (storage::is_internal_topic(topic)) return ErrorCode::invalid_topic_exception;
  return ErrorCode::none;
}

// In the order of the request; on other shards, in the order of the calls.
void Produce::submit() {
  const ShardIndex here = owner_.context().here.index();
  std::vector<bool> elsewhere;
  for (ProducePart& part : parts_) {
    if (part.code != ErrorCode::none) continue;
    if (part.shard == here) {
      owner_.appender_->begin(terms_, part, countdown_);
    } else {
      elsewhere.resize(owner_.context().all.size());
      elsewhere[part.shard.value()] = true;
    }
  }
  // From here on parts belong to their shards.
  for (std::uint32_t shard = 0; shard < elsewhere.size(); ++shard) {
    if (elsewhere[shard]) submit_to(ShardIndex(shard));
  }
}

task_detail::Detached Produce::submit_to(ShardIndex shard) {
  countdown_.begin();
  co_await owner_.context().here.call(shard, [this](Shard& there) {
    return append_on(*owner_.context().all[there.index().value()], *this);
  });
  countdown_.end();
}

// Only the parts of this shard are touched here.
Task<void> Produce::append_on(DataRequests& there, Produce& produce) {
  const ShardIndex here = there.context().here.index();
  Countdown countdown;
  for (ProducePart& part : produce.parts_) {
    if (part.shard != here) continue;
    if (part.code == ErrorCode::none) there.appender_->begin(produce.terms_, part, countdown);
  }
  co_await countdown.wait();
}

// --- The answer ---

Response Produce::answer() {
  const auto failed = std::ranges::find_if(
      parts_, [](const ProducePart& part) { return part.code != ErrorCode::none; });
  if (failed != parts_.end()) tell_of_refused_batches();
  const Duration throttle = owner_.context().quotas.record(
      *request_.context.session, request_.context.client_id, security::QuotaKind::produce,
      request_.body.size(), owner_.context().here.clock().now());
  if (message_.acks == 0) {
    if (failed == parts_.end()) return Response::none();
    return Response::close(formatted("a produce request with acks=0 failed for {}-{}: {}",
                                     shown(failed->topic), failed->index.value(),
                                     protocol::name_of(failed->code)));
  }
  Answer answer;
  auto* topics = arena_->make_array<Answer::TopicProduceResponse>(message_.topic_data.size());
  auto* responses = arena_->make_array<Answer::PartitionProduceResponse>(parts_.size());
  if (topics == nullptr || responses == nullptr) {
    return Response::close("a produce request of more partitions than memory is given for");
  }
  const bool knows_hints = request_.context.version >= first_produce_version_with_hints;
  std::vector<Answer::NodeEndpoint> endpoints;
  std::size_t next = 0;
  for (std::size_t i = 0; i < message_.topic_data.size(); ++i) {
    const Topic& topic = message_.topic_data[i];
    topics[i].name = topic.name;
    topics[i].topic_id = topic.topic_id;
    const std::size_t first = next;
    for (; next < first + topic.partition_data.size(); ++next) {
      ProducePart& part = parts_[next];
      fill(responses[next], part);
      if (knows_hints && part.leader.leader != no_broker) {
        add_endpoint(endpoints, owner_.image(), request_.context.session->listener,
                     part.leader.leader);
      }
    }
    topics[i].partition_responses =
        std::span<const Answer::PartitionProduceResponse>(responses + first, next - first);
  }
  answer.responses =
      std::span<const Answer::TopicProduceResponse>(topics, message_.topic_data.size());
  answer.node_endpoints = std::span<const Answer::NodeEndpoint>(endpoints);
  answer.throttle_time_ms = static_cast<std::int32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(throttle).count());
  return respond(request_.context, owner_.context().buffers, answer);
}

void Produce::fill(Answer::PartitionProduceResponse& response, ProducePart& part) {
  response.index = part.index.value();
  response.error_code = static_cast<std::int16_t>(part.code);
  response.log_start_offset = part.log_start.value();
  if (part.code == ErrorCode::none) {
    response.base_offset = part.base_offset.value();
    response.log_append_time_ms = part.append_time.value();
    return;
  }
  response.base_offset = no_offset.value();
  if (!part.message.empty()) response.error_message = part.message;
  if (part.record_index != protocol::no_record_index) {
    using RecordError = Answer::BatchIndexAndErrorMessage;
    if (auto* errors = arena_->make_array<RecordError>(1)) {
      errors->batch_index = part.record_index;
      errors->batch_index_error_message = part.message;
      response.record_errors = std::span<const RecordError>(errors, 1);
    }
  }
  if (request_.context.version < first_produce_version_with_hints) return;
  response.current_leader.leader_id = part.leader.leader.value();
  response.current_leader.leader_epoch = part.leader.epoch.value();
}

// Whose fault it is, for people: one line a request. What the storage cannot take is one of them:
// the code that the client gets does not tell that the disk is full.
void Produce::tell_of_refused_batches() const {
  for (const ProducePart& part : parts_) {
    if (!part.is_bad_batch && part.code != ErrorCode::kafka_storage_error) continue;
    owner_.log_.warning("a batch from {} (client id {}) for {}-{} is refused with {}: {}",
                        to_string(request_.context.peer), shown(request_.context.client_id),
                        part.topic, part.index.value(), protocol::name_of(part.code), part.message);
    return;
  }
}

}  // namespace millrace::broker
