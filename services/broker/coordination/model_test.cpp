// Random members of groups, a log that is slow and fails, coordinators that die at any time, and
// leadership that comes and goes. From a seed.
#include <gtest/gtest.h>

#include <set>

// This one imports a module: it comes after all that includes standard headers.
#include "cluster_support.hpp"

namespace millrace::broker {
namespace {

constexpr int members = 5;
constexpr std::uint64_t seeds = 60 / MILLRACE_SLOWNESS;
constexpr int disturbances = 30;

// How often what is to be proved has happened: a model in which nothing happens proves nothing.
struct Counts {
  std::uint64_t joined = 0;
  std::uint64_t committed = 0;
  std::uint64_t fetched = 0;
  std::uint64_t unavailable = 0;
  std::uint64_t survived = 0;  // heartbeats in the same generation after a death
};

// What all members of one group know together.
struct Truth {
  std::int64_t acknowledged = -1;  // the highest offset whose commit was confirmed
  std::int64_t sent = -1;          // the highest that anyone tried to commit
};

class Model {
 public:
  Model(std::uint64_t seed, Counts& counts) : cluster_(seed), random_(seed * 77), counts_(counts) {
    cluster_.store.delay_max = std::chrono::milliseconds{20};
  }

  void run() {
    cluster_.start_coordinator();
    cluster_.settle();
    for (int i = 0; i < members; ++i) {
      cluster_.clients.start(live("g" + std::to_string(i % 2), i));
    }
    cluster_.pass(std::chrono::seconds{2});
    for (int i = 0; i < disturbances && !testing::Test::HasFailure(); ++i) {
      disturb();
      cluster_.pass(std::chrono::milliseconds{static_cast<int>(random_.below(1'500))});
    }
    // Peace: all get on again.
    cluster_.store.failures = 0;
    cluster_.store.is_held = false;
    for (std::int32_t i = 0; i < state_partitions; ++i) lead(i);
    cluster_.start_coordinator();
    const std::uint64_t before = counts_.committed;
    cluster_.pass(std::chrono::seconds{40});
    EXPECT_GT(counts_.committed, before) << "after peace came, commits succeed";
    EXPECT_EQ(stable_.size(), static_cast<std::size_t>(members)) << "and all are members";
    is_over_ = true;
    cluster_.pass(std::chrono::seconds{60});
    EXPECT_EQ(cluster_.clients.running(), 0u) << "every request is answered";
    cluster_.stop();
  }

 private:
  void lead(std::int32_t partition) {
    cluster_.lead(PartitionIndex(partition), LeaderEpoch(++epoch_));
  }
  void disturb() {
    const auto partition = static_cast<std::int32_t>(random_.below(state_partitions));
    switch (random_.below(6)) {
      case 0:
      case 1:
        return cluster_.start_coordinator();
      case 2:
        return cluster_.kill_coordinator();
      case 3:
        cluster_.store.failures = random_.chance(0.5) ? 0.1 : 0;
        return;
      case 4:
        cluster_.store.is_held = random_.chance(0.3);
        return;
      default:
        if (random_.chance(0.5)) return lead(partition);
        return cluster_.lose(PartitionIndex(partition));
    }
  }

  Task<void> rest() {
    const auto pause = std::chrono::milliseconds{50 + static_cast<int>(random_.below(200))};
    co_await sleep_until(cluster_.executor, cluster_.executor.clock().now() + pause);
  }

  // As a client library does: joins, syncs, then heartbeats, commits and fetches in turn.
  Task<void> live(std::string group, int number) {
    Member member;
    member.group = group;
    while (!is_over_) {
      stable_.erase(number);
      if (co_await join(member) && co_await sync(member)) {
        stable_.insert(number);
        ++counts_.joined;
        while (!is_over_ && co_await work(member)) co_await rest();
      }
      co_await rest();
    }
  }

  Task<bool> join(Member& member) {
    Answered<protocol::JoinGroupResponse> answered;
    bool ended = false;
    co_await cluster_.send<protocol::JoinGroupResponse>(join_of(member, range_protocol), 5,
                                                        answered, ended);
    note(answered.message.error_code);
    const auto code = protocol::error_code_from(answered.message.error_code);
    if (code == ErrorCode::member_id_required) member.id = answered.message.member_id;
    if (code == ErrorCode::unknown_member_id) member.id.clear();
    if (code != ErrorCode::none) co_return false;
    member.id = answered.message.member_id;
    member.generation = answered.message.generation_id;
    member.leads = answered.message.leader == answered.message.member_id;
    member.members.clear();
    for (const auto& other : answered.message.members) member.members.emplace_back(other.member_id);
    co_return true;
  }

  Task<bool> sync(Member& member) {
    using Assignment = protocol::SyncGroupRequest::SyncGroupRequestAssignment;
    std::vector<Assignment> assignments;
    for (const std::string& other : member.members) {
      assignments.push_back({other, as_bytes(other)});
    }
    protocol::SyncGroupRequest request;
    request.group_id = member.group;
    request.generation_id = member.generation;
    request.member_id = member.id;
    request.assignments = std::span<const Assignment>(assignments);
    Answered<protocol::SyncGroupResponse> answered;
    bool ended = false;
    co_await cluster_.send<protocol::SyncGroupResponse>(request, 3, answered, ended);
    note(answered.message.error_code);
    if (answered.message.error_code != 0) co_return false;
    EXPECT_EQ(as_text(answered.message.assignment), member.id) << "its own assignment";
    co_return true;
  }

  // False: it must join again.
  Task<bool> work(Member& member) {
    protocol::HeartbeatRequest request;
    request.group_id = member.group;
    request.generation_id = member.generation;
    request.member_id = member.id;
    Answered<protocol::HeartbeatResponse> answered;
    bool ended = false;
    co_await cluster_.send<protocol::HeartbeatResponse>(request, 3, answered, ended);
    note(answered.message.error_code);
    switch (protocol::error_code_from(answered.message.error_code)) {
      case ErrorCode::none:
        break;
      case ErrorCode::unknown_member_id:
        member.id.clear();
        co_return false;
      case ErrorCode::illegal_generation:
      case ErrorCode::rebalance_in_progress:
        co_return false;
      default:
        co_return true;  // tried again
    }
    ++counts_.survived;
    if (random_.chance(0.5)) {
      co_await commit(member);
    } else {
      co_await fetch(member);
    }
    co_return true;
  }

  Task<void> commit(const Member& member) {
    Truth& truth = truth_[member.group];
    const std::int64_t offset = ++truth.sent;
    protocol::OffsetCommitRequest::OffsetCommitRequestPartition partition;
    partition.committed_offset = offset;
    protocol::OffsetCommitRequest::OffsetCommitRequestTopic topic;
    topic.name = "orders";
    topic.partitions = {&partition, 1};
    protocol::OffsetCommitRequest request;
    request.group_id = member.group;
    request.generation_id_or_member_epoch = member.generation;
    request.member_id = member.id;
    request.topics = {&topic, 1};
    Answered<protocol::OffsetCommitResponse> answered;
    bool ended = false;
    co_await cluster_.send<protocol::OffsetCommitResponse>(request, 7, answered, ended);
    const std::int16_t code = answered.message.topics[0].partitions[0].error_code;
    note(code);
    if (code != 0) co_return;
    ++counts_.committed;
    // Whoever commits later may be answered earlier: commits count in the order of being taken.
    truth.acknowledged = std::max(truth.acknowledged, offset);
  }

  Task<void> fetch(const Member& member) {
    const std::int64_t acknowledged = truth_[member.group].acknowledged;
    constexpr std::int32_t partition = 0;
    protocol::OffsetFetchRequest::OffsetFetchRequestTopics topic;
    topic.name = "orders";
    topic.partition_indexes = {&partition, 1};
    protocol::OffsetFetchRequest::OffsetFetchRequestGroup group;
    group.group_id = member.group;
    group.topics = {&topic, 1};
    protocol::OffsetFetchRequest request;
    request.groups = {&group, 1};
    Answered<protocol::OffsetFetchResponse> answered;
    bool ended = false;
    co_await cluster_.send<protocol::OffsetFetchResponse>(request, 8, answered, ended);
    const auto& found = answered.message.groups[0];
    note(found.error_code);
    if (found.error_code != 0) co_return;
    ++counts_.fetched;
    const std::int64_t offset = found.topics[0].partitions[0].committed_offset;
    EXPECT_GE(offset, acknowledged) << "a confirmed commit of " << member.group << " is lost";
    EXPECT_LE(offset, truth_[member.group].sent) << "nobody committed that";
  }

  void note(std::int16_t code) {
    const auto error = protocol::error_code_from(code);
    counts_.unavailable += error == ErrorCode::coordinator_not_available ? 1 : 0;
  }

  Cluster cluster_;
  Random random_;
  Counts& counts_;
  std::int32_t epoch_ = 0;
  std::map<std::string, Truth> truth_;
  std::set<int> stable_;
  bool is_over_ = false;
};

TEST(Model, no_confirmed_commit_is_lost_and_every_request_is_answered) {
  Counts counts;
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model(seed, counts).run();
  }
  EXPECT_GT(counts.joined, seeds * members);
  EXPECT_GT(counts.committed, 1'000u / MILLRACE_SLOWNESS);
  EXPECT_GT(counts.fetched, 1'000u / MILLRACE_SLOWNESS);
  EXPECT_GT(counts.unavailable, 100u / MILLRACE_SLOWNESS);
  EXPECT_GT(counts.survived, 1'000u / MILLRACE_SLOWNESS);
}

}  // namespace
}  // namespace millrace::broker
