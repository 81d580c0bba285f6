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
#include <variant>
#include <vector>

module millrace.coordinator;

import millrace.base;
import millrace.groups;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.protocol.partitioner;
import millrace.runtime;
import :metrics;

namespace millrace::coordinator {

using coordination::RequestNumber;
using protocol::ErrorCode;

namespace {

// What is smaller is sent without asking whether there is room; so is who is told to ask again.
constexpr std::size_t large_answer_bytes = 4 * kibibyte;
constexpr std::size_t large_refusal_bytes = 64 * kibibyte;
// What one question or one search for expired offsets has written, about.
constexpr std::size_t step_bytes_max =
    std::max(groups::Options().commit_bytes_max,
             groups::Options().erasure_bytes_max + groups::expiry_bytes_per_slice) +
    groups::Options().record_bytes_max;

}  // namespace

// The broker takes each append.
static_assert(groups::Options().append_bytes_max + record_batch_header_bytes <=
              message_bytes_max_default);
// So does it take as many as there may be: what one request or one search for expired offsets adds
// comes after the limit was looked at.
static_assert(groups::Options().uncommitted_appends_max + groups::expiry_groups_per_slice +
                  2 * step_bytes_max / groups::Options().append_bytes_max <
              coordination::appends_under_way_max);
// And it is queued beside what is queued already when it is asked for.
static_assert(step_bytes_max + 8 * mebibyte <= coordination::queued_bytes_max / 2);
// What is around the offsets fits beside them.
static_assert(groups::Options().fetch_bytes_max + mebibyte <= coordination::body_bytes_max);

Session::Session(Executor& executor, Random& random, BufferPool& buffers,
                 const groups::Options& options, Metrics& metrics, const Logger& log,
                 SessionLink link)
    : executor_(executor),
      random_(random),
      options_(options),
      log_(log),
      link_(std::move(link)),
      around_{.executor = executor,
              .buffers = buffers,
              .options = options_,
              .session = coordination::SessionId(0),
              .log = log_,
              .send = link_.send,
              .answer =
                  [this](groups::RequestId id, groups::Reply reply) {
                    const auto place = places_.find(id);
                    check(place != places_.end(), "an answer to a question that nobody asked");
                    const Place found = place->second;
                    places_.erase(place);
                    answered(found, std::move(reply));
                  },
              .may_go_by_clock =
                  [this] {
                    if (!was_silent()) return true;
                    link_.give_up("a time has come after a silence");
                    return false;
                  },
              .load_ended = [this] { load_next(); },
              .metrics = metrics},
      heard_(executor.clock().now()),
      watcher_(*this) {
  executor_.arm(watcher_, heard_ + coordination::silence_max);
}

bool Session::was_silent() const {
  return executor_.clock().now() - heard_ > coordination::silence_max;
}

void Session::watch() {
  if (was_silent()) {
    link_.give_up("the broker has said nothing for too long");
    return;
  }
  executor_.arm(watcher_, heard_ + coordination::silence_max + std::chrono::milliseconds{1});
}

Result<void> Session::take(ByteView bytes) {
  // Sessions of members may have ended by the clock, though what they sent is still to be read.
  if (was_silent()) return failure(ErrorKind::cancelled, "a message after a silence");
  auto message = coordination::decode_to_coordinator(bytes);
  if (!message) return failure(message.error());
  heard_ = executor_.clock().now();
  if (is_greeted_ == std::holds_alternative<coordination::Hello>(*message)) {
    return failure(ErrorKind::corrupt, "the greeting comes first, and once");
  }
  return std::visit([this](auto& kind) { return take(kind); }, *message);
}

Result<void> Session::take(const coordination::Hello& message) {
  if (message.version != coordination::protocol_version) {
    return failure(ErrorKind::unsupported,
                   formatted("the broker speaks version {}", message.version));
  }
  is_greeted_ = true;
  around_.session = message.session;
  log_.info("session {} with broker {} of cluster {} begins", message.session.value(),
            message.broker.value(), to_string(message.cluster));
  link_.send(coordination::Welcome{});
  return {};
}

Result<void> Session::take(const coordination::Lead& message) {
  auto& place = partitions_[message.partition];
  if (place && place->epoch() == message.epoch) return {};
  if (place) place->unload();
  place = std::make_unique<StatePartition>(around_, message.partition, message.epoch);
  load_next();
  return {};
}

Result<void> Session::take(const coordination::Lost& message) {
  const auto place = partitions_.find(message.partition);
  if (place == partitions_.end()) return {};
  place->second->unload();
  partitions_.erase(place);
  load_next();
  return {};
}

Result<void> Session::take(const coordination::Batches& message) {
  StatePartition* const partition = find(message.of.partition);
  return partition == nullptr ? Result<void>() : partition->take(message);
}

Result<void> Session::take(const coordination::Committed& message) {
  StatePartition* const partition = find(message.of.partition);
  return partition == nullptr ? Result<void>() : partition->take(message);
}

Result<void> Session::take(const coordination::AppendFailed& message) {
  if (StatePartition* const partition = find(message.of.partition)) partition->take(message);
  return {};
}

Result<void> Session::take(const coordination::Ping& message) {
  link_.send(coordination::Pong{message.number});
  return {};
}

Result<void> Session::take(coordination::ClientRequest& message) {
  if (open_.contains(message.number)) {
    return failure(ErrorKind::corrupt, "a request has the number of one that is open");
  }
  const coordination::ListedTopics topics(message.topics);
  auto call = coordination::GroupCall::decode(message.api, message.version, message.body,
                                              {message.client_id, message.client_host}, topics);
  if (!call) {
    link_.send(coordination::ClientAnswer{
        message.number, true, "a body that cannot be read: " + call.error().message, {}});
    return {};
  }
  std::vector<coordination::Question> questions = call->take_questions();
  Open& open =
      open_.emplace(message.number, Open{*std::move(call), std::move(message.topics), {}, 0})
          .first->second;
  if (open.call.asks_all_groups() && !questions.empty()) {
    // The same question to every partition.
    open.replies.resize(partitions_.size());
    open.missing = partitions_.size() + 1;
    std::size_t place = 0;
    for (const auto& [index, partition] : partitions_) {
      ask({message.number, place++}, partition.get(), questions.front().request);
    }
  } else {
    open.replies.resize(questions.size());
    open.missing = questions.size() + 1;
    for (std::size_t i = 0; i < questions.size(); ++i) {
      StatePartition* partition = nullptr;
      if (message.state_partitions > 0) {
        partition = find(protocol::state_partition(questions[i].group, message.state_partitions));
      }
      ask({message.number, i}, partition, std::move(questions[i].request));
    }
  }
  // One more than there are questions was missing, so that it did not end on the way here.
  if (--open.missing == 0) finish(message.number, open);
  return {};
}

StatePartition* Session::find(PartitionIndex partition) {
  const auto place = partitions_.find(partition);
  return place == partitions_.end() ? nullptr : place->second.get();
}

void Session::ask(const Place& place, StatePartition* partition, groups::Request request) {
  if (partition == nullptr) {
    answered(place, groups::error_reply(request.index(), ErrorCode::not_coordinator));
    return;
  }
  if (!std::holds_alternative<groups::HeartbeatRequest>(request) && !has_room_for_appends()) {
    answered(place, groups::error_reply(request.index(), ErrorCode::coordinator_not_available));
    return;
  }
  const bool may_be_large = std::holds_alternative<groups::FetchRequest>(request) ||
                            std::holds_alternative<groups::DescribeRequest>(request) ||
                            std::holds_alternative<groups::ListRequest>(request);
  if (may_be_large && !has_room_for_large()) {
    answered(place, groups::error_reply(request.index(), ErrorCode::coordinator_not_available));
    return;
  }
  if (auto* const join = std::get_if<groups::JoinRequest>(&request)) join->random = random_id();
  last_request_ = last_request_.next();
  places_.emplace(last_request_, place);
  partition->request(last_request_, std::move(request));
}

// What they take is in the broker's memory, too, until it is in the log.
bool Session::has_room_for_appends() const {
  return link_.has_room(0) &&
         around_.held.uncommitted <= uncommitted_partitions_max * options_.uncommitted_bytes_max;
}

bool Session::has_room_for_large() const {
  return held_bytes_ + around_.held.waiting <= waiting_answers_max * options_.fetch_bytes_max;
}

void Session::answered(const Place& place, groups::Reply reply) {
  Open& open = open_.at(place.request);
  // Groups that fit by themselves may be too many for one answer.
  if (const auto* const fetched = std::get_if<groups::FetchReply>(&reply)) {
    if (open.fetched_bytes + fetched->bytes <= options_.fetch_bytes_max) {
      open.fetched_bytes += fetched->bytes;
    } else {
      reply = groups::error_reply(reply.index(), ErrorCode::invalid_request);
    }
  }
  const std::size_t held = groups::held_bytes(reply);
  open.held_bytes += held;
  held_bytes_ += held;
  open.replies[place.question] = std::move(reply);
  if (--open.missing == 0) finish(place.request, open);
}

void Session::finish(RequestNumber number, Open& open) {
  const coordination::ClientAnswer answer = answer_of(number, open);
  held_bytes_ -= open.held_bytes;
  open_.erase(number);
  link_.send(answer);
}

coordination::ClientAnswer Session::answer_of(RequestNumber number, Open& open) const {
  std::vector<groups::Reply> replies;
  replies.reserve(open.replies.size());
  for (auto& reply : open.replies) replies.push_back(*std::move(reply));
  const auto closing = [number](std::string reason) {
    return coordination::ClientAnswer{number, true, std::move(reason), {}};
  };
  const auto has_room = [this](std::size_t bytes, std::size_t large) {
    return bytes < large || link_.has_room(bytes);
  };
  auto body = open.call.answer(replies, coordination::ListedTopics(open.topics));
  if (body && body->size() > coordination::body_bytes_max) {
    return closing("the answer is larger than what is passed on");
  }
  if (body && !has_room(body->size(), large_answer_bytes)) {
    // Clients ask again, and soon there is room.
    body = open.call.refuse(ErrorCode::coordinator_not_available);
    if (body && !has_room(body->size(), large_refusal_bytes)) {
      return closing("there is no room for the answer");
    }
  }
  if (!body) return closing("the answer cannot be written: " + body.error().message);
  return {number, false, {}, *std::move(body)};
}

Task<Figures> Session::figures() const {
  Figures all;
  std::optional<PartitionIndex> last;
  for (;;) {
    // They come and go meanwhile.
    const auto place = last ? partitions_.upper_bound(*last) : partitions_.begin();
    if (place == partitions_.end()) co_return all;
    last = place->first;
    if (place->second) place->second->add_to(all);
    co_await yield(executor_);
  }
}

void Session::load_next() {
  auto loading = static_cast<std::size_t>(std::ranges::count_if(
      partitions_, [](const auto& one) { return one.second && one.second->is_loading(); }));
  for (const auto& [index, partition] : partitions_) {
    if (loading >= loads_at_once_max) return;
    if (!partition || !partition->wants_load()) continue;
    partition->load();
    ++loading;
  }
}

Uuid Session::random_id() {
  Uuid id;
  store_big_endian(id.bytes.data(), random_.next());
  store_big_endian(id.bytes.data() + 8, random_.next());
  return id;
}

}  // namespace millrace::coordinator
