#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

import millrace.cli;
import millrace.runtime.streams;

namespace millrace::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

PortMap ports_for(const LocalOptions& options) {
  PortMap ports;
  std::uint16_t next = 40001;
  for (const std::string& name : port_names(options)) ports.emplace(name, Port(next++));
  return ports;
}

const ChildPlan& child(const ClusterPlan& plan, const std::string& name) {
  for (const ChildPlan& child : plan.children) {
    if (child.name == name) return child;
  }
  ADD_FAILURE() << "no " << name;
  return plan.children.front();
}

TEST(ClusterPlan, of_one_broker_has_three_processes) {
  const LocalOptions options{.data = "d", .overrides = {"num.partitions=4"}};
  const ClusterPlan plan = make_plan(options, "/data", ports_for(options));
  ASSERT_EQ(plan.children.size(), 3);
  EXPECT_EQ(plan.bootstrap(), "127.0.0.1:9092");

  const ChildPlan& controller = child(plan, "controller-1");
  EXPECT_EQ(controller.program, "millrace-controller");
  EXPECT_EQ(controller.config_path, "/data/controller-1/controller.properties");
  EXPECT_THAT(controller.config_text, HasSubstr("\nnode.id=101\n"));
  EXPECT_THAT(controller.config_text,
              HasSubstr("\nmetadata.log.dir=/data/controller-1/metadata\n"));
  EXPECT_THAT(controller.config_text,
              HasSubstr("\ncontroller.quorum.voters=101@127.0.0.1:40001\n"));
  EXPECT_THAT(controller.config_text, HasSubstr("\nmillrace.metrics.listener=127.0.0.1:40002\n"));
  EXPECT_THAT(controller.arguments,
              ElementsAre("--config", controller.config_path, "--set", "num.partitions=4"));

  const ChildPlan& broker = child(plan, "broker-1");
  EXPECT_THAT(broker.arguments, IsSupersetOf({"--node-id", "1", "--config", "--set"}));
  EXPECT_THAT(broker.config_text, HasSubstr("\nlisteners=PLAINTEXT://127.0.0.1:9092\n"));
  EXPECT_THAT(broker.config_text, HasSubstr("\nlog.dirs=/data/broker-1/log\n"));
  const std::string socket = "\nmillrace.coordinator.socket=/data/broker-1/coordinator.socket\n";
  EXPECT_THAT(broker.config_text, HasSubstr(socket));
  EXPECT_THAT(child(plan, "coordinator-1").config_text, HasSubstr(socket));
}

TEST(ClusterPlan, of_several_gives_each_its_own_ports_and_directories) {
  const LocalOptions options{.data = "d", .port = 19092, .brokers = 3, .controllers = 3};
  const ClusterPlan plan = make_plan(options, "/data", ports_for(options));
  EXPECT_EQ(plan.children.size(), 9);
  EXPECT_EQ(plan.bootstrap(), "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094");
  EXPECT_THAT(child(plan, "broker-3").config_text,
              HasSubstr("controller.quorum.voters=101@127.0.0.1:40001,102@127.0.0.1:40003,"
                        "103@127.0.0.1:40005\n"));
  EXPECT_THAT(child(plan, "coordinator-2").config_text, HasSubstr("\nnode.id=2\n"));
  EXPECT_THAT(child(plan, "controller-3").config_text, HasSubstr("\nnode.id=103\n"));
}

// The controllers' own deadline to lead, which includes reading a long log, is five minutes.
TEST(ClusterPlan, lets_brokers_wait_as_long_as_controllers_may_take_unless_told_otherwise) {
  const std::string name = "initial.broker.registration.timeout.ms=";
  const LocalOptions options{.data = "d", .overrides = {name + "1000"}};
  const ClusterPlan plan = make_plan(options, "/data", ports_for(options));
  const ChildPlan& broker = child(plan, "broker-1");
  const auto place = broker.config_text.find("\n" + name);
  ASSERT_NE(place, std::string::npos) << broker.config_text;
  EXPECT_GE(std::stoi(broker.config_text.substr(place + 1 + name.size())), 5 * 60 * 1000);
  EXPECT_THAT(broker.arguments, Contains(name + "1000")) << "which is stronger than the file";
  EXPECT_THAT(child(plan, "controller-1").config_text, Not(HasSubstr(name)));
}

TEST(ClusterPlan, keeps_backslashes_of_paths) {
  const LocalOptions options{.data = "d"};
  const ClusterPlan plan = make_plan(options, "/da\\ta", ports_for(options));
  EXPECT_THAT(child(plan, "broker-1").config_text, HasSubstr("log.dirs=/da\\\\ta/broker-1/log\n"));
}

TEST(ClusterPlan, refuses_paths_that_property_files_cannot_hold) {
  EXPECT_TRUE(check_data_path("/srv/my data/mill-race"));
  EXPECT_TRUE(check_data_path("/srv/jos\xc3\xa9/data"));
  for (const char* path : {"/a,b", "/a\nb", "/${env:HOME}", "/ends in space "}) {
    EXPECT_FALSE(check_data_path(path)) << path;
  }
}

TEST(PortMap, is_read_as_it_was_written) {
  const PortMap ports = {{"broker-1.metrics", Port(40001)}, {"controller-1.rpc", Port(40002)}};
  EXPECT_EQ(ports_from(to_text(ports)).value(), ports);
  EXPECT_TRUE(ports_from("").value().empty());
}

TEST(PortMap, is_refused_where_a_line_is_no_port) {
  for (const char* text : {"a", "a=", "a=0", "a=65536", "a=12x", "a=-1", "=\n"}) {
    const auto ports = ports_from(text);
    ASSERT_FALSE(ports) << text;
    EXPECT_THAT(ports.error().message, HasSubstr("is no port"));
  }
}

}  // namespace
}  // namespace millrace::cli
