module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.broker.coordination;

import millrace.base;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.protocol.partitioner;
import millrace.runtime;
import millrace.security;
import :group_access;
import :state;

namespace millrace::broker {

namespace {

using coordination::GroupCall;
using coordination::KnownTopic;
using coordination::RequestNumber;
using protocol::ErrorCode;

// Remembers what was found, for the coordinator, which knows no topics.
class NotedTopics final : public coordination::TopicLookup {
 public:
  explicit NotedTopics(const coordination::TopicLookup& topics) : topics_(topics) {}
  [[nodiscard]] std::optional<KnownTopic> find(std::string_view name) const override {
    return noted(topics_.find(name));
  }
  [[nodiscard]] std::optional<KnownTopic> find(const Uuid& id) const override {
    return noted(topics_.find(id));
  }
  [[nodiscard]] std::vector<KnownTopic> take() { return std::move(found_); }

 private:
  [[nodiscard]] std::optional<KnownTopic> noted(std::optional<KnownTopic> topic) const {
    if (topic && seen_.insert(topic->id).second) found_.push_back(*topic);
    return topic;
  }

  const coordination::TopicLookup& topics_;
  mutable std::set<Uuid> seen_;  // however often a request names a topic
  mutable std::vector<KnownTopic> found_;
};

// What a message takes for a topic besides its name, and at most for a request besides topics and
// body.
constexpr std::size_t bytes_around_topic = 64;
constexpr std::size_t bytes_around_request = 256 * kibibyte;
static_assert(bytes_around_request > 3 * coordination::string_bytes_max);

std::size_t bytes_of(const std::vector<KnownTopic>& topics) {
  std::size_t bytes = 0;
  for (const KnownTopic& topic : topics) bytes += bytes_around_topic + topic.name.size();
  return bytes;
}

GroupAnswer closing(std::string reason) {
  GroupAnswer answer;
  answer.close = true;
  answer.reason = std::move(reason);
  return answer;
}

GroupAnswer unreadable(const Error& error) {
  return closing("a body that cannot be read: " + error.message);
}

GroupAnswer answer_of(Result<coordination::OwnedBytes> body) {
  if (!body) return closing("the answer cannot be written: " + body.error().message);
  GroupAnswer answer;
  answer.body = *std::move(body);
  return answer;
}

}  // namespace

GroupGateway::GroupGateway(Executor& executor, const GroupTopics& topics, StateStore& store,
                           security::Authorizer& authorizer, GatewayMetrics metrics,
                           const GatewayOptions& options, Logger log)
    : executor_(executor),
      topics_(topics),
      store_(store),
      authorizer_(authorizer),
      metrics_(std::move(metrics)),
      options_(options),
      log_(std::move(log)) {}

GroupGateway::~GroupGateway() {
  check(session_ == nullptr && waiting_.empty(), "a gateway ends before stop()");
}

Task<GroupAnswer> GroupGateway::ask(GroupAsk ask) {
  const Clock& clock = executor_.clock();
  const MonotonicTime begun = clock.now();
  GroupAccess access(authorizer_, *ask.session, topics_, ask.api, ask.version);
  auto screened = access.screen(ask.body);
  if (!screened) co_return unreadable(screened.error());
  if (screened->answer) co_return answer_of(*std::move(screened->answer));
  const Duration screening = clock.now() - begun;
  GroupAnswer answer = co_await ask_coordinator(
      ask, screened->body ? *std::move(screened->body) : std::move(ask.body));
  answer.used += screening;
  if (answer.close) co_return answer;
  const MonotonicTime answered = clock.now();
  GroupAnswer complete = answer_of(access.complete(std::move(answer.body)));
  complete.used = answer.used + (clock.now() - answered);
  co_return complete;
}

Task<GroupAnswer> GroupGateway::ask_coordinator(const GroupAsk& ask,
                                                coordination::OwnedBytes body) {
  const MonotonicTime begun = executor_.clock().now();
  NotedTopics noted(topics_);
  auto call =
      GroupCall::decode(ask.api, ask.version, body, {ask.client_id, ask.client_host}, noted);
  if (!call) co_return unreadable(call.error());
  const std::int32_t count = topics_.state_partitions();
  if (call->questions().empty() || (call->asks_all_groups() && led_.empty())) {
    co_return answer_of(call->answer({}, topics_));
  }
  if (!leads_any(*call, count)) co_return answer_of(call->refuse(ErrorCode::not_coordinator));
  // One more than may be known, to see that there are too many.
  std::vector<KnownTopic> known =
      call->wants_all_topics() ? topics_.all(coordination::known_topics_max + 1) : noted.take();
  const std::size_t payload = body.size() + bytes_of(known);
  const std::size_t message_max = bytes_around_request + payload;
  if (body.size() > coordination::body_bytes_max || known.size() > coordination::known_topics_max ||
      message_max > coordination::message_bytes_max) {
    co_return answer_of(call->refuse(ErrorCode::invalid_request));
  }
  std::string principal = security::to_string(ask.session->principal);
  const std::size_t bytes =
      payload + principal.size() + ask.client_id.size() + ask.client_host.size();
  const bool full = waiting_.size() >= options_.requests_max ||
                    waiting_bytes_ + bytes > options_.request_bytes_max;
  if (session_ == nullptr || full || !has_room_for(message_max)) co_return unavailable(*call);

  coordination::ClientRequest request;
  request.number = last_number_ = last_number_.next();
  request.api = ask.api;
  request.version = ask.version;
  request.principal = std::move(principal);
  request.client_id = ask.client_id;
  request.client_host = ask.client_host;
  request.state_partitions = count;
  request.topics = std::move(known);
  request.body = std::move(body);
  // What it takes to answer is kept; a join may wait for minutes.
  static_cast<void>(call->take_questions());
  Waiting waiting(*call, request.number, ask.connection, bytes);
  waiting_.emplace(waiting.number, &waiting);
  waiting_of_.emplace(waiting.connection, waiting.number);
  waiting_bytes_ += waiting.bytes;
  metrics_.waiting.add(1);
  // If that does not succeed, the request ends with all others that wait.
  static_cast<void>(send(std::move(request)));
  const Duration used = executor_.clock().now() - begun;
  co_await waiting;
  waiting.answer.used = used;
  co_return std::move(waiting.answer);
}

// Requests take half of what may be queued: what does not fit ends the session for all. One goes
// by itself, whatever its size.
bool GroupGateway::has_room_for(std::size_t bytes) const {
  const std::size_t queued = session_->outbound.bytes();
  return queued == 0 || queued + bytes <= coordination::queued_bytes_max / 2;
}

bool GroupGateway::leads_any(const GroupCall& call, std::int32_t count) const {
  if (call.asks_all_groups()) return true;
  if (count <= 0) return false;
  return std::ranges::any_of(call.questions(), [&](const coordination::Question& question) {
    return led_.contains(protocol::state_partition(question.group, count));
  });
}

GroupAnswer GroupGateway::unavailable(const GroupCall& call) {
  metrics_.unavailable.add();
  return answer_of(call.refuse(ErrorCode::coordinator_not_available));
}

void GroupGateway::take(coordination::ClientAnswer message) {
  const auto place = waiting_.find(message.number);
  if (place == waiting_.end()) {
    metrics_.late_answers.add();
    return;
  }
  end(*place->second, {message.close, std::move(message.reason), std::move(message.body), {}});
}

void GroupGateway::fail_waiting() {
  while (!waiting_.empty()) {
    Waiting& waiting = *waiting_.begin()->second;
    end(waiting, unavailable(waiting.call));
  }
}

void GroupGateway::connection_closing(const AskingConnection& connection) {
  for (;;) {
    const auto place = waiting_of_.lower_bound({connection, RequestNumber(0)});
    if (place == waiting_of_.end() || place->first != connection) return;
    end(*waiting_.at(place->second), closing("the connection closes"));
  }
}

void GroupGateway::end(Waiting& waiting, GroupAnswer answer) {
  waiting_.erase(waiting.number);
  waiting_of_.erase({waiting.connection, waiting.number});
  waiting_bytes_ -= waiting.bytes;
  metrics_.waiting.add(-1);
  waiting.answer = std::move(answer);
  waiting.resume_soon(executor_);
}

void GroupGateway::partition_led(PartitionIndex partition, LeaderEpoch epoch) {
  const auto [place, is_new] = led_.try_emplace(partition, epoch);
  if (is_new) metrics_.partitions.add(1);
  if (!is_new && place->second >= epoch) return;
  place->second = epoch;
  send(coordination::Lead{partition, epoch});
}

void GroupGateway::partition_lost(PartitionIndex partition) {
  if (led_.erase(partition) == 0) return;
  metrics_.partitions.add(-1);
  send(coordination::Lost{partition});
}

Task<void> GroupGateway::stop() {
  stopped_ = true;
  if (listener_ != nullptr) listener_->close();
  if (session_ != nullptr) close(*session_, "the broker stops", LogLevel::info);
  co_await tasks_.wait();
}

}  // namespace millrace::broker
