module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.metadata;
import millrace.runtime;
import millrace.runtime.streams;
import :topic_merge;

namespace millrace::client {
namespace {

using protocol::MetadataRequest;
using protocol::MetadataResponse;

// From here on a request says whether it may make topics.
constexpr std::int16_t metadata_version_min = 4;

// Waiting does not help.
bool is_final(ErrorCode code) {
  return code == ErrorCode::topic_authorization_failed ||
         code == ErrorCode::invalid_topic_exception;
}

}  // namespace

struct Metadata::State {
  State(Executor& e, Brokers& b, const CommonSettings& s, MetadataOptions o, const Logger& l,
        Random random)
      : executor(e),
        brokers(b),
        settings(s),
        options(o),
        logger(l, e.clock()),
        pace(s.retry_range(), random),
        view(std::make_shared<ClusterView>()),
        ended(e),
        wake(e) {}

  // What one request asks for.
  struct Question {
    bool is_full = false;  // of all that is wanted, not only of what is new
    bool is_for_all = false;
    std::vector<std::string> topics;
    std::uint64_t number = 0;
    std::uint64_t want_generation = 0;
  };
  // Inside a call of a user, for close() to wait for.
  struct Caller {
    explicit Caller(State& s) : state(s) { ++state.callers; }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;
    ~Caller() { --state.callers; }
    State& state;
  };

  [[nodiscard]] MonotonicTime now() const { return executor.clock().now(); }
  [[nodiscard]] std::shared_ptr<const ClusterView> current() const {
    const std::lock_guard lock(view_mutex);
    return view;
  }
  void publish(std::shared_ptr<ClusterView> changed) {
    changed->generation = current()->generation + 1;
    {
      const std::lock_guard lock(view_mutex);
      view = changed;
    }
    const std::shared_ptr<const ClusterView> picture = std::move(changed);
    for (const Changed& listener : listeners) listener(picture);
  }

  void start() {
    if (is_started || is_closing) return;
    is_started = true;
    tasks.start(run());
  }
  void nudge() {
    start();
    wake.set();
  }

  // When the next request is due; no_deadline: not before something changes.
  [[nodiscard]] MonotonicTime due() const {
    if (is_refresh_asked || !fresh.empty()) return not_before;
    if (is_invalid) return std::max(not_before, not_again_before);
    const Duration age = settings.metadata_max_age;
    if (age >= no_deadline - succeeded_at) return no_deadline;
    return std::max(not_before, succeeded_at + age);
  }

  Task<void> run() {
    succeeded_at = now();
    while (!is_closing) {
      const MonotonicTime when = due();
      if (when > now()) {
        static_cast<void>(co_await wake.wait(when));
        continue;
      }
      co_await ask();
    }
  }

  [[nodiscard]] Question question() {
    Question asked;
    asked.number = ++last_question;
    asked.want_generation = want_generation;
    asked.is_full = is_refresh_asked || is_invalid || fresh.empty();
    asked.is_for_all = asked.is_full && is_all_wanted;
    if (asked.is_full) {
      forget_idle();
      for (const auto& [name, used] : wanted) asked.topics.push_back(name);
      is_refresh_asked = false;
      is_invalid = false;
    } else {
      asked.topics.assign(fresh.begin(), fresh.end());
    }
    fresh.clear();
    return asked;
  }
  void forget_idle() {
    if (!options.topic_idle_max) return;
    std::erase_if(wanted, [&](const auto& entry) {
      const bool is_idle = now() - entry.second > *options.topic_idle_max;
      if (is_idle) last_good.erase(entry.first);
      return is_idle;
    });
  }

  Task<void> ask() {
    const Question asked = question();
    under_way = asked;
    std::vector<MetadataRequest::MetadataRequestTopic> topics;
    for (const std::string& name : asked.topics) topics.push_back({.topic_id = {}, .name = name});
    MetadataRequest request;
    request.topics = asked.is_for_all
                         ? protocol::Array<MetadataRequest::MetadataRequestTopic>::null()
                         : protocol::Array<MetadataRequest::MetadataRequestTopic>(topics);
    request.allow_auto_topic_creation = options.allow_auto_topic_creation;
    const CallOptions call{.deadline = now() + settings.request_timeout,
                           .version_min = metadata_version_min};
    const auto reply = co_await brokers.call_any(request, call);
    under_way.reset();
    if (is_closing) co_return;
    const ClientResult<void> outcome = reply ? apply(asked, reply->message, reply->broker)
                                             : ClientResult<void>(failure(reply.error()));
    if (outcome) {
      note_success(asked);
    } else {
      note_failure(asked, outcome.error());
    }
    ended.wake_all();
  }

