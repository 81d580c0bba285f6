// A coordinator with a clock, a log of its records, and the answers that it gave.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.groups;

namespace millrace::groups {

inline OwnedBytes bytes_of_text(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}

inline std::string text_of(const OwnedBytes& bytes) {
  return std::string(as_text(bytes));
}

// A ConsumerProtocolSubscription of version 0 to one topic.
inline OwnedBytes subscription_to(std::string_view topic) {
  OwnedBytes bytes(8 + topic.size() + 4);
  store_big_endian<std::int16_t>(bytes.data(), 0);
  store_big_endian<std::int32_t>(bytes.data() + 2, 1);
  store_big_endian(bytes.data() + 6, static_cast<std::int16_t>(topic.size()));
  for (std::size_t i = 0; i < topic.size(); ++i) bytes[8 + i] = static_cast<std::byte>(topic[i]);
  store_big_endian<std::int32_t>(bytes.data() + 8 + topic.size(), -1);
  return bytes;
}

// One join, said by what differs.
struct Joining {
  std::string member = "";
  std::string instance = "";  // empty: none
  std::vector<std::string> protocols = {"range"};
  std::string group = "g";
  bool ask_twice = false;
  bool may_skip = false;
  int session_s = 10;
  int rebalance_s = 60;
  std::string type = "consumer";
  std::string topic = "orders";
};

class Bench {
 public:
  explicit Bench(Options options = {}, bool load = true)
      : options_(options), coordinator_(options) {
    if (load) take(coordinator_.loaded(now_));
  }

  template <class Kind>
  RequestId ask(Kind request) {
    const RequestId id(++requests_);
    take(coordinator_.request(id, Request(std::move(request)), now_));
    return id;
  }
  RequestId join(const Joining& joining) {
    JoinRequest request;
    request.group = joining.group;
    request.member_id = joining.member;
    if (!joining.instance.empty()) request.instance_id = joining.instance;
    request.client_id = "app";
    request.client_host = "/127.0.0.1";
    request.session_timeout = std::chrono::seconds(joining.session_s);
    request.rebalance_timeout = std::chrono::seconds(joining.rebalance_s);
    request.protocol_type = joining.type;
    for (const std::string& name : joining.protocols) {
      request.protocols.push_back({name, subscription_to(joining.topic)});
    }
    request.member_id_required = joining.ask_twice;
    request.may_skip_assignment = joining.may_skip;
    store_big_endian(request.random.bytes.data(), ++random_);
    return ask(std::move(request));
  }
  // The leader gives each member its own id as an assignment, after `prefix`.
  RequestId sync(const std::string& member, Generation generation,
                 const std::vector<std::string>& all = {}, const std::string& prefix = "for ") {
    SyncRequest request;
    request.group = "g";
    request.generation = generation;
    request.member_id = member;
    for (const std::string& other : all) {
      request.assignments.push_back({other, bytes_of_text(prefix + other)});
    }
    return ask(std::move(request));
  }
  ErrorCode heartbeat(const std::string& member, Generation generation,
                      std::optional<std::string> instance = {}) {
    return reply<HeartbeatReply>(
               ask(HeartbeatRequest{"g", generation, member, std::move(instance)}))
        .error;
  }
  RequestId leave(const std::string& member, std::optional<std::string> instance = {}) {
    return ask(LeaveRequest{"g", {{member, std::move(instance)}}});
  }

  // Time passes; timers fire at their time.
  void pass(Milliseconds time) {
    const MonotonicTime end = now_.monotonic + time;
    while (deadline_ && *deadline_ <= end) {
      advance_to(std::max(*deadline_, now_.monotonic));
      take(coordinator_.tick(now_));
    }
    advance_to(end);
  }
  void commit_all() {
    if (!log_.empty()) take(coordinator_.committed(Ticket(log_.size()), now_));
  }
  void hold_commits() { commits_at_once_ = false; }
  void take(Effects effects) {
    deadline_ = effects.deadline;
    for (Answer& answer : effects.answers) {
      EXPECT_TRUE(answers_.emplace(answer.request, std::move(answer.reply)).second)
          << "two answers to request " << answer.request.value();
    }
    bool any = false;
    for (Append& append : effects.appends) {
      log_.push_back(append.records);
      EXPECT_EQ(append.ticket, Ticket(log_.size()));
      any = true;
    }
    if (any && commits_at_once_) commit_all();
  }

  [[nodiscard]] bool answered(RequestId id) const { return answers_.contains(id); }
  template <class Kind>
  Kind reply(RequestId id) const {
    const auto place = answers_.find(id);
    if (place == answers_.end()) {
      ADD_FAILURE() << "request " << id.value() << " has no answer";
      return {};
    }
    const Kind* const reply = std::get_if<Kind>(&place->second);
    EXPECT_NE(reply, nullptr) << "an answer of another kind";
    return reply == nullptr ? Kind{} : *reply;
  }
  JoinReply joined(RequestId id) const { return reply<JoinReply>(id); }
  SyncReply synced(RequestId id) const { return reply<SyncReply>(id); }

  [[nodiscard]] const Group* group(std::string_view name = "g") const {
    const auto place = coordinator_.groups().find(name);
    return place == coordinator_.groups().end() ? nullptr : &place->second;
  }
  [[nodiscard]] GroupState state() const {
    return group() == nullptr ? GroupState::dead : group()->state();
  }

  // A group of so many members, stable, in generation 1. Their ids; the first leads.
  std::vector<std::string> stable(std::size_t count, Joining joining = {}) {
    std::vector<RequestId> joins;
    for (std::size_t i = 0; i < count; ++i) {
      Joining one = joining;
      if (!one.instance.empty()) one.instance += std::to_string(i);
      joins.push_back(join(one));
    }
    pass(std::chrono::seconds(6));
    std::vector<std::string> members;
    for (const RequestId id : joins) members.push_back(joined(id).member_id);
    for (const std::string& member : members) {
      sync(member, group()->generation(),
           member == members[0] ? members : std::vector<std::string>{});
    }
    EXPECT_EQ(state(), GroupState::stable);
    return members;
  }

  // Another coordinator that knows only the log.
  [[nodiscard]] Bench restarted() const {
    Bench other(options_, false);
    other.now_ = now_;
    other.random_ = random_ + 1'000'000;
    for (const auto& records : log_) {
      for (const Record& record : records) {
        std::optional<ByteView> value;
        if (record.value) value = *record.value;
        EXPECT_TRUE(other.coordinator_.replay(record.key, value).has_value());
      }
    }
    other.log_.clear();
    other.take(other.coordinator_.loaded(other.now_));
    return other;
  }

  Coordinator& coordinator() { return coordinator_; }
  [[nodiscard]] const std::vector<std::vector<Record>>& log() const { return log_; }
  [[nodiscard]] Now now() const { return now_; }
  [[nodiscard]] std::size_t answers() const { return answers_.size(); }
  [[nodiscard]] std::size_t requests() const { return requests_; }

 private:
  void advance_to(MonotonicTime time) {
    const auto passed = std::chrono::duration_cast<Milliseconds>(time - now_.monotonic);
    now_ = {time, now_.wall.plus(passed.count())};
  }

  Options options_;
  Coordinator coordinator_;
  Now now_{MonotonicTime{} + std::chrono::seconds(1), Timestamp(1'700'000'000'000)};
  std::optional<MonotonicTime> deadline_;
  bool commits_at_once_ = true;
  std::vector<std::vector<Record>> log_;
  std::map<RequestId, Reply> answers_;
  std::uint64_t requests_ = 0;
  std::uint64_t random_ = 0;
};

}  // namespace millrace::groups
