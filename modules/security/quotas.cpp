module;
#include <cstdint>
#include <string_view>

module millrace.security;

import millrace.base;

namespace millrace::security {

std::string_view name_of(QuotaKind kind) {
  switch (kind) {
    case QuotaKind::produce:
      return "producer_byte_rate";
    case QuotaKind::fetch:
      return "consumer_byte_rate";
    case QuotaKind::request:
      return "request_percentage";
    case QuotaKind::controller_mutation:
      return "controller_mutation_rate";
    case QuotaKind::connection_creation:
      return "connection_creation_rate";
  }
  return "unknown";
}

Duration NoQuotas::record(const Session& /*session*/, std::string_view /*client_id*/,
                          QuotaKind /*kind*/, std::uint64_t /*amount*/, MonotonicTime /*now*/) {
  return {};
}

}  // namespace millrace::security
