// How the controller decides, and how much it takes on at a time.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

export module millrace.metadata.machine:options;

import millrace.base;
import millrace.config;
import millrace.metadata;

export namespace millrace::metadata {

// Numbers that nobody can foresee; for ids and for the place of the first replica.
using RandomSource = std::function<std::uint64_t()>;

// Proposals that are not committed. Requests for changes above it are refused.
inline constexpr std::size_t uncommitted_bytes_max_default = 32 * mebibyte;
// Records of small changes that are asked for together share an entry up to this size.
inline constexpr std::size_t entry_bytes_preferred = 256 * kibibyte;
static_assert(entry_bytes_preferred <= entry_bytes_max);
static_assert(entry_bytes_max <= uncommitted_bytes_max_default);

struct Options {
  std::int32_t partitions_default = 1;          // num.partitions
  std::int16_t replication_factor_default = 1;  // default.replication.factor
  Duration session_timeout = std::chrono::seconds{9};
  std::size_t uncommitted_bytes_max = uncommitted_bytes_max_default;
  std::size_t requests_max = 10'000;  // not answered yet
  // Defaults of topics' settings, by which new settings are checked.
  std::shared_ptr<const config::ServerConfig> server;
};

// What a server's configuration says.
[[nodiscard]] Options options_from(std::shared_ptr<const config::ServerConfig> server);

}  // namespace millrace::metadata