  void note_success(const Question& asked) {
    failures = 0;
    last_error.reset();
    succeeded_at = now();
    not_before = {};
    if (asked.is_full) full_success = asked.number;
    not_again_before = now() + pace.next();
  }
  void note_failure(const Question& asked, const ClientError& error) {
    ++failures;
    last_error = error;
    last_failed = asked.number;
    // What was not learnt is asked for again.
    if (asked.is_full) {
      is_invalid = true;
    } else {
      for (const std::string& name : asked.topics) {
        if (wanted.contains(name)) fresh.insert(name);
      }
    }
    not_before = now() + pace.next();
    logger.info("the cluster's brokers are not known better now: {}", to_string(error));
    const bool is_long = now() - succeeded_at >= settings.rebootstrap_trigger;
    if (settings.recovery == RecoveryStrategy::rebootstrap && is_long) {
      brokers.rebootstrap();
    }
  }

  [[nodiscard]] ClientResult<void> apply(const Question& asked, const MetadataResponse& answer,
                                         BrokerId from) {
    const ErrorCode code = protocol::error_code_from(answer.error_code);
    if (code == ErrorCode::rebootstrap_required) {
      brokers.rebootstrap();
      ClientError error = broker_error(code, from, "the bootstrap servers are to be asked again");
      error.retriable = true;
      return failure(std::move(error));
    }
    if (code != ErrorCode::none) {
      return failure(broker_error(code, from, "the broker tells nothing of the cluster"));
    }
    std::vector<BrokerView> named = brokers_of(answer);
    if (named.empty()) {
      return failure(client_error(Failure::unknown_broker, "the answer named no broker",
                                  Persistence::not_persisted, from));
    }
    const auto before = current();
    auto picture = std::make_shared<ClusterView>(*before);
    picture->cluster_id = std::string(answer.cluster_id);
    picture->controller = BrokerId(answer.controller_id);
    picture->refreshed = now();
    picture->set_brokers(std::move(named));
    const bool has_changed = take_topics(asked, answer, *before, *picture);
    tell_brokers(*picture);
    if (has_changed) pace.reset();
    publish(std::move(picture));
    return {};
  }
  // Whether anything is new.
  bool take_topics(const Question& asked, const MetadataResponse& answer, const ClusterView& before,
                   ClusterView& picture) {
    bool has_changed = false;
    if (asked.is_full) {
      picture.clear_topics();
    } else {
      for (const std::string& name : asked.topics) picture.remove_topic(name);
    }
    for (const auto& topic : answer.topics) {
      if (topic.name.empty()) continue;
      const auto good = last_good.find(topic.name);
      auto merged = merged_topic(topic, good == last_good.end() ? nullptr : good->second.get());
      const auto same = before.topics().find(topic.name);
      if (same != before.topics().end() && *same->second == *merged) {
        merged = same->second;
      } else {
        has_changed = true;
      }
      if (merged->error == ErrorCode::none) last_good[merged->name] = merged;
      picture.set_topic(std::move(merged));
    }
    if (asked.is_for_all) {
      std::erase_if(last_good, [&](const auto& entry) {
        return picture.find(entry.first) == nullptr && !wanted.contains(entry.first);
      });
    }
    return has_changed;
  }
  void tell_brokers(const ClusterView& picture) {
    std::vector<BrokerEndpoint> endpoints;
    for (const BrokerView& broker : picture.brokers()) {
      endpoints.push_back({broker.id, broker.address});
    }
    brokers.update(endpoints);
  }

