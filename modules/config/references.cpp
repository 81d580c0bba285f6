module;
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

auto refuse(std::string message) {
  return failure(std::move(message));
}

// As Kafka: whole folders are compared by name, after "." and ".." are taken out. A link within an
// allowed folder leads wherever it leads.
bool is_allowed(const Provider& provider, std::string_view path) {
  if (provider.allowed_paths.empty()) return true;
  const auto asked = std::filesystem::path(path).lexically_normal();
  return std::any_of(
      provider.allowed_paths.begin(), provider.allowed_paths.end(), [&](const std::string& text) {
        auto allowed = std::filesystem::path(text).lexically_normal();
        if (!allowed.has_filename()) allowed = allowed.parent_path();
        const auto [rest, end] =
            std::mismatch(allowed.begin(), allowed.end(), asked.begin(), asked.end());
        return rest == allowed.end();
      });
}

// The polynomial matcher knows no back references; in return it ends soon on every input.
bool matches(const std::string& pattern, const std::string& name) {
  if (pattern.empty()) return true;
  try {
    const std::regex regex(pattern, std::regex::ECMAScript | std::regex_constants::__polynomial);
    return std::regex_match(name, regex);
  } catch (const std::regex_error&) {
    return false;
  }
}

struct Reference {
  std::size_t begin = 0;
  std::size_t end = 0;
  // What stands between "${" and "}".
  std::string_view inside;
};

// The first one at or after `from`. "${...}" without a colon is ordinary text, as in Kafka.
std::optional<Reference> find_reference(std::string_view value, std::size_t from) {
  while (true) {
    const std::size_t begin = value.find("${", from);
    if (begin == std::string_view::npos) return std::nullopt;
    const std::size_t close = value.find('}', begin);
    if (close == std::string_view::npos) return std::nullopt;
    const std::string_view inside = value.substr(begin + 2, close - begin - 2);
    if (inside.find(':') != std::string_view::npos) {
      return Reference{.begin = begin, .end = close + 1, .inside = inside};
    }
    from = begin + 2;
  }
}

}  // namespace

References::References(Providers providers, Surroundings& surroundings)
    : providers_(std::move(providers)), surroundings_(surroundings) {}

Result<Resolved, std::string> References::resolve(std::string_view value) {
  Resolved resolved;
  std::size_t position = 0;
  std::size_t count = 0;
  for (auto found = find_reference(value, 0); found; found = find_reference(value, position)) {
    if (++count > references_per_value_max) {
      return refuse(fmt::format("more than {} references", references_per_value_max));
    }
    auto text = look_up(found->inside);
    if (!text) {
      return refuse(fmt::format("reference ${{{}}}: {}", printable(found->inside), text.error()));
    }
    resolved.text += value.substr(position, found->begin - position);
    resolved.text += *text;
    resolved.by_reference = true;
    position = found->end;
    if (resolved.text.size() > line_bytes_max) {
      return refuse(fmt::format("references give more than {} bytes", line_bytes_max));
    }
  }
  resolved.text += value.substr(position);
  return resolved;
}

References::Text References::look_up(std::string_view reference) {
  const std::size_t colon = reference.find(':');
  const std::string_view name = reference.substr(0, colon);
  const std::string_view rest = reference.substr(colon + 1);
  const auto provider = providers_.find(name);
  if (provider == providers_.end()) {
    std::string known;
    for (const auto& [other, unused] : providers_) known += (known.empty() ? "" : ", ") + other;
    return refuse(fmt::format("no config provider has this name; known: {}", known));
  }
  if (provider->second.kind == Provider::Kind::environment) {
    return from_environment(provider->second, rest);
  }
  const std::size_t separator = rest.find(':');
  if (separator == std::string_view::npos) return refuse("needs a path and a key, path:key");
  const std::string_view path = rest.substr(0, separator);
  const std::string_view key = rest.substr(separator + 1);
  if (!is_allowed(provider->second, path)) return refuse("outside of its allowed.paths");
  return provider->second.kind == Provider::Kind::file ? from_file(path, key)
                                                       : from_directory(path, key);
}

References::Text References::from_file(std::string_view path, std::string_view key) {
  auto known = property_files_.find(path);
  if (known == property_files_.end()) {
    const auto text = contents(path);
    if (!text) return refuse(text.error());
    ParsedProperties parsed = parse_properties(**text, path);
    if (parsed.problems.has_errors()) return refuse(parsed.problems.as_error().message);
    warnings_.add(parsed.problems);
    known = property_files_.emplace(std::string(path), std::move(parsed)).first;
  }
  for (const PropertyEntry& entry : known->second.entries) {
    if (entry.name == key) return entry.value;
  }
  return refuse("the file has no such key");
}

References::Text References::from_directory(std::string_view path, std::string_view key) {
  if (key.empty() || key == "." || key == ".." || key.find('/') != std::string_view::npos) {
    return refuse("the key must be the name of a file in the folder");
  }
  const auto text = contents(fmt::format("{}/{}", path, key));
  if (!text) return refuse(text.error());
  return **text;
}

References::Text References::from_environment(const Provider& provider, std::string_view name) {
  if (name.empty() || name.size() > variable_name_bytes_max || name.find(':') != name.npos) {
    return refuse("needs the name of an environment variable");
  }
  if (!matches(provider.allowed_names, std::string(name))) {
    return refuse("the name does not match its allowlist.pattern");
  }
  auto value = surroundings_.variable(std::string(name));
  if (!value) return refuse("the environment has no such variable");
  return std::move(*value);
}

Result<const std::string*, std::string> References::contents(std::string_view path) {
  const auto known = files_.find(path);
  if (known != files_.end()) return &known->second;
  if (files_.size() == reference_files_max) {
    return refuse(fmt::format("references read more than {} files", reference_files_max));
  }
  auto text = surroundings_.read_file(std::string(path), file_bytes_max);
  if (!text) return refuse(text.error().message);
  return &files_.emplace(std::string(path), std::move(*text)).first->second;
}

}  // namespace millrace::config
