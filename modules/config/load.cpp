module;
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

bool is_local(SourceKind kind) {
  return kind == SourceKind::file || kind == SourceKind::command_line;
}

Source source_of(const Layer& layer, const PropertyEntry& entry) {
  return {.kind = layer.kind, .file = layer.file, .line = entry.line};
}

}  // namespace

ConfigBuilder::ConfigBuilder(const DefinitionSet& definitions, LoadRules rules,
                             Surroundings* surroundings)
    : rules_(rules),
      surroundings_(surroundings),
      config_(definitions),
      failed_(definitions.definitions.size(), false) {}

void ConfigBuilder::inherit(InheritedValue value) {
  inherited_.push_back(std::move(value));
}

void ConfigBuilder::add(Layer layer) {
  const auto stronger = std::find_if(layers_.begin(), layers_.end(),
                                     [&](const Layer& other) { return other.kind > layer.kind; });
  layers_.insert(stronger, std::move(layer));
}

Built ConfigBuilder::finish() && {
  if (start_) {
    config_.values_ = start_->values_;
    config_.for_listeners_ = start_->for_listeners_;
  } else {
    set_defaults();
  }
  for (const InheritedValue& inherited : inherited_) {
    config_.values_[inherited.id.value()] = inherited.value;
  }
  std::optional<References> references = read_references();
  for (const Layer& layer : layers_) {
    for (const PropertyEntry& entry : layer.entries) {
      const bool may_refer = is_local(layer.kind) && references.has_value();
      take_entry(layer, entry, may_refer ? &*references : nullptr);
    }
  }
  if (references) problems_.add(references->warnings());
  // They were kept weakest first.
  std::reverse(config_.kept_.begin(), config_.kept_.end());
  for (InheritedValue& inherited : inherited_) {
    for (Setting& setting : inherited.settings) {
      config_.kept_.push_back({.id = inherited.id, .setting = std::move(setting)});
    }
  }
  if (start_) std::ranges::move(start_->kept_, std::back_inserter(config_.kept_));
  check_required();
  check_relations();
  Built built{.config = std::nullopt, .problems = std::move(problems_)};
  if (!built.problems.has_errors()) built.config = std::move(config_);
  return built;
}

void ConfigBuilder::set_defaults() {
  for (const Definition& definition : config_.definitions_.definitions) {
    const Default& text = definition.default_value;
    if (text.is_none() || text.is_required()) {
      config_.values_.emplace_back();
      continue;
    }
    auto value = parse_value(definition, text.text());
    check(value.has_value(), "the default of a definition is a legal value");
    config_.values_.push_back(std::move(*value));
  }
}

std::optional<References> ConfigBuilder::read_references() {
  std::vector<Source> sources;
  std::vector<LocatedEntry> entries;
  const bool has_providers = config_.definitions_.find("config.providers").has_value();
  for (const Layer& layer : layers_) {
    if (!is_local(layer.kind) || !has_providers) continue;
    for (const PropertyEntry& entry : layer.entries) {
      if (!is_provider_property(entry.name)) continue;
      sources.push_back(source_of(layer, entry));
      entries.push_back({.name = entry.name, .value = entry.value, .source = nullptr});
    }
  }
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].source = &sources[i];
  Providers providers = read_providers(entries, problems_);
  if (surroundings_ == nullptr) return std::nullopt;
  return References(std::move(providers), *surroundings_);
}

void ConfigBuilder::take_entry(const Layer& layer, const PropertyEntry& entry,
                               References* references) {
  const Source source = source_of(layer, entry);
  const std::optional<Given> given = identify(entry, source);
  if (!given) return;
  const Definition& definition = config_.definitions_[given->id];
  const std::string name = printable(entry.name);
  const auto fail = [&](std::string message) {
    failed_[given->id.value()] = true;
    problems_.fail(source, std::move(message));
  };
  if (const std::string_view reason = why_fixed(definition, layer.kind); !reason.empty()) {
    fail(fmt::format("{} {}", name, reason));
    return;
  }
  Resolved resolved{.text = entry.value, .by_reference = false};
  if (references != nullptr) {
    auto followed = references->resolve(entry.value);
    if (!followed) {
      fail(fmt::format("{}: {}", name, followed.error()));
      return;
    }
    resolved = std::move(*followed);
  }
  const bool is_secret = resolved.by_reference || definition.type == Type::password;
  const std::string text = is_secret ? std::string(hidden_text) : std::string(trim(resolved.text));
  auto value = parse_value(definition, resolved.text);
  if (!value) {
    fail(fmt::format("{}={}: {}", name, printable(text), value.error()));
    return;
  }
  if (is_local(layer.kind)) warn_without_effect(definition, entry, resolved.text, source);
  keep(*given, std::move(*value),
       {.name = entry.name, .text = text, .source = source, .is_secret = is_secret});
}

