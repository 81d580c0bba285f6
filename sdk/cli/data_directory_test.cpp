#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // mkdtemp

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

import millrace.cli;
import millrace.runtime.shard;
import millrace.runtime.streams;

namespace millrace::cli {
namespace {

using testing::HasSubstr;

class DataDirectoryTest : public testing::Test {
 protected:
  DataDirectoryTest() {
    std::string name = (std::filesystem::temp_directory_path() / "data-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path = name + "/cluster";
  }
  ~DataDirectoryTest() override {
    std::filesystem::remove_all(std::filesystem::path(path).parent_path());
  }

  std::string path;
};

TEST_F(DataDirectoryTest, is_made_and_held) {
  const auto held = DataDirectory::open(path).value();
  EXPECT_TRUE(std::filesystem::is_directory(path + "/logs"));
  EXPECT_EQ(held.path(), path);
  const auto second = DataDirectory::open(path, Duration::zero());
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("is in use by another"));
}

TEST_F(DataDirectoryTest, is_free_again_when_its_holder_ends) {
  static_cast<void>(DataDirectory::open(path).value());
  EXPECT_TRUE(DataDirectory::open(path));
}

TEST_F(DataDirectoryTest, is_refused_where_it_cannot_be) {
  std::ofstream(path) << "a file";
  const auto opened = DataDirectory::open(path + "/below");
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr(path));
  EXPECT_FALSE(DataDirectory::open(path + ",x"));
}

TEST_F(DataDirectoryTest, keeps_ports_between_runs) {
  const std::vector<std::string> names = {"a", "b", "c"};
  const auto first = DataDirectory::open(path).value().ports(names, {}).value();
  std::set<Port> different;
  for (const auto& [name, port] : first) different.insert(port);
  EXPECT_EQ(different.size(), 3);
  EXPECT_EQ(DataDirectory::open(path).value().ports(names, {}).value(), first);
}

TEST_F(DataDirectoryTest, chooses_another_port_where_somebody_listens_meanwhile) {
  const SystemClock clock;
  const auto loop = ShardLoop::make(clock).value();
  TcpNetwork network(*loop, Logger(std::make_shared<MemoryLogSink>(), "test"));
  const auto first = DataDirectory::open(path).value().ports({"a"}, {}).value().at("a");
  const SocketAddress address = address_from_string("127.0.0.1", first).value();
  EXPECT_TRUE(is_free(address));
  const auto listener = network.listen(address).value();
  EXPECT_FALSE(is_free(address));
  EXPECT_NE(DataDirectory::open(path).value().ports({"a"}, {}).value().at("a"), first);
}

// A port that was free when it was chosen became that of a broker, which then could not listen.
TEST_F(DataDirectoryTest, never_gives_a_port_on_which_a_broker_is_to_listen) {
  const auto data = DataDirectory::open(path).value();
  const auto first = data.ports({"a"}, {}).value().at("a");
  EXPECT_NE(data.ports({"a"}, {first}).value().at("a"), first);
}

TEST_F(DataDirectoryTest, refuses_ports_that_somebody_spoilt) {
  const auto data = DataDirectory::open(path).value();
  std::ofstream(path + "/ports.properties") << "a=x\n";
  const auto ports = data.ports({"a"}, {});
  ASSERT_FALSE(ports);
  EXPECT_THAT(ports.error().message, HasSubstr("ports.properties: 'a=x' is no port"));
  std::filesystem::remove(path + "/ports.properties");
  std::filesystem::create_directory(path + "/ports.properties");
  const auto none = data.ports({"a"}, {});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("ports.properties is no file"));
}

TEST_F(DataDirectoryTest, writes_the_configuration_of_each_child) {
  const auto data = DataDirectory::open(path).value();
  const LocalOptions options{.data = path};
  const auto ports = data.ports(port_names(options), kafka_ports(options)).value();
  const ClusterPlan plan = make_plan(options, data.path(), ports);
  ASSERT_TRUE(data.write(plan));
  ASSERT_TRUE(data.write(plan)) << "and again";
  for (const ChildPlan& child : plan.children) {
    EXPECT_EQ(std::filesystem::file_size(child.config_path), child.config_text.size());
  }
}

}  // namespace
}  // namespace millrace::cli
