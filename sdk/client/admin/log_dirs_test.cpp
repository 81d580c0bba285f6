// Answers about log directories of which the broker knows only some.
#include <gtest/gtest.h>

#include <coroutine>
#include <cstdint>
#include <string>
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
using protocol::DescribeLogDirsResponse;
using protocol::ErrorCode;

// One directory with partition 0 of "orders", and perhaps one that is offline.
Reaction tell_of_directories(const Heard& heard, bool one_is_offline) {
  using Result = DescribeLogDirsResponse::DescribeLogDirsResult;
  std::vector<DescribeLogDirsResponse::DescribeLogDirsPartition> partitions(1);
  std::vector<DescribeLogDirsResponse::DescribeLogDirsTopic> topics(1);
  topics[0].name = "orders";
  topics[0].partitions =
      protocol::Array<DescribeLogDirsResponse::DescribeLogDirsPartition>(partitions);
  std::vector<Result> results(1);
  results[0].log_dir = "/one";
  results[0].topics = protocol::Array<DescribeLogDirsResponse::DescribeLogDirsTopic>(topics);
  if (one_is_offline) {
    Result& offline = results.emplace_back();
    offline.error_code = static_cast<std::int16_t>(ErrorCode::kafka_storage_error);
    offline.log_dir = "/two";
  }
  DescribeLogDirsResponse response;
  response.results = protocol::Array<Result>(results);
  return answer(heard, response);
}

TEST(AdminReplicaLogDirs, are_not_told_where_the_directory_may_be_one_that_is_offline) {
  for (const bool one_is_offline : {false, true}) {
    SCOPED_TRACE(one_is_offline);
    MetadataMachine machine;
    machine.broker->react = [&, tell_cluster = machine.broker->react](const Heard& heard) {
      return heard.api == ApiKey::describe_log_dirs ? tell_of_directories(heard, one_is_offline)
                                                    : tell_cluster(heard);
    };
    AdminSettings settings;
    settings.common = machine.settings;
    AdminClient admin(settings, machine.executor, machine.network, machine.resolver,
                      Logger(machine.log, "admin"));
    const BrokerId broker(1);
    const auto told = machine.run(admin.describe_replica_log_dirs(
        {{place("orders", 0), broker}, {place("orders", 1), broker}}));
    machine.run(admin.close());
    ASSERT_EQ(told.size(), 2u);
    ASSERT_TRUE(told[0].second.has_value()) << to_string(told[0].second.error());
    EXPECT_EQ(told[0].second->current, "/one");
    ASSERT_EQ(told[1].second.has_value(), !one_is_offline);
    if (!one_is_offline) {
      EXPECT_EQ(told[1].second->current, "");
      continue;
    }
    EXPECT_EQ(told[1].second.error().code, ErrorCode::kafka_storage_error);
    EXPECT_NE(to_string(told[1].second.error()).find("/two"), std::string::npos);
  }
}

}  // namespace
}  // namespace millrace::client
