// Quotas: kept and told, not obeyed.
module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.quotas;
import millrace.protocol.wire;
import millrace.runtime;
import :administration;
import :asked;
import :faults;
import :handlers;
import :state;

namespace millrace::mock {
namespace {

using protocol::AlterClientQuotasRequest;
using protocol::AlterClientQuotasResponse;
using protocol::DescribeClientQuotasRequest;
using protocol::DescribeClientQuotasResponse;

constexpr std::int8_t match_exact = 0;
constexpr std::int8_t match_default = 1;

bool is_known(std::string_view type) {
  return type == "user" || type == "client-id" || type == "ip";
}
bool is_limit(std::string_view key) {
  return key == "producer_byte_rate" || key == "consumer_byte_rate" ||
         key == "request_percentage" || key == "controller_mutation_rate" ||
         key == "connection_creation_rate";
}

bool matches(const QuotaEntity& entity, const DescribeClientQuotasRequest& filter) {
  for (const auto& part : filter.components) {
    const auto own = entity.find(std::string(part.entity_type));
    if (own == entity.end()) return false;
    if (part.match_type == match_default && own->second) return false;
    if (part.match_type == match_exact && (!own->second || *own->second != part.match)) {
      return false;
    }
  }
  return !filter.strict || entity.size() == filter.components.size();
}

template <class Row>
protocol::Array<Row> told(const QuotaEntity& entity, Asked& asked) {
  std::vector<Row> rows;
  for (const auto& [type, name] : entity) {
    rows.push_back({.entity_type = keep(type, asked),
                    .entity_name = name ? keep(*name, asked) : protocol::null_string});
  }
  return keep(rows, asked);
}

ErrorCode alter(const QuotaEntity& entity, const AlterClientQuotasRequest::EntryData& in,
                bool validate_only, Asked& asked) {
  if (asked.planted != ErrorCode::none) return asked.planted;
  if (entity.empty()) return ErrorCode::invalid_request;
  for (const auto& [type, name] : entity) {
    if (!is_known(type)) return ErrorCode::invalid_request;
  }
  for (const auto& op : in.ops) {
    if (!is_limit(op.key) || (!op.remove && op.value <= 0)) return ErrorCode::invalid_request;
  }
  if (validate_only) return ErrorCode::none;
  auto& quotas = asked.state.administration.quotas;
  auto& limits = quotas[entity];
  for (const auto& op : in.ops) {
    if (op.remove) {
      limits.erase(std::string(op.key));
    } else {
      limits[std::string(op.key)] = op.value;
    }
  }
  if (limits.empty()) quotas.erase(entity);
  return ErrorCode::none;
}

}  // namespace

Answer describe_client_quotas(Asked& asked) {
  DescribeClientQuotasRequest message;
  if (!read(message, asked)) return {};
  using Response = DescribeClientQuotasResponse;
  std::vector<Response::EntryData> rows;
  for (const auto& [entity, limits] : asked.state.administration.quotas) {
    if (asked.planted != ErrorCode::none || !matches(entity, message)) continue;
    std::vector<Response::ValueData> values;
    for (const auto& [key, value] : limits) values.push_back({.key = key, .value = value});
    rows.push_back(
        {.entity = told<Response::EntityData>(entity, asked), .values = keep(values, asked)});
  }
  Response response;
  response.error_code = number_of(asked.planted);
  response.error_message = protocol::null_string;
  response.entries = keep(rows, asked);
  return answer(asked, response);
}

Answer alter_client_quotas(Asked& asked) {
  AlterClientQuotasRequest message;
  if (!read(message, asked)) return {};
  using Response = AlterClientQuotasResponse;
  std::vector<Response::EntryData> rows;
  for (const auto& in : message.entries) {
    QuotaEntity entity;
    for (const auto& part : in.entity) {
      const bool is_default = part.entity_name.data() == nullptr;
      entity[std::string(part.entity_type)] =
          is_default ? std::nullopt : std::optional(std::string(part.entity_name));
    }
    const ErrorCode error = alter(entity, in, message.validate_only, asked);
    rows.push_back({.error_code = number_of(error),
                    .error_message = protocol::null_string,
                    .entity = told<Response::EntityData>(entity, asked)});
  }
  Response response;
  response.entries = keep(rows, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
