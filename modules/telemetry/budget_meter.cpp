module;
#include <cstddef>
#include <string_view>
#include <utility>

module millrace.telemetry;

import millrace.base;

namespace millrace::telemetry {

BudgetMeter::BudgetMeter(Gauge limit, Gauge used, Gauge highest, Counter refusals)
    : limit_(std::move(limit)),
      used_(std::move(used)),
      highest_(std::move(highest)),
      refusals_(std::move(refusals)) {}

Result<BudgetMeter> BudgetMeter::create(Registry& registry, ShardIndex shard,
                                        std::string_view budget, std::size_t limit) {
  const auto gauge = [&](std::string_view name, std::string_view help, Combination combination) {
    return registry.add<Gauge>(
        {.name = name, .help = help, .labels = {"budget"}, .combination = combination}, shard,
        {budget});
  };
  auto limits = gauge("millrace_budget_limit_bytes", "How much memory a budget allows.",
                      Combination::maximum);
  if (!limits) return failure(limits.error());
  auto used =
      gauge("millrace_budget_used_bytes", "How much of a budget is in use.", Combination::sum);
  if (!used) return failure(used.error());
  auto highest = gauge("millrace_budget_highest_bytes",
                       "The most that was taken of a budget since the process started, with what "
                       "shards kept at hand.",
                       Combination::maximum);
  if (!highest) return failure(highest.error());
  auto refusals = registry.add<Counter>({.name = "millrace_budget_refusals_total",
                                         .help = "How often something found no room in a budget.",
                                         .labels = {"budget"}},
                                        shard, {budget});
  if (!refusals) return failure(refusals.error());
  BudgetMeter meter(std::move(*limits), std::move(*used), std::move(*highest),
                    std::move(*refusals));
  meter.limit_is(limit);
  return meter;
}

}  // namespace millrace::telemetry
