module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {
namespace {

// From one set of settings to another.
std::vector<Record> changes_of(ConfigKind kind, const std::string& resource,
                               const ConfigMap& before, const ConfigMap& after) {
  std::vector<Record> changes;
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) {
      changes.emplace_back(ConfigRecord{kind, resource, name, std::nullopt});
    }
  }
  for (const auto& [name, value] : after) {
    const auto known = before.find(name);
    if (known == before.end() || known->second != value) {
      changes.emplace_back(ConfigRecord{kind, resource, name, value});
    }
  }
  return changes;
}

// Whether a replica that is not in sync may be allowed to lead now.
bool concerns_elections(const Record& change) {
  const auto* setting = std::get_if<ConfigRecord>(&change);
  return setting != nullptr && setting->name == "unclean.leader.election.enable";
}

}  // namespace

void Machine::on(RequestId id, AlterConfigs& request) {
  std::map<std::pair<std::int8_t, std::string>, int> times;
  for (const ResourceChange& resource : request.resources) {
    ++times[{resource.kind, resource.name}];
  }
  AlterConfigsReply reply;
  for (const ResourceChange& resource : request.resources) {
    Outcome outcome{ErrorCode::invalid_request, "the request names this resource twice"};
    if (times[{resource.kind, resource.name}] == 1) {
      outcome = alter(resource, request.replaces, request.validate_only);
    }
    reply.resources.push_back({resource.kind, resource.name, std::move(outcome)});
  }
  answer(id, std::move(reply));
}

Outcome Machine::alter(const ResourceChange& resource, bool replaces, bool validate_only) {
  Outcome outcome = SettingRules::check_resource(*image_, resource.kind, resource.name);
  if (!outcome.ok()) return outcome;
  const auto kind = static_cast<ConfigKind>(resource.kind);
  const ConfigMap* known = image_->config(kind, resource.name);
  const ConfigMap before = known == nullptr ? ConfigMap() : *known;
  ConfigMap after = before;
  outcome = settings_.change(resource, replaces, after);
  if (outcome.ok()) {
    outcome = settings_.check_settings(*image_, kind, resource.name, before, after);
  }
  if (!outcome.ok() || validate_only) return outcome;
  const std::vector<Record> changes = changes_of(kind, resource.name, before, after);
  propose(changes);
  if (std::ranges::any_of(changes, concerns_elections)) elect_everywhere();
  return {};
}

}  // namespace millrace::metadata
