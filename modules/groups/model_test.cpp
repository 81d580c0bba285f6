// Random clients against one coordinator, from a seed. Proves what must hold whatever happens.
#include <gtest/gtest.h>

#include <random>
#include <set>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::groups {
namespace {

constexpr int clients = 6;
constexpr int steps = 400;
constexpr std::uint64_t seeds = 600;

// What one client knows, from answers alone.
struct Client {
  std::string group;
  std::string instance;  // empty: a dynamic member
  std::string member;
  Generation generation = no_generation;
  bool leads = false;
  std::vector<std::string> members;  // as a leader learned
  std::optional<RequestId> join;
  std::optional<RequestId> sync;
  std::optional<RequestId> commit;
  std::int64_t committing = 0;
};

// How often what is to be proved has happened: a model in which nothing happens proves nothing.
struct Counts {
  std::uint64_t joined = 0;
  std::uint64_t assigned = 0;
  std::uint64_t committed = 0;
  std::uint64_t fenced = 0;
  std::uint64_t rebalanced = 0;  // told so
  std::uint64_t crashed = 0;
  std::uint64_t lost = 0;  // appends, in crashes
  std::uint64_t deleted = 0;
  std::uint64_t stable = 0;  // groups after a step
};

class Model {
 public:
  Model(std::uint64_t seed, Counts& counts)
      : random_(seed), coordinator_(options()), counts_(counts) {
    take(coordinator_.loaded(now_));
    for (int i = 0; i < clients; ++i) {
      Client client;
      client.group = i < clients / 2 ? "g" : "h";
      if (i % 3 != 0) client.instance = "i" + std::to_string(i);
      clients_.push_back(client);
    }
  }

  void run() {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      step();
      check_groups();
    }
    settle_down();
  }

 private:
  static Options options() {
    Options options;
    options.initial_rebalance_delay = std::chrono::seconds(1);
    options.offsets_retention = std::chrono::minutes(2);
    options.expiry_interval = std::chrono::seconds(30);
    options.group_size_max = 3;
    return options;
  }
  std::uint64_t draw(std::uint64_t below) { return random_() % below; }

  void step() {
    Client& client = clients_[draw(clients_.size())];
    switch (draw(13)) {
      case 0:
      case 1:
      case 2:
        return join(client);
      case 3:
      case 4:
        return sync(client);
      case 5:
        return send(
            HeartbeatRequest{client.group, client.generation, client.member, instance(client)});
      case 6:
        return commit(client);
      case 7:
        return pass(Milliseconds(draw(draw(8) == 0 ? 15'000 : 1'500)));
      case 8:
        return acknowledge();
      case 9:  // its client starts anew
        forget(client);
        return join(client);
      case 10:
        if (draw(3) == 0) return leave(client);
        return send(FetchRequest{client.group, {}});
      case 11:
        return draw(6) == 0 ? send(DeleteRequest{{client.group}})
                            : send(DescribeRequest{{client.group}, true});
      default:
        return draw(12) == 0 ? crash() : forget(client);
    }
  }

  static std::optional<std::string> instance(const Client& client) {
    if (client.instance.empty()) return std::nullopt;
    return client.instance;
  }

  RequestId ask(Request request) {
    const RequestId id(++requests_);
    open_.insert(id);
    take(coordinator_.request(id, std::move(request), now_));
    return id;
  }
  void send(Request request) { ask(std::move(request)); }

  void join(Client& client) {
    JoinRequest request;
    request.group = client.group;
    request.member_id = client.member;
    request.instance_id = instance(client);
    request.client_id = "c";
    request.session_timeout = std::chrono::seconds(6);
    request.rebalance_timeout = std::chrono::seconds(8);
    request.protocol_type = "consumer";
    request.protocols = {{"range", subscription_to(draw(5) == 0 ? "bills" : "orders")}};
    if (draw(4) == 0) request.protocols.push_back({"sticky", {}});
    request.member_id_required = draw(2) == 0;
    request.may_skip_assignment = draw(2) == 0;
    store_big_endian(request.random.bytes.data(), random_());
    const RequestId id(requests_ + 1);
    client.join = id;
    ask(std::move(request));
  }
  void sync(Client& client) {
    SyncRequest request;
    request.group = client.group;
    request.generation = client.generation;
    request.member_id = client.member;
    request.instance_id = instance(client);
    if (client.leads) {
      for (const std::string& member : client.members) {
        request.assignments.push_back({member, bytes_of_text(member)});
      }
    }
    client.sync = RequestId(requests_ + 1);
    ask(std::move(request));
  }
  void commit(Client& client) {
    CommitRequest request;
    request.group = client.group;
    if (draw(4) != 0) {
      request.member_id = client.member;
      request.generation = client.generation;
      request.instance_id = instance(client);
    }
    client.commit = RequestId(requests_ + 1);
    client.committing = static_cast<std::int64_t>(requests_ + 1);
    const PartitionIndex partition(static_cast<std::int32_t>(draw(3)));
    request.topics = {
        {"orders", {}, {{partition, Offset(client.committing), no_leader_epoch, ""}}}};
    ask(std::move(request));
  }
  void leave(Client& client) {
    send(LeaveRequest{client.group, {{client.member, instance(client)}}});
    forget(client);
  }
  static void forget(Client& client) {
    client.member.clear();
    client.generation = no_generation;
    client.leads = false;
  }

