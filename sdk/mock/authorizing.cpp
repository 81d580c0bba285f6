// Access control lists: kept and told, not obeyed.
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
import millrace.protocol.security;
import millrace.protocol.wire;
import millrace.runtime;
import :administration;
import :asked;
import :faults;
import :handlers;
import :state;

namespace millrace::mock {
namespace {

constexpr std::int8_t any = 1;
constexpr std::int8_t pattern_match = 2;
constexpr std::int8_t pattern_literal = 3;
constexpr std::int8_t pattern_prefixed = 4;
constexpr std::int8_t resource_cluster = 4;
constexpr std::string_view cluster_name = "kafka-cluster";
constexpr std::string_view everything = "*";

bool fits(std::int8_t wanted, std::int8_t had) {
  return wanted == any || wanted == had;
}
bool fits(protocol::String wanted, std::string_view had) {
  return wanted.data() == nullptr || wanted == had;
}
bool counts_for(const Acl& acl, protocol::String name) {
  if (name.data() == nullptr) return true;
  if (acl.pattern == pattern_prefixed) return name.starts_with(acl.name);
  return acl.name == name || acl.name == everything;
}

template <class Filter>
bool matches(const Acl& acl, const Filter& filter) {
  const bool by_name = filter.pattern_type_filter == pattern_match
                           ? counts_for(acl, filter.resource_name_filter)
                           : fits(filter.pattern_type_filter, acl.pattern) &&
                                 fits(filter.resource_name_filter, acl.name);
  return by_name && fits(filter.resource_type_filter, acl.resource) &&
         fits(filter.principal_filter, acl.principal) && fits(filter.host_filter, acl.host) &&
         fits(filter.operation, acl.operation) && fits(filter.permission_type, acl.permission);
}

// What a broker would refuse.
bool is_whole(const protocol::CreateAclsRequest::AclCreation& in) {
  const bool pattern_fits =
      in.resource_pattern_type == pattern_literal || in.resource_pattern_type == pattern_prefixed;
  const bool name_fits = in.resource_type != resource_cluster || in.resource_name == cluster_name;
  return in.resource_type > any && in.operation > any && in.permission_type > any && pattern_fits &&
         name_fits && !in.resource_name.empty() && in.principal.find(':') != protocol::String::npos;
}

}  // namespace

Answer create_acls(Asked& asked) {
  protocol::CreateAclsRequest message;
  if (!read(message, asked)) return {};
  std::vector<protocol::CreateAclsResponse::AclCreationResult> rows;
  for (const auto& in : message.creations) {
    ErrorCode error = asked.planted;
    if (error == ErrorCode::none && !is_whole(in)) error = ErrorCode::invalid_request;
    if (error == ErrorCode::none) {
      asked.state.administration.acls.insert(
          {in.resource_type, std::string(in.resource_name), in.resource_pattern_type,
           std::string(in.principal), std::string(in.host), in.operation, in.permission_type});
    }
    rows.push_back({.error_code = number_of(error), .error_message = protocol::null_string});
  }
  protocol::CreateAclsResponse response;
  response.results = keep(rows, asked);
  return answer(asked, response);
}

Answer describe_acls(Asked& asked) {
  protocol::DescribeAclsRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::DescribeAclsResponse;
  std::vector<Response::DescribeAclsResource> resources;
  for (const Acl& acl : asked.state.administration.acls) {
    if (asked.planted != ErrorCode::none || !matches(acl, message)) continue;
    const std::vector<Response::AclDescription> rule = {{.principal = acl.principal,
                                                         .host = acl.host,
                                                         .operation = acl.operation,
                                                         .permission_type = acl.permission}};
    resources.push_back({.resource_type = acl.resource,
                         .resource_name = acl.name,
                         .pattern_type = acl.pattern,
                         .acls = keep(rule, asked)});
  }
  Response response;
  response.error_code = number_of(asked.planted);
  response.error_message = protocol::null_string;
  response.resources = keep(resources, asked);
  return answer(asked, response);
}

Answer delete_acls(Asked& asked) {
  protocol::DeleteAclsRequest message;
  if (!read(message, asked)) return {};
  using Response = protocol::DeleteAclsResponse;
  std::vector<Response::DeleteAclsFilterResult> rows;
  for (const auto& filter : message.filters) {
    std::vector<Response::DeleteAclsMatchingAcl> gone;
    auto& acls = asked.state.administration.acls;
    for (auto acl = acls.begin(); acl != acls.end();) {
      if (asked.planted != ErrorCode::none || !matches(*acl, filter)) {
        ++acl;
        continue;
      }
      auto& row = gone.emplace_back();
      row.error_message = protocol::null_string;
      row.resource_type = acl->resource;
      row.resource_name = keep(acl->name, asked);
      row.pattern_type = acl->pattern;
      row.principal = keep(acl->principal, asked);
      row.host = keep(acl->host, asked);
      row.operation = acl->operation;
      row.permission_type = acl->permission;
      acl = acls.erase(acl);
    }
    rows.push_back({.error_code = number_of(asked.planted),
                    .error_message = protocol::null_string,
                    .matching_acls = keep(gone, asked)});
  }
  Response response;
  response.filter_results = keep(rows, asked);
  return answer(asked, response);
}

}  // namespace millrace::mock
