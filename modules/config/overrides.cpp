module;
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

module millrace.config;

namespace millrace::config {

Layer parse_overrides(std::span<const std::string> arguments, Problems& problems) {
  const Source source{.kind = SourceKind::command_line, .file = {}, .line = 0};
  Layer layer{.kind = SourceKind::command_line, .file = {}, .entries = {}};
  if (arguments.size() > properties_max) {
    problems.fail(source, fmt::format("more than {} properties", properties_max));
    return layer;
  }
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    const std::size_t equals = argument.find('=');
    const std::string_view name = trim(argument.substr(0, equals));
    if (equals == std::string_view::npos || name.empty()) {
      problems.fail(source, fmt::format("setting {} must be name=value", i + 1));
      continue;
    }
    const bool is_text = is_utf8(argument) && argument.find('\0') == std::string_view::npos;
    if (!is_text || argument.size() > line_bytes_max) {
      problems.fail(source, fmt::format("setting {} must be text in UTF-8 of at most {} bytes",
                                        i + 1, line_bytes_max));
      continue;
    }
    PropertyEntry entry{
        .name = std::string(name), .value = std::string(argument.substr(equals + 1)), .line = 0};
    const auto earlier =
        std::find_if(layer.entries.begin(), layer.entries.end(),
                     [&](const PropertyEntry& other) { return other.name == entry.name; });
    if (earlier == layer.entries.end()) {
      layer.entries.push_back(std::move(entry));
      continue;
    }
    problems.warn(
        source, fmt::format("{} is set again; its first value is not used", printable(entry.name)));
    *earlier = std::move(entry);
  }
  return layer;
}

}  // namespace millrace::config
