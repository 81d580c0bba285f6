// Answers to elections that tell of less than was asked for.
#include <gtest/gtest.h>

#include <coroutine>
#include <cstddef>
#include <vector>

#include "../core/metadata_machine.hpp"

import millrace.base;
import millrace.client.admin;
import millrace.client.core;
import millrace.protocol;
import millrace.runtime;

namespace millrace::client {
namespace {

using protocol::ApiKey;
using protocol::ElectLeadersResponse;

// Of partition 0 of "orders", that it was done; of nothing else.
Reaction tell_of_one(const Heard& heard) {
  const std::vector<ElectLeadersResponse::PartitionResult> partitions(1);
  std::vector<ElectLeadersResponse::ReplicaElectionResult> topics(1);
  topics[0].topic = "orders";
  topics[0].partition_result = protocol::Array<ElectLeadersResponse::PartitionResult>(partitions);
  ElectLeadersResponse response;
  response.replica_election_results =
      protocol::Array<ElectLeadersResponse::ReplicaElectionResult>(topics);
  return answer(heard, response);
}

TEST(AdminElections, what_the_answer_leaves_out_has_an_error) {
  MetadataMachine machine;
  machine.broker->react = [tell_cluster = machine.broker->react](const Heard& heard) {
    return heard.api == ApiKey::elect_leaders ? tell_of_one(heard) : tell_cluster(heard);
  };
  AdminSettings settings;
  settings.common = machine.settings;
  AdminClient admin(settings, machine.executor, machine.network, machine.resolver,
                    Logger(machine.log, "admin"));
  const auto named = machine.run(admin.elect_leaders(
      Election::preferred, {place("orders", 1), place("orders", 0), place("bills", 0)}));
  const auto all = machine.run(admin.elect_leaders(Election::preferred));
  machine.run(admin.close());
  ASSERT_TRUE(named.has_value()) << to_string(named.error());
  ASSERT_EQ(named->size(), 3U);
  EXPECT_EQ((*named)[0].first, place("orders", 0));
  EXPECT_TRUE((*named)[0].second.has_value());
  EXPECT_EQ((*named)[1].first, place("bills", 0));
  EXPECT_EQ((*named)[2].first, place("orders", 1));
  for (const std::size_t i : {1U, 2U}) {
    ASSERT_FALSE((*named)[i].second.has_value());
    EXPECT_EQ((*named)[i].second.error().failure, Failure::malformed_answer);
  }
  // Of all partitions it tells those where something was to be done.
  ASSERT_TRUE(all.has_value()) << to_string(all.error());
  EXPECT_EQ(all->size(), 1U);
}

}  // namespace
}  // namespace millrace::client
