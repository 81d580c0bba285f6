// What a client measures of itself.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "millrace/abi.hpp"

namespace millrace::inline v1 {

// One value at the time of the call, with the name, group and tags that Kafka's Java client gives
// it. Averages, maxima and rates are of the last 30 to 60 seconds; not a number where nothing
// happened. docs/sdk/metrics.md lists all.
struct Metric {
  std::string name;
  std::string group;
  std::string description;
  std::map<std::string, std::string> tags;
  double value = 0;

  [[nodiscard]] friend bool operator==(const Metric&, const Metric&) = default;
};

using Metrics = std::vector<Metric>;

}  // namespace millrace::inline v1