  void pass(Milliseconds time) {
    const MonotonicTime end = now_.monotonic + time;
    while (deadline_ && *deadline_ <= end) {
      advance_to(*deadline_);
      take(coordinator_.tick(now_));
    }
    advance_to(end);
  }
  void advance_to(MonotonicTime time) {
    if (time <= now_.monotonic) return;
    const auto passed = std::chrono::duration_cast<Milliseconds>(time - now_.monotonic);
    now_ = {time, now_.wall.plus(passed.count())};
  }
  void acknowledge() {
    if (committed_ == appends_.size()) return;
    committed_ += 1 + draw(appends_.size() - committed_);
    take(coordinator_.committed(Ticket(committed_ - lost_before_), now_));
  }

  // The process dies: what is committed is kept, and of the rest as much as chance will have.
  void crash() {
    take(draw(2) == 0 ? coordinator_.append_failed() : coordinator_.unload());
    EXPECT_TRUE(open_.empty()) << "a request without an answer";
    const std::size_t before = appends_.size();
    appends_.resize(committed_ + draw(appends_.size() - committed_ + 1));
    counts_.lost += before - appends_.size();
    ++counts_.crashed;
    committed_ = appends_.size();
    lost_before_ = committed_;
    coordinator_ = replayed();
    generations_.clear();
    take(coordinator_.loaded(now_));
  }

  Coordinator replayed() const {
    Coordinator coordinator(options());
    for (const auto& records : appends_) {
      for (const Record& record : records) {
        std::optional<ByteView> value;
        if (record.value) value = *record.value;
        EXPECT_TRUE(coordinator.replay(record.key, value).has_value());
      }
    }
    return coordinator;
  }

  void take(Effects effects) {
    deadline_ = effects.deadline;
    for (Append& append : effects.appends) {
      appends_.push_back(std::move(append.records));
      EXPECT_EQ(append.ticket, Ticket(appends_.size() - lost_before_));
    }
    for (Answer& answer : effects.answers) {
      EXPECT_EQ(open_.erase(answer.request), 1u)
          << "two answers, or one that nobody asked for: " << answer.request.value();
      const ErrorCode error =
          std::visit([](const auto& reply) { return reply.error; }, answer.reply);
      counts_.fenced += error == ErrorCode::fenced_instance_id ? 1 : 0;
      if (const auto* const deleted = std::get_if<DeleteReply>(&answer.reply)) {
        for (const DeletedGroup& group : deleted->groups) {
          counts_.deleted += group.error == ErrorCode::none ? 1 : 0;
        }
      }
      for (Client& client : clients_) learn(client, answer);
    }
  }

  void learn(Client& client, const Answer& answer) {
    if (client.join == answer.request) {
      client.join.reset();
      const auto& reply = std::get<JoinReply>(answer.reply);
      counts_.joined += reply.error == ErrorCode::none ? 1 : 0;
      if (reply.error == ErrorCode::none) {
        client.member = reply.member_id;
        client.generation = reply.generation;
        client.leads = reply.leader == reply.member_id && !reply.skip_assignment;
        client.members.clear();
        for (const JoinedMember& member : reply.members) client.members.push_back(member.member_id);
        if (client.leads) EXPECT_FALSE(reply.members.empty());
      } else if (reply.error == ErrorCode::member_id_required) {
        client.member = reply.member_id;
      } else if (reply.error == ErrorCode::unknown_member_id ||
                 reply.error == ErrorCode::fenced_instance_id) {
        forget(client);
      }
    }
    if (client.sync == answer.request) {
      client.sync.reset();
      const auto& reply = std::get<SyncReply>(answer.reply);
      if (reply.error == ErrorCode::none) check_assignment(client, reply);
      counts_.assigned += reply.error == ErrorCode::none && !reply.assignment.empty() ? 1 : 0;
      counts_.rebalanced += reply.error == ErrorCode::rebalance_in_progress ? 1 : 0;
    }
    if (client.commit == answer.request) {
      client.commit.reset();
      const auto& reply = std::get<CommitReply>(answer.reply);
      if (reply.error == ErrorCode::none) check_committed(client);
      counts_.committed += reply.error == ErrorCode::none ? 1 : 0;
    }
  }

