#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

import millrace.base;
import millrace.config;
import millrace.coordinator;
import millrace.groups;

namespace millrace::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

auto loaded(std::vector<config::PropertyEntry> entries) {
  std::vector<config::Layer> layers;
  layers.push_back({config::SourceKind::file, "test", std::move(entries)});
  return config::make_server_config(std::move(layers), {}, nullptr);
}

config::ServerConfig config_of(std::vector<config::PropertyEntry> entries) {
  auto made = loaded(std::move(entries));
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

TEST(Options, are_each_what_the_file_says) {
  const auto options = group_options(config_of({{"group.initial.rebalance.delay.ms", "0"},
                                                {"group.min.session.timeout.ms", "10"},
                                                {"group.max.session.timeout.ms", "2000"},
                                                {"group.max.size", "3"},
                                                {"offset.metadata.max.bytes", "40"},
                                                {"offsets.retention.minutes", "5"},
                                                {"offsets.retention.check.interval.ms", "600"}}));
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->initial_rebalance_delay, milliseconds(0));
  EXPECT_EQ(options->session_timeout_min, milliseconds(10));
  EXPECT_EQ(options->session_timeout_max, milliseconds(2000));
  EXPECT_EQ(options->group_size_max, 3U);
  EXPECT_EQ(options->offset_metadata_length_max, 40U);
  EXPECT_EQ(options->offsets_retention, minutes(5));
  EXPECT_EQ(options->expiry_interval, milliseconds(600));
}

TEST(Options, may_be_as_large_as_their_types) {
  const auto options =
      group_options(config_of({{"group.initial.rebalance.delay.ms", "2147483647"},
                               {"group.min.session.timeout.ms", "2147483647"},
                               {"group.max.session.timeout.ms", "2147483647"},
                               {"offset.metadata.max.bytes", "2147483647"},
                               {"offsets.retention.minutes", "2147483647"},
                               {"offsets.retention.check.interval.ms", "9223372036854775807"}}));
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->session_timeout_min, milliseconds(2'147'483'647));
  EXPECT_EQ(options->offset_metadata_length_max, 2'147'483'647U);
  EXPECT_EQ(options->offsets_retention, minutes(2'147'483'647));
  // As a time of the clock of the process it is still one to come.
  EXPECT_GT(Duration(options->expiry_interval), minutes(60));
}

TEST(Options, of_no_session_timeout_at_all_are_refused_with_a_sentence) {
  const auto options = group_options(config_of({{"group.min.session.timeout.ms", "0"}}));
  ASSERT_FALSE(options.has_value());
  EXPECT_EQ(options.error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(options.error().message, "the shortest session timeout must be longer than nothing");
}

TEST(Options, that_make_no_sense_together_are_refused_by_name) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"group.min.session.timeout.ms", "1800001"}, {"group.max.session.timeout.ms", "5999"}}) {
    const auto made = loaded({{name, value}});
    ASSERT_FALSE(made.has_value()) << name << "=" << value;
    EXPECT_NE(made.error().text().find(name), std::string::npos) << made.error().text();
  }
}

TEST(Options, whose_values_are_wrong_are_refused_by_name) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
           {"group.initial.rebalance.delay.ms", "-1"},
           {"group.min.session.timeout.ms", "soon"},
           {"group.max.session.timeout.ms", "2147483648"},
           {"group.max.size", "0"},
           {"offset.metadata.max.bytes", "-1"},
           {"offsets.retention.minutes", "0"},
           {"offsets.retention.check.interval.ms", "0"}}) {
    const auto made = loaded({{name, value}});
    ASSERT_FALSE(made.has_value()) << name << "=" << value;
    EXPECT_NE(made.error().text().find(name), std::string::npos) << made.error().text();
  }
}

}  // namespace
}  // namespace millrace::coordinator
