// How much a principal may use.
module;
#include <cstdint>
#include <string_view>

export module millrace.security:quotas;

import millrace.base;
import :session;

export namespace millrace::security {

// What is measured, and in what the amount is given.
enum class QuotaKind : std::uint8_t {
  produce,              // producer_byte_rate: bytes
  fetch,                // consumer_byte_rate: bytes
  request,              // request_percentage: nanoseconds of a thread
  controller_mutation,  // controller_mutation_rate: partitions made, changed or removed
  connection_creation,  // connection_creation_rate: connections of an address
};

// Kafka's name of the quota: "producer_byte_rate".
[[nodiscard]] std::string_view name_of(QuotaKind kind);

// Told by every request what it used. Owned by whoever starts the process, and called from all
// shards at once.
class Quotas {
 public:
  virtual ~Quotas() = default;
  Quotas(const Quotas&) = delete;
  Quotas& operator=(const Quotas&) = delete;

  // How long the client has to hold back, which is the throttle time of the response; zero while it
  // is within its quota.
  [[nodiscard]] virtual Duration record(const Session& session, std::string_view client_id,
                                        QuotaKind kind, std::uint64_t amount,
                                        MonotonicTime now) = 0;

 protected:
  Quotas() = default;
};

// Nobody is throttled.
class NoQuotas final : public Quotas {
 public:
  [[nodiscard]] Duration record(const Session& session, std::string_view client_id, QuotaKind kind,
                                std::uint64_t amount, MonotonicTime now) override;
};

}  // namespace millrace::security
