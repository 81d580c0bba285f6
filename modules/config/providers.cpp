// Which providers a configuration declares.
module;
#include <fmt/format.h>

#include <array>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.config;

namespace millrace::config {
namespace {

constexpr std::string_view list_name = "config.providers";
constexpr std::string_view prefix = "config.providers.";

struct ProviderClass {
  std::string_view short_name;
  std::string_view java_name;
  Provider::Kind kind;
};

constexpr std::array<ProviderClass, 3> provider_classes = {{
    {"file", "org.apache.kafka.common.config.provider.FileConfigProvider", Provider::Kind::file},
    {"directory", "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
     Provider::Kind::directory},
    {"env", "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
     Provider::Kind::environment},
}};

std::optional<Provider::Kind> kind_of(std::string_view name) {
  for (const ProviderClass& known : provider_classes) {
    if (name == known.short_name || name == known.java_name) return known.kind;
  }
  return std::nullopt;
}

bool is_pattern(const std::string& pattern) {
  if (pattern.size() > variable_name_bytes_max) return false;
  try {
    const std::regex regex(pattern, std::regex::ECMAScript | std::regex_constants::__polynomial);
    return true;
  } catch (const std::regex_error&) {
    return false;
  }
}

// What "config.providers.<name>.<property>" says about one provider.
class Declarations {
 public:
  explicit Declarations(Problems& problems) : problems_(problems) {}

  void add(const LocatedEntry& entry) {
    if (entry.name == list_name) {
      listed_ = entry;
      return;
    }
    const std::string_view rest = entry.name.substr(prefix.size());
    const std::size_t dot = rest.find('.');
    if (dot == std::string_view::npos) {
      fail(entry, "must be followed by .class or .param.<name>");
      return;
    }
    settings_[std::string(rest.substr(0, dot))][std::string(rest.substr(dot + 1))] = entry;
  }

  Providers finish() {
    Providers providers = default_providers();
    if (listed_) providers = listed_providers();
    for (const auto& [name, settings] : settings_) {
      const auto provider = providers.find(name);
      for (const auto& [property, entry] : settings) {
        if (provider == providers.end()) {
          warn(entry, "has no effect: config.providers does not name this provider");
        } else if (property != "class") {
          apply(provider->second, property, entry);
        } else if (!listed_) {
          provider->second.kind = class_of(entry).value_or(provider->second.kind);
        }
      }
    }
    return providers;
  }

 private:
  Providers listed_providers() {
    Providers providers;
    for (const std::string_view name : split_list(listed_->value)) {
      if (name.empty()) continue;
      const auto settings = settings_.find(name);
      std::optional<Provider::Kind> kind = kind_of(name);
      if (settings != settings_.end() && settings->second.contains("class")) {
        kind = class_of(settings->second.at("class"));
      } else if (!kind) {
        fail(*listed_,
             fmt::format("{} needs a config.providers.{}.class", printable(name), printable(name)));
      }
      if (kind) providers.emplace(std::string(name), Provider{.kind = *kind});
    }
    return providers;
  }

  std::optional<Provider::Kind> class_of(const LocatedEntry& entry) {
    const auto kind = kind_of(trim(entry.value));
    if (!kind) {
      fail(entry,
           "is none of Kafka's FileConfigProvider, DirectoryConfigProvider, EnvVarConfigProvider");
    }
    return kind;
  }

  void apply(Provider& provider, std::string_view property, const LocatedEntry& entry) {
    const bool is_environment = provider.kind == Provider::Kind::environment;
    if (property == "param.allowed.paths" && !is_environment) {
      for (const std::string_view path : split_list(entry.value)) {
        if (!path.starts_with('/')) {
          fail(entry, "must be a list of absolute paths");
          return;
        }
        provider.allowed_paths.emplace_back(path);
      }
    } else if (property == "param.allowlist.pattern" && is_environment) {
      provider.allowed_names = std::string(trim(entry.value));
      if (!is_pattern(provider.allowed_names)) fail(entry, "is no regular expression");
    } else {
      fail(entry, is_environment ? "is not known; this provider takes param.allowlist.pattern"
                                 : "is not known; this provider takes param.allowed.paths");
    }
  }

  void fail(const LocatedEntry& entry, std::string_view what) {
    problems_.fail(*entry.source, fmt::format("{} {}", printable(entry.name), what));
  }
  void warn(const LocatedEntry& entry, std::string_view what) {
    problems_.warn(*entry.source, fmt::format("{} {}", printable(entry.name), what));
  }

  Problems& problems_;
  std::optional<LocatedEntry> listed_;
  std::map<std::string, std::map<std::string, LocatedEntry, std::less<>>, std::less<>> settings_;
};

}  // namespace

Providers default_providers() {
  Providers providers;
  for (const ProviderClass& known : provider_classes) {
    providers.emplace(std::string(known.short_name), Provider{.kind = known.kind});
  }
  return providers;
}

bool is_provider_property(std::string_view name) {
  return name == list_name || name.starts_with(prefix);
}

Providers read_providers(const std::vector<LocatedEntry>& entries, Problems& problems) {
  Declarations declarations(problems);
  for (const LocatedEntry& entry : entries) {
    if (is_provider_property(entry.name)) declarations.add(entry);
  }
  return declarations.finish();
}

}  // namespace millrace::config