// By the processes that take the property: one file may serve them all.
void ConfigBuilder::warn_without_effect(const Definition& definition, const PropertyEntry& entry,
                                        std::string_view value, const Source& source) {
  const bool concerns_us =
      rules_.process == Processes::none || overlaps(definition.processes, rules_.process);
  if (!concerns_us) return;
  if (auto sentence = without_effect(config_.definitions_, entry.name, value)) {
    problems_.warn(source, *std::move(sentence));
  }
}

std::string_view ConfigBuilder::why_fixed(const Definition& definition, SourceKind kind) {
  if (kind == SourceKind::cluster_wide && definition.change == Change::per_broker) {
    return "can be set for one broker only, not for all";
  }
  const bool while_running = kind == SourceKind::cluster_wide || kind == SourceKind::per_broker;
  if (while_running && definition.change == Change::read_only) {
    return "cannot be changed while the broker runs";
  }
  return "";
}

void ConfigBuilder::keep(const Given& given, Value value, Setting setting) {
  if (!given.listener.empty()) {
    Config::ForListener own{.listener = given.listener,
                            .id = given.id,
                            .value = std::move(value),
                            .setting = std::move(setting)};
    const auto weaker = std::find_if(
        config_.for_listeners_.begin(), config_.for_listeners_.end(),
        [&](const auto& other) { return other.id == own.id && other.listener == own.listener; });
    if (weaker == config_.for_listeners_.end()) {
      config_.for_listeners_.push_back(std::move(own));
    } else {
      *weaker = std::move(own);
    }
    return;
  }
  Value& current = config_.values_[given.id.value()];
  for (const Config::Kept& other : config_.kept_) {
    const bool is_same_layer = other.setting.source.kind == setting.source.kind &&
                               other.setting.source.file == setting.source.file;
    const bool is_by_alias = other.id == given.id && other.setting.name != setting.name;
    if (is_by_alias && is_same_layer && current != value) {
      problems_.fail(setting.source, fmt::format("{} and {} are one property and must not differ",
                                                 setting.name, other.setting.name));
      return;
    }
  }
  current = std::move(value);
  config_.kept_.push_back({.id = given.id, .setting = std::move(setting)});
}

void ConfigBuilder::check_required() {
  const auto file = std::find_if(layers_.begin(), layers_.end(),
                                 [](const Layer& layer) { return layer.kind == SourceKind::file; });
  Source source{.kind = SourceKind::command_line, .file = {}, .line = 0};
  if (file != layers_.end()) source = {.kind = SourceKind::file, .file = file->file, .line = 0};
  const auto& definitions = config_.definitions_.definitions;
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    const Definition& definition = definitions[i];
    const bool is_required =
        definition.default_value.is_required() && overlaps(definition.processes, rules_.process);
    const PropertyId id(static_cast<std::uint16_t>(i));
    if (is_required && !failed_[i] && !config_.is_set(id)) {
      problems_.fail(source, fmt::format("{} is missing and has no default", definition.name));
    }
  }
}

void ConfigBuilder::check_relations() {
  for (const Relation& relation : config_.definitions_.relations) {
    const auto smaller = config_.definitions_.find(relation.smaller);
    const auto larger = config_.definitions_.find(relation.larger);
    check(smaller && larger, "a relation is between properties of its set");
    if (failed_[smaller->value()] || failed_[larger->value()]) continue;
    const auto* const low = std::get_if<std::int64_t>(&config_.value(*smaller));
    const auto* const high = std::get_if<std::int64_t>(&config_.value(*larger));
    if (low == nullptr || high == nullptr || *low <= *high) continue;
    Source source = config_.source(*smaller);
    if (source.kind == SourceKind::default_value) source = config_.source(*larger);
    problems_.fail(
        source, fmt::format("{}={} must not be above {}={}", relation.smaller,
                            config_.printed(*smaller), relation.larger, config_.printed(*larger)));
  }
}

}  // namespace millrace::config
