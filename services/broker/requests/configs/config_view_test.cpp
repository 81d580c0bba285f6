// The settings of a broker as they count now.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "../test_cluster.hpp"

import millrace.base;
import millrace.broker.requests.configs;
import millrace.config;
import millrace.metadata;

namespace millrace::broker {
namespace {

using metadata::ConfigKind;

struct Viewing {
  static std::shared_ptr<const ServerConfig> start() {
    std::vector<config::Layer> layers;
    layers.push_back(
        {.kind = config::SourceKind::file,
         .file = "server.properties",
         .entries = {{"log.retention.ms", "1000", 1}, {"min.insync.replicas", "2", 2}}});
    auto made = config::make_server_config(std::move(layers), {}, nullptr);
    check(made.has_value(), "a test gives legal settings");
    return std::make_shared<const ServerConfig>(std::move(made->config));
  }
  std::int64_t retention() { return view.server()->get<"log.retention.ms">()->count(); }
  std::string log_text() {
    std::string text;
    for (const auto& line : log->lines()) text += line.message + "\n";
    return text;
  }

  std::shared_ptr<MemoryLogSink> log = std::make_shared<MemoryLogSink>();
  ManualClock clock;
  ConfigView view{start(), BrokerId(1), clock, Logger(log, "configs")};
};

TEST(ConfigView, prefers_the_own_setting_to_that_of_all_brokers_to_the_file) {
  Viewing viewing;
  EXPECT_EQ(viewing.retention(), 1000);
  auto image = Cluster().config(ConfigKind::broker, "", "log.retention.ms", "2000").image();
  viewing.view.update(image);
  EXPECT_EQ(viewing.retention(), 2000);
  image = Cluster(image).config(ConfigKind::broker, "1", "log.retention.ms", "3000").image();
  viewing.view.update(image);
  EXPECT_EQ(viewing.retention(), 3000);
  EXPECT_EQ(viewing.view.server()->source<"log.retention.ms">().kind,
            config::SourceKind::per_broker);
  EXPECT_EQ(viewing.view.server()->get<"min.insync.replicas">(), 2) << "the file still counts";
  EXPECT_EQ(viewing.view.server()->source<"min.insync.replicas">().kind, config::SourceKind::file);
}

TEST(ConfigView, goes_back_when_a_setting_is_taken_away) {
  Viewing viewing;
  auto image = Cluster()
                   .config(ConfigKind::broker, "", "log.retention.ms", "2000")
                   .config(ConfigKind::broker, "1", "log.retention.ms", "3000")
                   .image();
  viewing.view.update(image);
  image = Cluster(image).config(ConfigKind::broker, "1", "log.retention.ms", {}).image();
  viewing.view.update(image);
  EXPECT_EQ(viewing.retention(), 2000);
  image = Cluster(image).config(ConfigKind::broker, "", "log.retention.ms", {}).image();
  viewing.view.update(image);
  EXPECT_EQ(viewing.retention(), 1000);
}

TEST(ConfigView, has_other_settings_after_a_change_of_them_and_of_nothing_else) {
  Viewing viewing;
  const auto start = viewing.view.server();
  auto image = Cluster().config(ConfigKind::broker, "", "log.retention.ms", "2000").image();
  viewing.view.update(image);
  const auto config = viewing.view.server();
  EXPECT_NE(config, start);
  image = Cluster(image)
              .broker(1)
              .config(ConfigKind::broker, "2", "log.retention.ms", "9000")
              .config(ConfigKind::topic, "orders", "retention.ms", "9000")
              .image();
  viewing.view.update(image);
  EXPECT_EQ(viewing.view.server(), config) << "of another broker and of a topic";
}

TEST(ConfigView, leaves_out_a_setting_that_cannot_count) {
  Viewing viewing;
  auto image = Cluster().config(ConfigKind::broker, "", "log.retention.ms", "2000").image();
  viewing.view.update(image);
  image = Cluster(image)
              .config(ConfigKind::broker, "", "log.retention.bytes", "much")
              .config(ConfigKind::broker, "", "log.retention.ms", "2500")
              .image();
  viewing.view.update(image);
  EXPECT_EQ(viewing.retention(), 2500) << "the others count";
  EXPECT_NE(viewing.log_text().find("log.retention.bytes"), std::string::npos);
  image = Cluster(image).config(ConfigKind::broker, "", "log.retention.bytes", "7").image();
  viewing.view.update(image);
  EXPECT_EQ(viewing.view.server()->get<"log.retention.bytes">().value(), 7);
}

TEST(ConfigView, gives_topics_their_own_settings_and_else_those_of_the_broker) {
  Viewing viewing;
  const auto image = Cluster()
                         .config(ConfigKind::broker, "", "log.retention.ms", "2000")
                         .config(ConfigKind::topic, "orders", "retention.ms", "5")
                         .config(ConfigKind::topic, "broken", "retention.ms", "much")
                         .image();
  viewing.view.update(image);
  const auto retention = [&](std::string_view topic) {
    return viewing.view.topic(*image, topic).get<"retention.ms">().count();
  };
  EXPECT_EQ(retention("orders"), 5);
  EXPECT_EQ(retention("bills"), 2000);
  EXPECT_EQ(retention("broken"), 2000);
  EXPECT_NE(viewing.log_text().find("broken"), std::string::npos);
}

TEST(ConfigView, says_now_and_then_only_what_does_not_count_of_a_topic_that_is_asked_for_often) {
  Viewing viewing;
  const auto image = Cluster().config(ConfigKind::topic, "broken", "retention.ms", "much").image();
  viewing.view.update(image);
  const auto lines_of_asking = [&] {
    const std::size_t before = viewing.log->lines().size();
    for (int i = 0; i < 1000; ++i) static_cast<void>(viewing.view.topic(*image, "broken"));
    return viewing.log->lines().size() - before;
  };
  const std::size_t lines = lines_of_asking();
  EXPECT_GE(lines, 1U);
  EXPECT_LE(lines, 20U);
  EXPECT_EQ(lines_of_asking(), 0U);
  viewing.clock.advance(std::chrono::hours(1));
  EXPECT_GE(lines_of_asking(), 1U) << "it still does not count";
}

TEST(ConfigView, keeps_what_the_start_says_for_one_listener) {
  std::vector<config::Layer> layers;
  layers.push_back({.kind = config::SourceKind::file,
                    .file = "server.properties",
                    .entries = {{"listener.name.plaintext.max.connections", "5", 1}}});
  auto made = config::make_server_config(std::move(layers), {}, nullptr);
  ASSERT_TRUE(made);
  const ManualClock clock;
  ConfigView view(std::make_shared<const ServerConfig>(std::move(made->config)), BrokerId(1), clock,
                  Logger(std::make_shared<MemoryLogSink>(), "configs"));
  view.update(Cluster().config(ConfigKind::broker, "", "max.connections", "70").image());
  EXPECT_EQ(view.server()->get<"max.connections">(), 70);
  EXPECT_EQ(view.server()->get_for<"max.connections">("PLAINTEXT"), 5);
}

}  // namespace
}  // namespace millrace::broker