  void want(std::string_view topic) {
    const auto known = wanted.find(topic);
    if (known != wanted.end()) {
      known->second = now();
      return;
    }
    const std::string name(topic);
    wanted.emplace(name, now());
    ++want_generation;
    if (current()->find(topic) == nullptr) fresh.insert(name);
    nudge();
  }
  void invalidate() {
    is_invalid = true;
    nudge();
  }
  // Whether a question about the topic is under way or will be asked soon.
  [[nodiscard]] bool is_asked(std::string_view topic) const {
    if (fresh.contains(topic)) return true;
    return under_way && (under_way->is_for_all ||
                         std::ranges::find(under_way->topics, topic) != under_way->topics.end());
  }
  // A failure after that question that no other try mends.
  [[nodiscard]] bool has_failed_for_good(std::uint64_t after) const {
    return last_failed > after && last_error && !last_error->retriable;
  }
  [[nodiscard]] ClientError closed() const {
    return client_error(Failure::closed, "the client is closed");
  }
  // Why something did not come about until its deadline.
  [[nodiscard]] ClientError late(Failure kind, std::string sentence) const {
    if (last_error) {
      sentence += formatted("; asking brokers failed {} times, last with {}", failures,
                            to_string(*last_error));
    }
    return client_error(kind, std::move(sentence));
  }

  Executor& executor;
  Brokers& brokers;
  const CommonSettings settings;
  const MetadataOptions options;
  LimitedLogger logger;
  Backoff pace;
  mutable std::mutex view_mutex;
  std::shared_ptr<const ClusterView> view;
  std::vector<Changed> listeners;

  std::map<std::string, MonotonicTime, std::less<>> wanted;  // and when last
  std::set<std::string, std::less<>> fresh;                  // wanted, and not asked for yet
  bool is_all_wanted = false;
  std::uint64_t want_generation = 0;
  // What was known before a topic had an error.
  std::map<std::string, std::shared_ptr<const TopicView>, std::less<>> last_good;

