module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

module millrace.runtime;

namespace millrace {

void SimulatedFaults::clear() {
  planned_.clear();
  rates = FaultRates{};
}

std::optional<SimulatedFaults::Injected> SimulatedFaults::next(IoKind kind, std::string_view path,
                                                               Random& random) {
  std::optional<Injected> injected = planned(kind, path);
  if (!injected) injected = at_random(kind, random);
  if (injected) {
    ++injected_;
    ++injected_of_[static_cast<std::size_t>(kind)];
  }
  return injected;
}

// Every plan counts the operation; the first that is due decides.
std::optional<SimulatedFaults::Injected> SimulatedFaults::planned(IoKind kind,
                                                                  std::string_view path) {
  std::optional<Injected> injected;
  for (Plan& plan : planned_) {
    const PlannedFault& fault = plan.fault;
    if (fault.kind != kind || path.find(fault.path_part) == std::string_view::npos) continue;
    const std::uint64_t number = plan.seen++;
    if (injected || number < fault.after || number - fault.after >= fault.times) continue;
    injected = Injected{fault.fault, fault.done};
  }
  return injected;
}

std::optional<SimulatedFaults::Injected> SimulatedFaults::at_random(IoKind kind,
                                                                    Random& random) const {
  const auto perhaps = [&](double rate, IoFault fault) -> std::optional<Injected> {
    if (!random.chance(rate)) return std::nullopt;
    return Injected{fault, std::nullopt};
  };
  switch (kind) {
    case IoKind::read:
    case IoKind::read_in:
      return perhaps(rates.read, IoFault::failed);
    case IoKind::write: {
      const auto injected = perhaps(rates.write, IoFault::failed);
      return injected ? injected : perhaps(rates.no_space, IoFault::no_space);
    }
    case IoKind::sync_data:
    case IoKind::sync_directory:
      return perhaps(rates.sync, IoFault::failed);
    case IoKind::open:
      return perhaps(rates.open, IoFault::too_many_open);
    case IoKind::set_size:
    case IoKind::punch:
    case IoKind::set_time:
    case IoKind::rename:
    case IoKind::remove:
    case IoKind::make_directory:
    case IoKind::remove_directory:
      return perhaps(rates.change, IoFault::failed);
    case IoKind::close:
    case IoKind::status:
    case IoKind::file_size:
    case IoKind::list:
    case IoKind::lock:
    case IoKind::free_bytes:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace millrace
