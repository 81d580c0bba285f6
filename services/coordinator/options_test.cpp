#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

import millrace.base;
import millrace.config;
import millrace.coordinator;
import millrace.groups;

namespace millrace::coordinator {
namespace {

config::ServerConfig config_of(std::vector<config::PropertyEntry> entries) {
  std::vector<config::Layer> layers;
  layers.push_back({config::SourceKind::file, "test", std::move(entries)});
  auto made = config::make_server_config(std::move(layers), {}, nullptr);
  check(made.has_value(), "a test's configuration is valid");
  return std::move(made->config);
}

TEST(Options, are_kafkas_defaults) {
  const auto options = group_options(config_of({}));
  ASSERT_TRUE(options.has_value());
  const groups::Options defaults;
  EXPECT_EQ(options->initial_rebalance_delay, defaults.initial_rebalance_delay);
  EXPECT_EQ(options->session_timeout_min, defaults.session_timeout_min);
  EXPECT_EQ(options->session_timeout_max, defaults.session_timeout_max);
  EXPECT_EQ(options->group_size_max, defaults.group_size_max);
  EXPECT_EQ(options->offset_metadata_length_max, defaults.offset_metadata_length_max);
  EXPECT_EQ(options->offsets_retention, defaults.offsets_retention);
  EXPECT_EQ(options->expiry_interval, defaults.expiry_interval);
}

}  // namespace
}  // namespace millrace::coordinator
