module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

module millrace.mock;

import millrace.base;
import :faults;

namespace millrace::mock {

void Faults::clear(ApiKey api) {
  std::erase_if(planned_, [api](const Fault& fault) { return fault.api == api; });
}

Faults::Chosen Faults::take(ApiKey api, BrokerId broker) {
  Chosen chosen;
  bool delayed = false;
  for (Fault& fault : planned_) {
    if (fault.api != api || (fault.broker && *fault.broker != broker)) continue;
    const bool is_delay = fault.kind == FaultKind::delay;
    if (is_delay ? delayed : chosen.fault.has_value()) continue;
    if (is_delay) {
      delayed = true;
      chosen.delay = fault.delay;
    } else {
      chosen.fault = fault;
    }
    if (fault.times != always) --fault.times;
  }
  std::erase_if(planned_, [](const Fault& fault) { return fault.times == 0; });
  return chosen;
}

}  // namespace millrace::mock
