#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

import millrace.protocol.api;

namespace millrace::protocol {
namespace {

// A table that Apache Kafka printed, tab-separated.
std::ifstream golden(const std::string& name) {
  std::ifstream file(std::string(MILLRACE_SOURCE_DIR "/tests/golden/data/") + name);
  EXPECT_TRUE(file.is_open()) << name;
  return file;
}

TEST(ErrorCodes, are_kafkas_in_number_name_and_whether_a_client_may_retry) {
  auto file = golden("errors.tsv");
  std::size_t count = 0;
  std::int16_t number = 0;
  std::string name;
  std::string retriable;
  while (file >> number >> name >> retriable) {
    const ErrorCode code = error_code_from(number);
    EXPECT_EQ(static_cast<std::int16_t>(code), number) << name;
    EXPECT_EQ(name_of(code), name);
    EXPECT_EQ(is_retriable(code) ? "yes" : "no", retriable) << name;
    ++count;
  }
  EXPECT_EQ(count, std::size(error_code_table));
}

TEST(ErrorCodes, unknown_numbers_become_unknown_server_error) {
  EXPECT_EQ(error_code_from(-2), ErrorCode::unknown_server_error);
  EXPECT_EQ(error_code_from(32767), ErrorCode::unknown_server_error);
  EXPECT_EQ(error_code_from(-32768), ErrorCode::unknown_server_error);
}

TEST(Apis, an_unknown_key_has_no_api) {
  EXPECT_EQ(find_api(-1), nullptr);
  EXPECT_EQ(find_api(4), nullptr);  // once a controller's, removed
  EXPECT_EQ(find_api(32767), nullptr);
  ASSERT_NE(find_api(0), nullptr);
  EXPECT_EQ(find_api(0)->name, "Produce");
}

TEST(Apis, the_last_version_is_not_advertised_while_it_is_unstable) {
  const ApiInfo& init_producer_id = api_info(ApiKey::init_producer_id);
  EXPECT_EQ(advertised_version_max(init_producer_id), init_producer_id.version_max - 1);
  const ApiInfo& fetch = api_info(ApiKey::fetch);
  EXPECT_EQ(advertised_version_max(fetch), fetch.version_max);
}

TEST(Apis, the_response_header_of_api_versions_is_never_flexible) {
  const ApiInfo& api = api_info(ApiKey::api_versions);
  EXPECT_EQ(request_header_version(api, 3), 2);
  EXPECT_EQ(response_header_version(api, 3), 0);
}

TEST(Apis, versions_are_kafkas) {
  auto file = golden("api_keys.tsv");
  std::string line;
  std::size_t checked = 0;
  while (std::getline(file, line)) {
    std::istringstream columns(line);
    std::int16_t key = 0;
    std::string name, lowest, highest, unstable, listeners;
    columns >> key >> name >> lowest >> highest >> unstable >> listeners;
    const ApiInfo* api = find_api(key);
    if (listeners.find("broker") == std::string::npos) {
      EXPECT_EQ(api, nullptr) << name << " is not for clients";
      continue;
    }
    ASSERT_NE(api, nullptr) << name;
    EXPECT_EQ(std::to_string(api->version_min), lowest) << name;
    EXPECT_EQ(std::to_string(api->version_max), highest) << name;
    EXPECT_EQ(api->latest_unstable ? "yes" : "no", unstable) << name;
    EXPECT_EQ(api->on_controller, listeners.find("controller") != std::string::npos) << name;
    ++checked;
  }
  EXPECT_EQ(checked, std::size(api_table));
}

TEST(Apis, header_versions_are_kafkas) {
  auto file = golden("header_versions.tsv");
  std::int16_t key = 0;
  std::int16_t version = 0;
  std::int16_t request = 0;
  std::int16_t response = 0;
  std::size_t checked = 0;
  while (file >> key >> version >> request >> response) {
    const ApiInfo* api = find_api(key);
    if (api == nullptr) continue;  // only controllers speak it
    EXPECT_EQ(request_header_version(*api, version), request) << api->name << ' ' << version;
    EXPECT_EQ(response_header_version(*api, version), response) << api->name << ' ' << version;
    ++checked;
  }
  EXPECT_GT(checked, 250u);
}

}  // namespace
}  // namespace millrace::protocol