  // It must be in the log, below what is committed.
  void check_assignment(const Client& client, const SyncReply& reply) {
    const OwnedBytes key = group_tombstone(client.group).key;
    bool found = false;
    for (std::size_t i = 0; i < committed_; ++i) {
      for (const Record& record : appends_[i]) {
        if (record.key != key || !record.value) continue;
        const auto stored = std::get<StoredGroup>(*read_record(record.key, *record.value));
        for (const auto& [id, member] : stored.group->members()) {
          found = found || member.assignment == reply.assignment;
        }
      }
    }
    EXPECT_TRUE(found) << "an assignment was answered before it was committed";
  }
  void check_committed(const Client& client) {
    bool found = false;
    for (std::size_t i = 0; i < committed_; ++i) {
      for (const Record& record : appends_[i]) {
        if (!record.value) continue;
        const auto stored = *read_record(record.key, *record.value);
        const auto* const offset = std::get_if<StoredOffset>(&stored);
        found = found || (offset != nullptr && offset->offset->offset == Offset(client.committing));
      }
    }
    EXPECT_TRUE(found) << "an offset was answered before it was committed";
  }

  // What holds after every step.
  void check_groups() {
    std::erase_if(generations_, [this](const auto& entry) {
      return !coordinator_.groups().contains(entry.first);
    });
    std::size_t bytes = 0;
    for (const auto& [id, group] : coordinator_.groups()) {
      bytes += group.bytes();
      if (group.is(GroupState::stable)) {
        ++counts_.stable;
        EXPECT_FALSE(group.members().empty());
        EXPECT_TRUE(group.protocol_name().has_value());
      }
      Generation& last = generations_[id];
      EXPECT_GE(group.generation(), last) << "a generation comes again";
      last = group.generation();
      std::set<std::string> instances;
      for (const auto& [member_id, member] : group.members()) {
        if (member.instance_id) {
          EXPECT_TRUE(instances.insert(*member.instance_id).second);
        }
        if (group.is(GroupState::stable)) EXPECT_FALSE(member.sync || member.join);
        if (group.is(GroupState::empty)) ADD_FAILURE() << "an empty group has members";
      }
      EXPECT_EQ(group.members().empty(), !group.leader().has_value());
    }
    EXPECT_EQ(bytes, coordinator_.state_bytes());
    check_replay();
  }

  // Who knows only the records knows the same offsets, and of stable and empty groups all that is
  // stored.
  void check_replay() {
    const Coordinator other = replayed();
    EXPECT_EQ(other.offsets(), coordinator_.offsets());
    for (const auto& [id, group] : coordinator_.groups()) {
      const auto place = other.groups().find(id);
      if (place == other.groups().end()) {
        EXPECT_TRUE(!group.is_stored && group.offsets.empty()) << "a group is not in the log";
        continue;
      }
      EXPECT_EQ(place->second.offsets, group.offsets);
      EXPECT_EQ(place->second.is_stored, group.is_stored);
      const bool settled = group.is(GroupState::stable) || group.is(GroupState::empty);
      if (settled && group.is_stored) {
        EXPECT_EQ(*group_record(place->second), *group_record(group));
      }
    }
    for (const auto& [id, group] : other.groups()) {
      EXPECT_TRUE(coordinator_.groups().contains(id)) << "a group that is gone is in the log";
    }
  }

  // Without new requests everything ends: all are answered, sessions end, offsets expire.
  void settle_down() {
    for (int i = 0; i < 40; ++i) {
      pass(std::chrono::seconds(30));
      committed_ = appends_.size();
      if (committed_ > lost_before_) {
        take(coordinator_.committed(Ticket(committed_ - lost_before_), now_));
      }
    }
    EXPECT_TRUE(open_.empty()) << "a request was never answered";
    EXPECT_TRUE(coordinator_.groups().empty()) << "a group is never forgotten";
    EXPECT_EQ(coordinator_.state_bytes(), 0u);
    EXPECT_TRUE(replayed().groups().empty());
  }

  std::mt19937_64 random_;
  Coordinator coordinator_;
  Now now_{MonotonicTime{} + std::chrono::seconds(1), Timestamp(1'700'000'000'000)};
  std::optional<MonotonicTime> deadline_;
  std::vector<Client> clients_;
  std::vector<std::vector<Record>> appends_;
  std::size_t committed_ = 0;
  std::size_t lost_before_ = 0;  // appends before the coordinator of now
  std::uint64_t requests_ = 0;
  std::set<RequestId> open_;
  std::map<std::string, Generation> generations_;
  Counts& counts_;
};

TEST(GroupModel, whatever_clients_do_no_promise_is_broken) {
  Counts counts;
  for (std::uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Model(seed, counts).run();
  }
  const std::pair<const char*, std::uint64_t> expected[] = {
      {"joined", counts.joined}, {"assigned", counts.assigned},     {"committed", counts.committed},
      {"fenced", counts.fenced}, {"rebalanced", counts.rebalanced}, {"crashed", counts.crashed},
      {"lost", counts.lost},     {"deleted", counts.deleted},       {"stable", counts.stable}};
  for (const auto& [name, count] : expected) {
    EXPECT_GE(count, seeds / 3) << name;
    RecordProperty(name, std::to_string(count));
  }
}

}  // namespace
}  // namespace millrace::groups
