// Settings of topics, and of brokers, which keep whatever they are told.
module;
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.config;
import millrace.protocol.admin;
import millrace.protocol.api;
import millrace.protocol.wire;
import millrace.runtime;
import :asked;
import :faults;
import :handlers;
import :state;
import :topic_settings;

namespace millrace::mock {
namespace {

using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::IncrementalAlterConfigsRequest;
using protocol::IncrementalAlterConfigsResponse;

constexpr std::int8_t kind_topic = 2;
constexpr std::int8_t kind_broker = 4;
constexpr std::int8_t source_topic = 1;
constexpr std::int8_t source_broker = 2;
constexpr std::int8_t source_default = 5;

enum class Operation : std::int8_t { set = 0, remove = 1, append = 2, subtract = 3 };

std::int8_t number_of(config::Type type) {
  switch (type) {
    case config::Type::boolean:
      return 1;
    case config::Type::string:
      return 2;
    case config::Type::int32:
      return 3;
    case config::Type::int16:
      return 4;
    case config::Type::int64:
      return 5;
    case config::Type::real:
      return 6;
    case config::Type::list:
      return 7;
    case config::Type::password:
      return 9;
  }
  return 0;
}

// What a resource has; null and an error where there is none.
Configs* configs_of(std::int8_t kind, std::string_view name, Asked& asked, ErrorCode& error) {
  error = asked.planted;
  if (error != ErrorCode::none) return nullptr;
  if (kind == kind_topic) {
    Topic* const topic = asked.state.find(name);
    if (topic != nullptr) return &topic->configs;
    error = ErrorCode::unknown_topic_or_partition;
    return nullptr;
  }
  error = ErrorCode::invalid_request;
  if (kind != kind_broker) return nullptr;
  std::int32_t id = 0;
  const auto read = std::from_chars(name.data(), name.data() + name.size(), id);
  const bool is_number = read.ec == std::errc() && read.ptr == name.data() + name.size();
  Broker* const broker = is_number ? asked.state.broker(BrokerId(id)) : nullptr;
  if (broker == nullptr) return nullptr;
  error = ErrorCode::none;
  return &broker->configs;
}

std::vector<TopicSettings::Row> rows_of(std::int8_t kind, const Configs& own, const Asked& asked) {
  if (kind == kind_topic) return asked.state.topic_settings().rows(own);
  std::vector<TopicSettings::Row> rows;
  for (const auto& [name, value] : own) {
    TopicSettings::Row& row = rows.emplace_back();
    row.name = name;
    row.value = value;
    row.is_own = true;
  }
  return rows;
}

bool wants(const DescribeConfigsRequest::DescribeConfigsResource& in, std::string_view name) {
  return in.configuration_keys.is_null() ||
         std::ranges::find(in.configuration_keys, name) != in.configuration_keys.end();
}

DescribeConfigsResponse::DescribeConfigsResult described(
    const DescribeConfigsRequest& message,
    const DescribeConfigsRequest::DescribeConfigsResource& in, Asked& asked) {
  DescribeConfigsResponse::DescribeConfigsResult out;
  out.resource_type = in.resource_type;
  out.resource_name = in.resource_name;
  out.error_message = protocol::null_string;
  ErrorCode error = ErrorCode::none;
  const Configs* const own = configs_of(in.resource_type, in.resource_name, asked, error);
  out.error_code = mock::number_of(error);
  if (own == nullptr) return out;
  const std::int8_t own_source = in.resource_type == kind_topic ? source_topic : source_broker;
  std::vector<DescribeConfigsResponse::DescribeConfigsResourceResult> rows;
  for (const auto& setting : rows_of(in.resource_type, *own, asked)) {
    if (!wants(in, setting.name)) continue;
    auto& row = rows.emplace_back();
    row.name = keep(setting.name, asked);
    row.value = setting.value ? keep(*setting.value, asked) : protocol::null_string;
    row.config_source = setting.is_own ? own_source : source_default;
    row.config_type = number_of(setting.type);
    row.documentation =
        message.include_documentation ? keep(setting.documentation, asked) : protocol::null_string;
    if (message.include_synonyms && setting.value) {
      row.synonyms = keep(
          std::vector<DescribeConfigsResponse::DescribeConfigsSynonym>{
              {.name = row.name, .value = row.value, .source = row.config_source}},
          asked);
    }
  }
  out.configs = keep(rows, asked);
  return out;
}

std::vector<std::string> words_of(std::string_view list) {
  std::vector<std::string> words;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (comma != 0) words.emplace_back(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ',';
    text += word;
  }
  return text;
}

// False for an operation that there is not, or one that lacks its value.
bool apply(const IncrementalAlterConfigsRequest::AlterableConfig& in, Configs& configs) {
  const std::string name(in.name);
  const auto operation = static_cast<Operation>(in.config_operation);
  if (operation == Operation::remove) {
    configs.erase(name);
    return true;
  }
  if (in.value.data() == nullptr) return false;
  if (operation == Operation::set) {
    configs.insert_or_assign(name, std::string(in.value));
    return true;
  }
  if (operation != Operation::append && operation != Operation::subtract) return false;
  std::vector<std::string> words = words_of(configs[name]);
  for (const std::string& word : words_of(in.value)) {
    std::erase(words, word);
    if (operation == Operation::append) words.push_back(word);
  }
  configs[name] = joined(words);
  return true;
}

IncrementalAlterConfigsResponse::AlterConfigsResourceResponse altered(
    const IncrementalAlterConfigsRequest::AlterConfigsResource& in, bool validate_only,
    Asked& asked) {
  IncrementalAlterConfigsResponse::AlterConfigsResourceResponse out;
  out.resource_type = in.resource_type;
  out.resource_name = in.resource_name;
  out.error_message = protocol::null_string;
  ErrorCode error = ErrorCode::none;
  Configs* const own = configs_of(in.resource_type, in.resource_name, asked, error);
  out.error_code = mock::number_of(error);
  if (own == nullptr) return out;
  Configs changed = *own;
  for (const auto& config : in.configs) {
    if (apply(config, changed)) continue;
    out.error_code = mock::number_of(ErrorCode::invalid_request);
    return out;
  }
  if (in.resource_type == kind_topic) {
    if (const auto problem = asked.state.topic_settings().problem(changed)) {
      out.error_code = mock::number_of(ErrorCode::invalid_config);
      out.error_message = keep(*problem, asked);
      return out;
    }
  }
  if (!validate_only) *own = std::move(changed);
  return out;
}

}  // namespace

Answer describe_configs(Asked& asked) {
  DescribeConfigsRequest message;
  if (!read(message, asked)) return {};
  std::vector<DescribeConfigsResponse::DescribeConfigsResult> rows;
  for (const auto& in : message.resources) rows.push_back(described(message, in, asked));
  DescribeConfigsResponse response;
  response.results = keep(rows, asked);
  return answer(asked, response);
}

Answer incremental_alter_configs(Asked& asked) {
  IncrementalAlterConfigsRequest message;
  if (!read(message, asked)) return {};
  std::vector<IncrementalAlterConfigsResponse::AlterConfigsResourceResponse> rows;
  for (const auto& in : message.resources) {
    rows.push_back(altered(in, message.validate_only, asked));
  }
  IncrementalAlterConfigsResponse response;
  response.responses = keep(rows, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
