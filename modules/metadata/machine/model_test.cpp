// Random brokers, requests, elections and lost proposals, held against what the log says.
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::metadata {
namespace {

constexpr int brokers = 4;
constexpr int topic_names = 12;

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), bench_(seed + 1) { bench_.lead(); }

  void run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFailure(); ++i) {
      step();
      look();
    }
    bench_.hold(false);
    if (!bench_.machine().leads()) bench_.lead();
    look();
    compare_with_log();
    EXPECT_EQ(bench_.machine().open_requests(), 0u);
    EXPECT_TRUE(bench_.machine().proposed()->same_cluster(bench_.image()));
  }

 private:
  int pick(int limit) { return static_cast<int>(random_.below(static_cast<std::uint64_t>(limit))); }
  std::string name() {
    return formatted("t{}.{}", pick(topic_names / 2), pick(2) == 0 ? "a" : "b");
  }

  void step() {
    switch (pick(16)) {
      case 0:
      case 1:
        bench_.ask(bench_.registration(pick(brokers), static_cast<std::uint8_t>(1 + pick(3))));
        break;
      case 2:
      case 3:
      case 4: {
        Heartbeat heartbeat = bench_.heartbeat(pick(brokers));
        heartbeat.want_fence = random_.chance(0.1);
        heartbeat.want_shut_down = random_.chance(0.05);
        bench_.ask(heartbeat);
        break;
      }
      case 5:
      case 6:
      case 7:
        create();
        break;
      case 8: {
        DeleteTopics request;
        request.topics.push_back({name(), Uuid()});
        bench_.ask(request);
        break;
      }
      case 9: {
        CreatePartitions request;
        request.topics.push_back({name(), 1 + pick(8), std::nullopt});
        bench_.ask(request);
        break;
      }
      case 10:
        alter();
        break;
      case 11:
        allocate();
        break;
      case 12:
        bench_.pass(std::chrono::seconds(pick(6)));
        break;
      case 13:
        bench_.hold(random_.chance(0.7));
        break;
      case 14:
        if (bench_.held() > 0) bench_.commit_one();
        break;
      default:
        change_leader();
    }
  }

  void create() {
    CreateTopics request;
    for (int i = pick(3); i >= 0; --i) {
      NewTopic topic;
      topic.name = name();
      topic.partitions = pick(6) - 1;
      topic.replication_factor = static_cast<std::int16_t>(pick(5) - 1);
      if (random_.chance(0.2)) topic.settings = {{"retention.ms", "1000"}};
      request.topics.push_back(std::move(topic));
    }
    request.validate_only = random_.chance(0.1);
    bench_.ask(request);
  }

  void alter() {
    AlterConfigs request;
    const auto operation = static_cast<SettingOperation>(pick(2));
    request.resources.push_back(
        {static_cast<std::int8_t>(ConfigKind::topic),
         name(),
         {{random_.chance(0.5) ? "segment.ms" : "unclean.leader.election.enable", operation,
           random_.chance(0.5) ? "true" : "7777"}}});
    bench_.ask(request);
  }

  void allocate() {
    const BrokerId broker(pick(brokers));
    const Broker* known = bench_.image().broker(broker);
    blocks_.push_back(
        bench_.ask(AllocateProducerIds{broker, known == nullptr ? BrokerEpoch(0) : known->epoch}));
  }

  // Some of what was proposed is committed by the next leader, the rest is lost.
  void change_leader() {
    if (random_.chance(0.5)) return;
    if (!bench_.machine().leads()) {
      bench_.lead();
      return;
    }
    // As raft does: entries are committed from the front on.
    for (int i = pick(3); i > 0 && bench_.held() > 0; --i) bench_.commit_one();
    bench_.lose_and_drop();
    EXPECT_EQ(bench_.machine().open_requests(), 0u);
    if (random_.chance(0.7)) bench_.lead();
  }

  void look() {
    const Image& image = bench_.image();
    image.for_each_topic([&](const Topic& topic) {
      for (const Partition& partition : topic.partitions) look_at(image, topic, partition);
    });
    // Epochs of brokers and leaders never go back.
    image.for_each_broker([&](const Broker& broker) {
      BrokerEpoch& last = broker_epochs_[broker.id];
      EXPECT_GE(broker.epoch, last);
      last = broker.epoch;
    });
    look_at_answers();
  }

  void look_at(const Image& image, const Topic& topic, const Partition& partition) {
    EXPECT_FALSE(partition.isr.empty());
    auto& last = leader_epochs_[{topic.id, partition.index}];
    EXPECT_GE(partition.leader_epoch, last);
    last = partition.leader_epoch;
    // Changes of one event may lie in several entries; when all are there, no leader is one that
    // does not serve, and none is missing that could.
    if (!bench_.machine().leads() || bench_.machine().uncommitted() > 0) return;
    const Broker* leader = image.broker(partition.leader);
    if (partition.leader != no_broker) {
      EXPECT_TRUE(leader != nullptr && leader->is_active());
      return;
    }
    for (const BrokerId replica : partition.isr) {
      const Broker* broker = image.broker(replica);
      EXPECT_FALSE(broker != nullptr && broker->is_active()) << topic.name;
    }
  }

  void look_at_answers() {
    for (auto at = bench_.answers().upper_bound(seen_); at != bench_.answers().end(); ++at) {
      if (const auto* created = std::get_if<CreateTopicsReply>(&at->second)) {
        for (const CreatedTopic& topic : created->topics) {
          if (topic.outcome.ok() && !topic.id.is_zero()) answered_topics_.insert(topic.id);
        }
      }
    }
    std::set<std::int64_t> firsts;
    for (const RequestId id : blocks_) {
      if (!bench_.answered(id)) continue;
      const auto reply = bench_.reply<AllocateProducerIdsReply>(id);
      if (!reply.outcome.ok()) continue;
      EXPECT_TRUE(firsts.insert(reply.block.first.value()).second) << "ids given out twice";
    }
  }

  // The log gives the same image again, by entries and by a snapshot; what was answered is in it.
  void compare_with_log() {
    ImageBuilder builder(empty_image());
    std::set<Uuid> ever;
    std::int64_t offset = 0;
    for (const auto& entry : bench_.log()) {
      ++offset;
      if (!entry) {
        builder.skip(MetadataOffset(offset));
        continue;
      }
      ASSERT_TRUE(builder.apply(*entry, MetadataOffset(offset)));
      const auto [image, delta] = builder.take();
      ever.insert(delta.topics.begin(), delta.topics.end());
    }
    const auto replayed = builder.take().first;
    EXPECT_TRUE(replayed->same_cluster(bench_.image()));
    EXPECT_EQ(replayed->offset(), bench_.image().offset());
    for (const Uuid& topic : answered_topics_) EXPECT_TRUE(ever.contains(topic));
    ImageBuilder from_snapshot(empty_image());
    from_snapshot.begin_snapshot();
    write_snapshot(*replayed, [&](const OwnedBytes& piece) {
      ASSERT_TRUE(from_snapshot.apply_snapshot(piece));
    });
    ASSERT_TRUE(from_snapshot.end_snapshot(replayed->offset()));
    EXPECT_TRUE(from_snapshot.take().first->same_cluster(*replayed));
  }

  Random random_;
  Bench bench_;
  std::vector<RequestId> blocks_;
  RequestId seen_;
  std::set<Uuid> answered_topics_;
  std::map<BrokerId, BrokerEpoch> broker_epochs_;
  std::map<std::pair<Uuid, PartitionIndex>, LeaderEpoch> leader_epochs_;
};

TEST(MachineModel, random_lives_keep_all_that_was_answered_and_one_leader_that_serves) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(formatted("seed {}", seed));
    Model model(seed);
    model.run(300);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace millrace::metadata
