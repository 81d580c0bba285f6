// DescribeCluster and FindCoordinator.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_lookups.hpp"

import millrace.protocol.metadata;

namespace millrace::broker {
namespace {

using protocol::DescribeClusterRequest;
using protocol::FindCoordinatorRequest;
using protocol::String;

std::shared_ptr<const metadata::Image> with_groups() {
  std::vector<metadata::Partition> partitions;
  for (std::int32_t i = 0; i < 50; ++i) {
    partitions.push_back(Cluster::partition(i, i == 31 ? 2 : 1, {1, 2}));
  }
  return Cluster()
      .broker(1)
      .broker(2)
      .broker(3, true)
      .topic("__consumer_offsets", uuid_of(1), partitions, true)
      .image();
}

TEST(DescribeCluster, tells_live_brokers_and_fenced_ones_when_asked) {
  Client client;
  const ClusterView view = client.view(with_groups());
  for (std::int16_t version = 0; version <= 2; ++version) {
    DescribeClusterRequest request;
    const auto answer = answer_cluster(request, version, view, "cluster", client.arena);
    EXPECT_EQ(answer.cluster_id, "cluster");
    EXPECT_EQ(answer.controller_id, 1);
    EXPECT_EQ(answer.cluster_authorized_operations, operations_not_asked);
    ASSERT_EQ(answer.brokers.size(), 2U);
    EXPECT_EQ(answer.brokers[1].host, "host-2");
    EXPECT_TRUE(encode_body(answer, version).has_value());
  }
  DescribeClusterRequest fenced;
  fenced.include_fenced_brokers = true;
  fenced.include_cluster_authorized_operations = true;
  const auto answer = answer_cluster(fenced, 2, view, "cluster", client.arena);
  ASSERT_EQ(answer.brokers.size(), 3U);
  EXPECT_FALSE(answer.brokers[0].is_fenced);
  EXPECT_TRUE(answer.brokers[2].is_fenced);
  EXPECT_EQ(answer.cluster_authorized_operations, 8096);
}

// As Apache Kafka 4.3.1 answers.
TEST(DescribeCluster, tells_no_endpoints_of_controllers) {
  Client client;
  const ClusterView view = client.view(with_groups());
  DescribeClusterRequest request;
  request.endpoint_type = 2;
  const auto answer = answer_cluster(request, 1, view, "cluster", client.arena);
  EXPECT_EQ(answer.error_code, code_of(ErrorCode::mismatched_endpoint_type));
  EXPECT_EQ(answer.endpoint_type, 1);
  EXPECT_EQ(answer.controller_id, -1);
  EXPECT_EQ(answer.cluster_id, "");
  request.endpoint_type = 7;
  EXPECT_EQ(answer_cluster(request, 1, view, "cluster", client.arena).error_code,
            code_of(ErrorCode::unsupported_endpoint_type));
}

// The group "orders" belongs to partition 31, as in Apache Kafka.
TEST(FindCoordinator, finds_the_leader_of_the_groups_partition_in_every_version) {
  Client client;
  const ClusterView view = client.view(with_groups());
  for (std::int16_t version = 0; version <= 6; ++version) {
    FindCoordinatorRequest request;
    const String key = "orders";
    if (version < 4) {
      request.key = key;
    } else {
      request.coordinator_keys = {&key, 1};
    }
    const auto answer = answer_coordinator(request, version, view, client.arena);
    EXPECT_FALSE(answer.lacks_group_topic);
    EXPECT_TRUE(encode_body(answer.message, version).has_value()) << "version " << version;
    if (version < 4) {
      EXPECT_EQ(answer.message.error_code, 0);
      EXPECT_EQ(answer.message.node_id, 2);
      EXPECT_EQ(answer.message.host, "host-2");
      EXPECT_EQ(answer.message.port, 9092);
    } else {
      ASSERT_EQ(answer.message.coordinators.size(), 1U);
      EXPECT_EQ(answer.message.coordinators[0].key, "orders");
      EXPECT_EQ(answer.message.coordinators[0].node_id, 2);
      EXPECT_EQ(answer.message.coordinators[0].error_code, 0);
      EXPECT_EQ(answer.message.coordinators[0].error_message, "");
    }
  }
}

TEST(FindCoordinator, has_none_while_the_partition_has_no_leader) {
  Client client;
  const auto image = Cluster()
                         .broker(1)
                         .broker(2, true)
                         .topic("__consumer_offsets", uuid_of(1), 1, 2, true)
                         .image();
  FindCoordinatorRequest request;
  request.key = "orders";
  const auto answer = answer_coordinator(request, 2, client.view(image), client.arena);
  EXPECT_EQ(answer.message.error_code, code_of(ErrorCode::coordinator_not_available));
  EXPECT_EQ(answer.message.node_id, -1);
  EXPECT_EQ(answer.message.port, -1);
  EXPECT_FALSE(answer.lacks_group_topic) << "it is there";
}

TEST(FindCoordinator, says_that_the_topic_is_missing) {
  Client client;
  FindCoordinatorRequest request;
  request.key = "orders";
  const auto answer =
      answer_coordinator(request, 2, client.view(Cluster().broker(1).image()), client.arena);
  EXPECT_EQ(answer.message.error_code, code_of(ErrorCode::coordinator_not_available));
  EXPECT_TRUE(answer.lacks_group_topic);
}

TEST(FindCoordinator, refuses_transactions_for_good_with_a_sentence) {
  Client client;
  const ClusterView view = client.view(with_groups());
  FindCoordinatorRequest request;
  request.key = "tx";
  request.key_type = 1;
  const auto answer = answer_coordinator(request, 2, view, client.arena);
  EXPECT_EQ(answer.message.error_code, code_of(ErrorCode::unsupported_version));
  EXPECT_FALSE(protocol::is_retriable(ErrorCode::unsupported_version));
  EXPECT_NE(answer.message.error_message.find("no transactions"), std::string_view::npos);
}

TEST(FindCoordinator, refuses_who_may_not_and_what_nobody_knows) {
  Client client;
  const ClusterView view = client.view(with_groups());
  client.authorizer.names = {"secret"};
  const auto error_of = [&](std::int8_t type, String key) {
    FindCoordinatorRequest request;
    request.key_type = type;
    request.coordinator_keys = {&key, 1};
    const auto answer = answer_coordinator(request, 6, view, client.arena);
    return answer.message.coordinators[0].error_code;
  };
  EXPECT_EQ(error_of(0, "secret"), code_of(ErrorCode::group_authorization_failed));
  EXPECT_EQ(error_of(1, "secret"), code_of(ErrorCode::transactional_id_authorization_failed));
  EXPECT_EQ(error_of(2, "g:t:0"), code_of(ErrorCode::invalid_request));
  EXPECT_EQ(error_of(5, "g"), code_of(ErrorCode::invalid_request));
}

}  // namespace
}  // namespace millrace::broker
