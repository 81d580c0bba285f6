module;
#include <algorithm>
#include <chrono>
#include <cstddef>

module millrace.coordinator;

import millrace.base;
import millrace.config;
import millrace.groups;

namespace millrace::coordinator {
namespace {

// Longer than any process lives; what is longer does not fit into a duration.
constexpr groups::Milliseconds interval_max = std::chrono::hours(24 * 365 * 100);

}  // namespace

Result<groups::Options> group_options(const config::ServerConfig& config) {
  groups::Options options;
  options.initial_rebalance_delay = config.get<"group.initial.rebalance.delay.ms">();
  options.session_timeout_min = config.get<"group.min.session.timeout.ms">();
  options.session_timeout_max = config.get<"group.max.session.timeout.ms">();
  options.group_size_max = static_cast<std::size_t>(config.get<"group.max.size">());
  options.offset_metadata_length_max =
      static_cast<std::size_t>(config.get<"offset.metadata.max.bytes">().value());
  options.offsets_retention = config.get<"offsets.retention.minutes">();
  options.expiry_interval = std::min<groups::Milliseconds>(
      config.get<"offsets.retention.check.interval.ms">(), interval_max);
  if (auto valid = groups::validate(options); !valid) return failure(valid.error());
  return options;
}

}  // namespace millrace::coordinator