  bool is_started = false;
  bool is_closing = false;
  bool is_refresh_asked = false;
  bool is_invalid = false;
  std::optional<Question> under_way;
  std::uint64_t last_question = 0;
  std::uint64_t full_success = 0;
  std::uint64_t last_failed = 0;
  std::uint32_t failures = 0;
  std::optional<ClientError> last_error;
  MonotonicTime succeeded_at{};
  MonotonicTime not_before{};        // after failures
  MonotonicTime not_again_before{};  // of what was only said to be wrong
  std::size_t callers = 0;
  WaitList ended;
  AsyncSignal wake;
  TaskGroup tasks;
};

Metadata::Metadata(Executor& executor, Brokers& brokers, const CommonSettings& settings,
                   MetadataOptions options, Logger logger, Random random)
    : state_(std::make_unique<State>(executor, brokers, settings, options, logger, random)) {}

Metadata::~Metadata() {
  check(state_->tasks.running() == 0 && state_->callers == 0, "metadata ends after close()");
}

std::shared_ptr<const ClusterView> Metadata::view() const {
  return state_->current();
}

void Metadata::want(std::string_view topic) {
  state_->want(topic);
}

void Metadata::want_all(bool all) {
  if (state_->is_all_wanted == all) return;
  state_->is_all_wanted = all;
  ++state_->want_generation;
  if (all) state_->is_refresh_asked = true;
  state_->nudge();
}

void Metadata::forget(std::string_view topic) {
  const auto found = state_->wanted.find(topic);
  if (found != state_->wanted.end()) state_->wanted.erase(found);
  if (const auto fresh = state_->fresh.find(topic); fresh != state_->fresh.end()) {
    state_->fresh.erase(fresh);
  }
  if (const auto good = state_->last_good.find(topic); good != state_->last_good.end()) {
    state_->last_good.erase(good);
  }
}

Task<ClientResult<void>> Metadata::refresh(MonotonicTime deadline) {
  State& state = *state_;
  const State::Caller caller(state);
  const bool is_shared = state.under_way && state.under_way->is_full &&
                         state.under_way->want_generation == state.want_generation;
  const std::uint64_t number = is_shared ? state.under_way->number : state.last_question + 1;
  if (!is_shared) {
    state.is_refresh_asked = true;
    state.nudge();
  }
  while (!state.is_closing) {
    if (state.full_success >= number) co_return ClientResult<void>();
    if (state.has_failed_for_good(number - 1)) co_return failure(*state.last_error);
    if (!co_await state.ended.wait(deadline)) {
      co_return failure(state.late(Failure::timed_out, "no broker told of the cluster in time"));
    }
  }
  co_return failure(state.closed());
}

void Metadata::invalidate() {
  state_->invalidate();
}

Task<ClientResult<std::shared_ptr<const TopicView>>> Metadata::topic(std::string name,
                                                                     MonotonicTime deadline) {
  State& state = *state_;
  const State::Caller caller(state);
  const std::uint64_t asked_before = state.last_question;
  state.want(name);
  while (!state.is_closing) {
    if (state.has_failed_for_good(asked_before)) co_return failure(*state.last_error);
    const auto view = state.current();
    const auto found = view->topics().find(name);
    const bool is_known = found != view->topics().end();
    const ErrorCode code = is_known ? found->second->error : ErrorCode::unknown_topic_or_partition;
    if (code == ErrorCode::none) co_return found->second;
    if (is_final(code)) co_return failure(broker_error(code, no_broker, "topic " + name));
    if (!state.is_asked(name)) state.invalidate();
    if (!co_await state.ended.wait(deadline)) {
      co_return failure(
          is_known && code == ErrorCode::unknown_topic_or_partition
              ? state.late(Failure::unknown_topic, "no topic " + name)
              : state.late(Failure::timed_out, "topic " + name + " did not become known in time"));
    }
  }
  co_return failure(state.closed());
}

Task<ClientResult<LeaderOf>> Metadata::leader(TopicPartition partition, MonotonicTime deadline) {
  State& state = *state_;
  const State::Caller caller(state);
  while (!state.is_closing) {
    const auto topic = co_await this->topic(partition.topic, deadline);
    if (!topic) co_return failure(topic.error());
    if (const auto leader = known_leader(partition.topic, partition.partition)) co_return *leader;
    if (!state.is_asked(partition.topic)) state.invalidate();
    if (!co_await state.ended.wait(deadline)) {
      const bool is_there = (*topic)->find(partition.partition) != nullptr;
      const std::string name = to_string(partition);
      co_return failure(is_there ? state.late(Failure::timed_out, name + " has no leader")
                                 : state.late(Failure::unknown_topic, "no partition " + name));
    }
  }
  co_return failure(state.closed());
}

std::optional<LeaderOf> Metadata::known_leader(std::string_view topic,
                                               PartitionIndex partition) const {
  const auto view = state_->current();
  const TopicView* found = view->find(topic);
  const PartitionView* place = found == nullptr ? nullptr : found->find(partition);
  if (place == nullptr || place->leader == no_broker) return std::nullopt;
  if (!state_->brokers.knows(place->leader)) return std::nullopt;
  return LeaderOf{place->leader, place->leader_epoch, found->id};
}

void Metadata::apply_leader_hint(std::string_view topic, PartitionIndex partition, BrokerId leader,
                                 LeaderEpoch epoch, const std::optional<BrokerEndpoint>& endpoint) {
  State& state = *state_;
  if (leader < BrokerId(0) || state.is_closing) return;
  const auto before = state.current();
  const TopicView* known = before->find(topic);
  if (known == nullptr) return;
  auto changed = with_leader(*known, partition, leader, epoch);
  if (changed == nullptr) return;
  if (endpoint && endpoint->id == leader) state.brokers.learn(*endpoint);
  if (!state.brokers.knows(leader)) {
    state.invalidate();
    return;
  }
  auto picture = std::make_shared<ClusterView>(*before);
  state.last_good[changed->name] = changed;
  picture->set_topic(std::move(changed));
  state.publish(std::move(picture));
  state.ended.wake_all();
}

void Metadata::on_change(Changed changed) {
  state_->listeners.push_back(std::move(changed));
}

Task<void> Metadata::close() {
  State& state = *state_;
  state.is_closing = true;
  state.wake.set();
  co_await state.tasks.wait();
  while (state.callers > 0) {
    state.ended.wake_all();
    co_await yield(state.executor);
  }
}

}  // namespace millrace::client
