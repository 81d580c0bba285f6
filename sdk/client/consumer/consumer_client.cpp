module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.client.consumer;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::client {
namespace {

// A topic that is not read any more is asked for so long: where asking makes topics, one that was
// deleted would come back.
constexpr Duration topic_unused_max = std::chrono::minutes{1};
static_assert(topic_unused_max > 3 * watchdog_interval, "what is read is wanted again in time");

ClientError bad_argument(std::string sentence) {
  return client_error(Failure::bad_argument, std::move(sentence));
}

ClientError impossible_name(std::string_view topic) {
  return bad_argument(formatted("the name of a topic has 1 to {} bytes; one has {}",
                                topic_name_bytes_max, topic.size()));
}

ClientError is_closed() {
  return client_error(Failure::closed, "the consumer is closed");
}

}  // namespace

ConsumerClient::ConsumerClient(const ConsumerSettings& settings, Executor& executor,
                               Network& network, Resolver& resolver, Logger logger, Random random)
    : settings_(settings),
      executor_(executor),
      logger_(std::move(logger)),
      random_(random),
      brokers_(executor, network, resolver, settings_.common, logger_, Random(random_.next())),
      instance_id_(executor, brokers_, settings_.common.retry_range(), Random(random_.next())),
      metadata_(executor, brokers_, settings_.common,
                {.allow_auto_topic_creation = settings_.allow_auto_create_topics,
                 .topic_idle_max = topic_unused_max},
                logger_, Random(random_.next())),
      positions_(executor.clock()),
      fetcher_(executor, brokers_, metadata_, positions_, settings_, meters_, logger_),
      lookup_(executor, brokers_, metadata_, settings_),
      watchdog_(positions_, metadata_, logger_),
      committed_needed_(executor),
      reset_needed_(executor),
      proof_needed_(executor),
      needs_again_(executor),
      ended_(executor),
      positions_found_(executor) {
  fetcher_.on_need([this] { note_needs(); });
  metadata_.on_change([this](const auto&) { cluster_changed(); });
  if (!settings_.group_id.empty()) {
    coordinator_.emplace(executor_, brokers_, settings_, meters_);
    driver_ = make_driver();
    driver_->on_event([this] { fetcher_.arrivals().wake_all(); });
    tasks_.start(driver_->run());
  }
  commit_due_ = now() + settings_.auto_commit_interval;
  tasks_.start(
      find_positions(PositionNeed::committed, committed_needed_, &ConsumerClient::find_committed));
  tasks_.start(find_positions(PositionNeed::reset, reset_needed_, &ConsumerClient::find_resets));
  tasks_.start(find_positions(PositionNeed::proof, proof_needed_, &ConsumerClient::find_proofs));
  tasks_.start(watch());
}

std::unique_ptr<GroupDriver> ConsumerClient::make_driver() {
  const Random random(random_.next());
  if (settings_.group_protocol == GroupProtocol::classic) {
    return std::make_unique<ClassicDriver>(executor_, brokers_, metadata_, *coordinator_, settings_,
                                           meters_, random, logger_);
  }
  coordinator_->ask_as([this] { return membership(); });
  return std::make_unique<ManagedDriver>(executor_, brokers_, metadata_, *coordinator_, settings_,
                                         meters_, random, logger_);
}

ConsumerClient::~ConsumerClient() {
  check(is_closed_, "a consumer is closed before it ends");
}

// --- What is read. ---

ClientResult<void> ConsumerClient::begin_subscription(Subscription kind,
                                                      RebalanceListener* listener) {
  if (is_closed_) return failure(is_closed());
  const bool by_group = kind != Subscription::partitions;
  if (by_group && !driver_) return failure(bad_argument("to subscribe, set group.id"));
  if (subscription_ != Subscription::none && subscription_ != kind) {
    return failure(bad_argument("topics, a pattern or partitions: unsubscribe before the other"));
  }
  subscription_ = kind;
  listener_ = listener;
  return {};
}

ClientResult<void> ConsumerClient::subscribe(std::vector<std::string> topics,
                                             RebalanceListener* listener) {
  if (topics.empty()) return failure(bad_argument("subscribe to at least one topic"));
  for (const std::string& topic : topics) {
    if (is_possible_topic(topic)) continue;
    return failure(impossible_name(topic));
  }
  if (auto begun = begin_subscription(Subscription::topics, listener); !begun) return begun;
  topics_ = std::move(topics);
  for (const std::string& topic : topics_) metadata_.want(topic);
  driver_->member().subscribe(topics_, now());
  driver_->wake();
  note_refused_topics();
  return {};
}

ClientResult<void> ConsumerClient::subscribe_pattern(const std::string& pattern,
                                                     RebalanceListener* listener) {
  std::regex compiled;
  try {
    compiled = std::regex(pattern, std::regex::ECMAScript | std::regex::optimize);
  } catch (const std::regex_error& error) {
    return failure(bad_argument(formatted("the pattern {} is none: {}", pattern, error.what())));
  }
  if (auto begun = begin_subscription(Subscription::pattern, listener); !begun) return begun;
  pattern_ = std::move(compiled);
  metadata_.want_all(true);
  metadata_.invalidate();
  topics_ = matching_topics();
  driver_->member().subscribe(topics_, now());
  driver_->wake();
  return {};
}

ClientResult<void> ConsumerClient::subscribe_broker_pattern(const std::string& pattern,
                                                            RebalanceListener* listener) {
  if (pattern.empty()) return failure(bad_argument("the pattern is empty"));
  if (settings_.group_protocol != GroupProtocol::consumer) {
    return failure(bad_argument("brokers match patterns with group.protocol=consumer only"));
  }
  if (auto begun = begin_subscription(Subscription::broker_pattern, listener); !begun) return begun;
  // The broker names what it found by ids.
  metadata_.want_all(true);
  check(driver_->member().subscribe_to_matching(pattern, now()), "this protocol has patterns");
  driver_->wake();
  return {};
}

std::vector<std::string> ConsumerClient::matching_topics() const {
  std::vector<std::string> topics;
  for (const auto& [name, topic] : metadata_.view()->topics()) {
    if (settings_.exclude_internal_topics && topic->is_internal) continue;
    if (!topic->partitions.empty() && std::regex_match(name, pattern_)) topics.push_back(name);
  }
  return topics;
}

void ConsumerClient::cluster_changed() {
  if (is_closed_) return;
  note_refused_topics();
  if (subscription_ == Subscription::pattern) {
    topics_ = matching_topics();
    driver_->member().subscribe(topics_, now());
    driver_->wake();
  }
  if (driver_) driver_->cluster_changed();
  needs_again_.wake_all();
  // Another leader may answer what the one before has not yet.
  reset_needed_.set();
  proof_needed_.set();
  fetcher_.pump();
}

ClientResult<void> ConsumerClient::assign(const Partitions& partitions) {
  for (const TopicPartition& name : partitions) {
    if (!is_possible_topic(name.topic)) return failure(impossible_name(name.topic));
    if (name.partition < PartitionIndex(0)) {
      return failure(bad_argument(formatted("{} is no partition", to_string(name))));
    }
  }
  if (auto begun = begin_subscription(Subscription::partitions, nullptr); !begun) return begun;
  for (const TopicPartition& name : assignment()) {
    if (std::ranges::find(partitions, name) == partitions.end()) positions_.remove(name);
  }
  for (const TopicPartition& name : partitions) {
    metadata_.want(name.topic);
    add_position(name);
  }
  note_needs();
  return {};
}

PositionNeed ConsumerClient::first_need() const {
  return coordinator_ ? PositionNeed::committed : PositionNeed::reset;
}

void ConsumerClient::add_position(const TopicPartition& partition) {
  const auto reset_to = reset_timestamp(settings_, executor_.clock());
  PositionNeed need = first_need();
  if (need == PositionNeed::reset && !reset_to) need = PositionNeed::policy;
  static_cast<void>(positions_.add(partition, need, reset_to.value_or(latest_timestamp)));
}

Task<void> ConsumerClient::unsubscribe(MonotonicTime deadline) {
  if (subscription_ == Subscription::none) co_return;
  const Partitions held = assignment();
  const bool by_group = subscription_ != Subscription::partitions;
  if (settings_.enable_auto_commit && coordinator_) {
    co_await commit_in_background(consumed(), deadline);
  }
  if (by_group && !held.empty() && listener_ != nullptr) co_await listener_->revoked(held);
  std::optional<Leave> leave;
  if (by_group) leave = driver_->member().leave("the consumer unsubscribes");
  positions_.clear();
  topics_.clear();
  topic_problem_.reset();
  metadata_.want_all(false);
  listener_ = nullptr;
  subscription_ = Subscription::none;
  if (leave) co_await driver_->send_leave(*leave, deadline);
  if (driver_) driver_->wake();
}

void ConsumerClient::want_topics() {
  // Those that match a pattern are wanted with all others.
  if (subscription_ == Subscription::topics) {
    for (const std::string& topic : topics_) metadata_.want(topic);
  }
  if (subscription_ == Subscription::topics || subscription_ == Subscription::partitions) {
    for (const auto& [name, partition] : positions_.all()) metadata_.want(name.topic);
  }
  if (driver_) driver_->want_topics();
}

Partitions ConsumerClient::assignment() const {
  Partitions names;
  for (const auto& [name, partition] : positions_.all()) names.push_back(name);
  return names;
}

// --- Positions. ---

ClientResult<PartitionProgress*> ConsumerClient::assigned(const TopicPartition& partition) {
  PartitionProgress* found = positions_.find(partition);
  if (found == nullptr) {
    return failure(
        bad_argument(formatted("{} is not assigned to this consumer", to_string(partition))));
  }
  return found;
}

ClientResult<void> ConsumerClient::pause(const Partitions& partitions) {
  for (const TopicPartition& name : partitions) {
    const auto partition = assigned(name);
    if (!partition) return failure(partition.error());
    (*partition)->is_paused = true;
  }
  // What they hold is in nobody's way any more.
  fetcher_.pump();
  return {};
}

ClientResult<void> ConsumerClient::resume(const Partitions& partitions) {
  for (const TopicPartition& name : partitions) {
    const auto partition = assigned(name);
    if (!partition) return failure(partition.error());
    (*partition)->is_paused = false;
    (*partition)->advanced = now();
  }
  fetcher_.pump();
  fetcher_.arrivals().wake_all();
  return {};
}

Partitions ConsumerClient::paused() const {
  Partitions names;
  for (const auto& [name, partition] : positions_.all()) {
    if (partition.is_paused) names.push_back(name);
  }
  return names;
}

ClientResult<void> ConsumerClient::seek(const TopicPartition& partition, Offset to) {
  if (to < Offset(0)) return failure(bad_argument("an offset to seek to is not negative"));
  const auto found = assigned(partition);
  if (!found) return failure(found.error());
  positions_.seek(**found, to);
  positions_found_.wake_all();
  fetcher_.pump();
  return {};
}

ClientResult<void> ConsumerClient::seek_to_time(const TopicPartition& partition, Timestamp time) {
  if (time < earliest_timestamp) return failure(bad_argument("there is no such time to seek to"));
  const auto found = assigned(partition);
  if (!found) return failure(found.error());
  positions_.seek(**found, PositionNeed::reset, time);
  note_needs();
  return {};
}

Task<ClientResult<Offset>> ConsumerClient::position(TopicPartition partition,
                                                    MonotonicTime deadline) {
  for (;;) {
    const auto found = assigned(partition);
    if (!found) co_return failure(found.error());
    if (Positions::has_place(**found)) co_return (*found)->position;
    if ((*found)->lost) co_return failure(*(*found)->lost);
    if (auto refused = refusal_of(partition.topic)) co_return failure(*std::move(refused));
    if ((*found)->need == PositionNeed::policy && position_problem_) {
      co_return failure(*position_problem_);
    }
    if (is_closed_) co_return failure(is_closed());
    if (!co_await positions_found_.wait(deadline)) {
      co_return failure(
          client_error(Failure::timed_out,
                       formatted("the position of {} is not known yet", to_string(partition))));
    }
  }
}

std::optional<PartitionLag> ConsumerClient::lag(const TopicPartition& partition) const {
  const PartitionProgress* found = positions_.find(partition);
  if (found == nullptr || !Positions::has_place(*found)) return std::nullopt;
  const bool committed_only = settings_.isolation_level == IsolationLevel::read_committed;
  const auto& end = committed_only ? found->last_stable : found->high_watermark;
  if (!end) return std::nullopt;
  return PartitionLag{found->position, std::max(*end, found->position)};
}

// --- Offsets. ---

Task<ClientResult<FoundOffsets>> ConsumerClient::offsets(WantedOffsets wanted,
                                                         MonotonicTime deadline) {
  return lookup_.find(std::move(wanted), deadline);
}

Task<ClientResult<std::shared_ptr<const TopicView>>> ConsumerClient::topic(std::string name,
                                                                           MonotonicTime deadline) {
  return metadata_.topic(std::move(name), deadline);
}

Task<ClientResult<CommittedOffsets>> ConsumerClient::committed(std::vector<TopicPartition> of,
                                                               MonotonicTime deadline) {
  if (!coordinator_) co_return failure(bad_argument("without group.id nothing is committed"));
  const MonotonicTime begun = now();
  auto found = co_await coordinator_->committed(std::move(of), deadline);
  meters_.asking_committed += now() - begun;
  co_return found;
}

Membership ConsumerClient::membership() const {
  if (!driver_ || subscription_ == Subscription::partitions) return {};
  const GroupMember& member = driver_->member();
  return {member.generation(), std::string(member.member_id()), member.times_ended()};
}

MemberPhase ConsumerClient::phase() const {
  return driver_ ? driver_->member().phase() : MemberPhase::out;
}

// --- The end. ---

Task<void> ConsumerClient::close(MonotonicTime deadline) {
  if (std::exchange(is_closed_, true)) co_return;
  fetcher_.arrivals().wake_all();
  positions_found_.wake_all();
  instance_id_.stop();
  // Ends what waits for a broker that does not answer.
  struct Late : Timer {
    Late(Brokers& b, MonotonicTime d)
        : Timer([](Timer& self) {
            auto& late = static_cast<Late&>(self);
            late.closing.start(late.brokers.close(late.deadline));
          }),
          brokers(b),
          deadline(d) {}
    Brokers& brokers;
    MonotonicTime deadline;
    TaskGroup closing;
  };
  Late late(brokers_, deadline);
  if (deadline != no_deadline) executor_.arm(late, deadline);
  co_await unsubscribe(deadline);
  co_await fetcher_.end_sessions(deadline);
  if (late.armed()) executor_.cancel(late);
  co_await late.closing.wait();
  if (driver_) driver_->stop();
  note_needs();
  if (coordinator_) coordinator_->stop();
  lookup_.stop();
  needs_again_.wake_all();
  ended_.wake_all();
  // What metadata asks a broker that does not answer ends with the brokers.
  TaskGroup closing;
  closing.start(metadata_.close());
  // Attempts to connect hold nobody up: they need nothing of this consumer.
  co_await brokers_.close(now());
  co_await closing.wait();
  co_await fetcher_.close();
  co_await tasks_.wait();
}

}  // namespace millrace::client
