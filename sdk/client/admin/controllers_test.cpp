// Controllers in the place of brokers (bootstrap.controllers). Also proves telemetry.cpp.
#include <gtest/gtest.h>

#include "admin_machine.hpp"

namespace millrace::client {
namespace {

mock::Options three_controllers() {
  mock::Options options;
  options.brokers = 3;
  options.are_controllers = true;
  return options;
}

struct ControllersMachine : AdminMachine {
  ControllersMachine() : AdminMachine(three_controllers()) {
    cluster->withdraw(ApiKey::metadata);
    cluster->withdraw(ApiKey::list_groups);
    cluster->withdraw(ApiKey::get_telemetry_subscriptions);
  }
  std::vector<BrokerId> asked(ApiKey api) const {
    std::vector<BrokerId> brokers;
    for (const auto& request : cluster->requests()) {
      if (request.api == api) brokers.push_back(request.broker);
    }
    return brokers;
  }
};

TEST(AdminControllers, are_described_in_the_place_of_brokers) {
  ControllersMachine machine;
  const auto cluster = machine.run(machine.admin->describe_cluster());
  ASSERT_TRUE(cluster.has_value()) << to_string(cluster.error());
  EXPECT_EQ(cluster->controller, BrokerId(1));
  EXPECT_EQ(cluster->brokers.size(), 3u);
}

TEST(AdminControllers, the_active_one_is_asked_and_the_next_when_it_is_gone) {
  ControllersMachine machine;
  EXPECT_TRUE(machine.run(machine.admin->describe_quorum()).has_value());
  // The settings of a broker, too, are not asked of the one that has its number.
  const ConfigResource of_broker{ResourceType::broker, "3"};
  const auto change = [&] {
    return machine.run(machine.admin->alter_configs(
        {{of_broker, {{"log.cleaner.threads", ConfigOperation::set, "2"}}}}));
  };
  EXPECT_EQ(outcomes_of(change()), std::vector{ErrorCode::none});
  ASSERT_TRUE(machine.cluster->kill(BrokerId(1)));
  EXPECT_EQ(outcomes_of(change()), std::vector{ErrorCode::none});
  EXPECT_EQ(machine.asked(ApiKey::describe_quorum), std::vector{BrokerId(1)});
  EXPECT_EQ(machine.asked(ApiKey::incremental_alter_configs),
            (std::vector{BrokerId(1), BrokerId(2)}));
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->describe_configs({of_broker}))),
            std::vector{ErrorCode::none});
  EXPECT_EQ(machine.asked(ApiKey::describe_configs), std::vector{BrokerId(2)});
}

TEST(AdminControllers, say_what_needs_brokers) {
  ControllersMachine machine;
  const auto topics = machine.run(machine.admin->list_topics());
  ASSERT_FALSE(topics.has_value());
  EXPECT_EQ(topics.error().code, ErrorCode::unsupported_version);
  EXPECT_NE(topics.error().message.find("bootstrap.servers"), std::string::npos);
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->describe_topics({"orders"}))),
            std::vector{ErrorCode::unsupported_version});
  EXPECT_EQ(outcomes_of(machine.run(
                machine.admin->list_offsets({{place("orders", 0), OffsetSpec::latest}}))),
            std::vector{ErrorCode::unsupported_version});
  const auto id = machine.run(machine.admin->client_instance_id());
  ASSERT_FALSE(id.has_value());
  EXPECT_NE(id.error().message.find("the controller does not support GetTelemetrySubscriptions"),
            std::string::npos)
      << id.error().message;
}

TEST(AdminControllers, that_are_brokers_are_told_apart) {
  AdminMachine machine;
  AdminSettings settings;
  const SocketAddress broker = machine.cluster->address(BrokerId(1));
  settings.common.bootstrap = {{broker.host(), broker.port}};
  settings.asks_controllers = true;
  AdminClient admin(settings, machine.executor, machine.network, machine.resolver,
                    Logger(std::make_shared<MemoryLogSink>(), "admin"));
  EXPECT_EQ(outcome(machine.run(admin.describe_cluster())), ErrorCode::mismatched_endpoint_type);
  EXPECT_EQ(outcome(machine.run(admin.describe_quorum())), ErrorCode::mismatched_endpoint_type);
  // One that does not know that there are two kinds.
  machine.cluster->set_versions(ApiKey::describe_cluster, 0, 0);
  machine.cluster->drop_connections();
  EXPECT_EQ(outcome(machine.run(admin.describe_quorum())), ErrorCode::unsupported_version);
  machine.run(admin.close());
}

TEST(AdminTelemetry, a_broker_gives_the_id_once) {
  AdminMachine machine;
  const auto first = machine.run(machine.admin->client_instance_id());
  ASSERT_TRUE(first.has_value()) << to_string(first.error());
  EXPECT_FALSE(first->is_zero());
  const auto second = machine.run(machine.admin->client_instance_id());
  ASSERT_TRUE(second.has_value());
  EXPECT_EQ(*second, *first);
  EXPECT_EQ(machine.cluster->request_count(ApiKey::get_telemetry_subscriptions), 1u);
  MetricList list("admin", machine.executor.clock().now());
  machine.admin->list_metrics(list);
  bool counts_requests = false;
  for (const MetricRow& row : list.take()) {
    if (row.group == "admin-client-metrics" && row.name == "request-total") {
      counts_requests = row.value > 0;
    }
  }
  EXPECT_TRUE(counts_requests);
}

TEST(AdminTelemetry, a_broker_that_has_none_says_so) {
  AdminMachine machine;
  machine.cluster->withdraw(ApiKey::get_telemetry_subscriptions);
  const auto id = machine.run(machine.admin->client_instance_id());
  ASSERT_FALSE(id.has_value());
  EXPECT_EQ(id.error().code, ErrorCode::unsupported_version);
}

}  // namespace
}  // namespace millrace::client
