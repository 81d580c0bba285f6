#include <gtest/gtest.h>

import millrace.base;
import millrace.security;

namespace millrace::security {
namespace {

TEST(Quotas, no_quotas_throttle_nobody) {
  NoQuotas quotas;
  EXPECT_EQ(quotas.record({}, "client", QuotaKind::produce, 1'000'000'000, {}), Duration{});
  EXPECT_EQ(name_of(QuotaKind::fetch), "consumer_byte_rate");
}

}  // namespace
}  // namespace millrace::security
