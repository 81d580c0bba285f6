// The catalogue says what the settings are. After a change of it, print the committed page anew
// with UPDATE_DOCS=1 in the environment of this test.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "settings_help.hpp"

import millrace.client.core;

namespace millrace::client {
namespace {

constexpr ClientKind all_kinds[] = {ClientKind::producer, ClientKind::consumer, ClientKind::admin};

TEST(SettingsCatalog, has_each_setting_that_is_read_and_no_other) {
  for (const ClientKind kind : all_kinds) {
    std::vector<std::string_view> described;
    for (const SettingInfo& setting : settings_of(kind)) described.push_back(setting.name);
    std::vector<std::string_view> read = setting_names(kind);
    std::ranges::sort(read);
    EXPECT_EQ(described, read) << static_cast<int>(kind);
  }
}

template <class Read>
void expect_defaults(ClientKind kind, Properties base, Read read) {
  const auto untouched = read(base);
  ASSERT_TRUE(untouched.has_value()) << problems_of(untouched);
  for (const SettingInfo& setting : settings_of(kind)) {
    if (!setting.default_value) continue;
    Properties given = base;
    // The first pause alone would be the only one.
    given.emplace_back("reconnect.backoff.max.ms", "1000");
    given.emplace_back(setting.name, *setting.default_value);
    const auto settings = read(given);
    ASSERT_TRUE(settings.has_value()) << setting.name << ": " << problems_of(settings);
    EXPECT_TRUE(*settings == *untouched) << setting.name << " has another default";
  }
}

TEST(SettingsCatalog, has_the_defaults_that_count) {
  expect_defaults(ClientKind::producer, with({}), producer_settings);
  expect_defaults(ClientKind::consumer, with({{"group.id", "g"}}), consumer_settings);
  expect_defaults(ClientKind::admin, with({}), admin_settings);
}

TEST(SettingsCatalog, says_something_of_each_setting) {
  for (const ClientKind kind : all_kinds) {
    for (const SettingInfo& setting : settings_of(kind)) {
      EXPECT_TRUE(setting.meaning.ends_with('.')) << setting.name;
      EXPECT_FALSE(setting.type.empty()) << setting.name;
      EXPECT_TRUE(setting.importance == "high" || setting.importance == "medium" ||
                  setting.importance == "low")
          << setting.name;
    }
  }
}

TEST(SettingsCatalog, is_committed_as_it_is_printed) {
  const std::string path = MILLRACE_SOURCE_DIR "/docs/sdk/reference/settings.md";
  const std::string printed = settings_reference();
  if (std::getenv("UPDATE_DOCS") != nullptr) std::ofstream(path, std::ios::binary) << printed;
  std::ifstream file(path, std::ios::binary);
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(committed == printed)
      << path << " is not what the catalogue says. Run this test with UPDATE_DOCS=1.";
}

}  // namespace
}  // namespace millrace::client
