module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

module millrace.coordinator;

import millrace.base;
import millrace.groups;
import millrace.telemetry;
import :metrics;

namespace millrace::coordinator {
namespace {

using groups::GroupState;

template <class Handle>
[[nodiscard]] Handle made(telemetry::Registry& registry, telemetry::ShardIndex shard,
                          std::string_view name, std::string_view help) {
  auto handle = registry.add<Handle>({.name = name, .help = help}, shard);
  check(handle.has_value(), "the metrics of the coordinator are well formed");
  return *std::move(handle);
}

constexpr auto gauge = made<telemetry::Gauge>;
constexpr auto counter = made<telemetry::Counter>;

[[nodiscard]] telemetry::Gauge groups_in(telemetry::Registry& registry, telemetry::ShardIndex shard,
                                         GroupState state) {
  auto family = registry.add<telemetry::Gauge>({.name = "millrace_coordinator_groups",
                                                .help = "Groups, by the state they are in.",
                                                .labels = {"state"}});
  check(family.has_value(), "the metrics of the coordinator are well formed");
  return family->of(shard, {groups::name_of(state)});
}

}  // namespace

Metrics::Metrics(telemetry::Registry& registry, telemetry::ShardIndex shard)
    : sessions(counter(registry, shard, "millrace_coordinator_sessions_total",
                       "Connections to the broker that were made.")),
      loads(counter(registry, shard, "millrace_coordinator_loads_total",
                    "Partitions of __consumer_offsets that were read.")),
      failed_loads(counter(registry, shard, "millrace_coordinator_failed_loads_total",
                           "Partitions of __consumer_offsets that could not be read, each time.")),
      load_time(made<telemetry::DurationHistogram>(
          registry, shard, "millrace_coordinator_load_seconds",
          "How long it took to read a partition of __consumer_offsets.")),
      commits(counter(registry, shard, "millrace_coordinator_commits_total",
                      "Offsets of partitions that members wanted to commit.")),
      appends(counter(registry, shard, "millrace_coordinator_appends_total",
                      "Batches that were given to the broker to be stored.")),
      failed_appends(counter(registry, shard, "millrace_coordinator_failed_appends_total",
                             "Batches that the broker could not store.")),
      partitions_(gauge(registry, shard, "millrace_coordinator_partitions",
                        "Partitions of __consumer_offsets whose groups are coordinated here.")),
      loaded_partitions_(gauge(registry, shard, "millrace_coordinator_loaded_partitions",
                               "Those of them that have been read, so that they are served.")),
      groups_{groups_in(registry, shard, GroupState::empty),
              groups_in(registry, shard, GroupState::preparing_rebalance),
              groups_in(registry, shard, GroupState::completing_rebalance),
              groups_in(registry, shard, GroupState::stable)},
      members_(gauge(registry, shard, "millrace_coordinator_members", "Members of all groups.")),
      offsets_(gauge(registry, shard, "millrace_coordinator_offsets",
                     "Committed offsets of all groups.")),
      state_bytes_(gauge(registry, shard, "millrace_coordinator_state_bytes",
                         "Memory that groups, members and offsets take.")) {}

void Metrics::show(const Figures& figures) {
  partitions_.set(figures.partitions);
  loaded_partitions_.set(figures.loaded_partitions);
  for (std::size_t i = 0; i < groups_.size(); ++i) groups_[i].set(figures.groups[i]);
  members_.set(figures.members);
  offsets_.set(figures.offsets);
  state_bytes_.set(figures.state_bytes);
}

}  // namespace millrace::coordinator
