// Also proves topic_names.cpp.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::metadata {
namespace {

std::shared_ptr<const Image> image_with(int active, int fenced = 0) {
  ImageBuilder builder(empty_image());
  for (int id = 0; id < active + fenced; ++id) {
    Broker broker;
    broker.id = BrokerId(id);
    broker.fenced = id >= active;
    check(builder.apply(RegisterBrokerRecord{broker}).has_value(), "a broker registers");
  }
  return builder.take().first;
}

TEST(Placement, spreads_leaders_and_replicas_evenly_whatever_the_start) {
  for (const int brokers : {1, 2, 3, 5, 8}) {
    const auto image = image_with(brokers);
    for (std::uint64_t start = 0; start < 5; ++start) {
      const Placement placement(*image, start << 32U);
      const auto factor = static_cast<std::size_t>(std::min(brokers, 3));
      std::map<BrokerId, int> leaders;
      std::map<BrokerId, int> replicas;
      const int partitions = brokers * 20;
      for (int i = 0; i < partitions; ++i) {
        const Replicas placed = placement.replicas_of(i, factor);
        EXPECT_EQ(std::set<BrokerId>(placed.begin(), placed.end()).size(), factor);
        ++leaders[placed.front()];
        for (const BrokerId broker : placed) ++replicas[broker];
      }
      for (const auto& [broker, count] : leaders) EXPECT_EQ(count, 20);
      for (const auto& [broker, count] : replicas) {
        EXPECT_NEAR(count, 20 * static_cast<int>(factor), 12) << brokers;
      }
    }
  }
}

TEST(Placement, takes_fenced_brokers_only_where_others_do_not_suffice) {
  const auto image = image_with(2, 1);
  const Placement placement(*image, 5);
  for (int i = 0; i < 10; ++i) {
    for (const BrokerId broker : placement.replicas_of(i, 2)) EXPECT_LT(broker, BrokerId(2));
    const Replicas all = placement.replicas_of(i, 3);
    EXPECT_EQ(all[2], BrokerId(2));
    const Partition partition = new_partition(*image, PartitionIndex(i), all);
    EXPECT_EQ(partition.isr.size(), 2u);
  }
}

TEST(TopicNames, tell_why_they_cannot_be) {
  EXPECT_FALSE(problem_of_name("orders.v1_x-2"));
  EXPECT_TRUE(problem_of_name(""));
  EXPECT_TRUE(problem_of_name("a\nb"));
  EXPECT_TRUE(is_internal_name("__consumer_offsets"));
  EXPECT_FALSE(is_internal_name("consumer_offsets"));
}

TEST(TopicNames, that_look_alike_are_found_until_they_are_removed) {
  SimilarNames names;
  names.add("a.b");
  names.add("plain");
  EXPECT_EQ(names.similar("a_b"), "a.b");
  EXPECT_FALSE(names.similar("a.b"));
  EXPECT_FALSE(names.similar("plain"));
  names.remove("a.b");
  EXPECT_FALSE(names.similar("a_b"));
}

}  // namespace
}  // namespace millrace::metadata
