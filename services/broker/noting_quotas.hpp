// Quotas for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

import millrace.base;
import millrace.security;

namespace millrace::broker {

// Notes what it is told, and says what the test wants.
class NotingQuotas final : public security::Quotas {
 public:
  struct Told {
    std::string client_id;
    security::QuotaKind kind{};
    std::uint64_t amount = 0;
  };

  Duration record(const security::Session&, std::string_view client_id, security::QuotaKind kind,
                  std::uint64_t amount, MonotonicTime) override {
    told.push_back({std::string(client_id), kind, amount});
    return throttle;
  }

  std::vector<Told> told;
  Duration throttle{};
};

}  // namespace millrace::broker
