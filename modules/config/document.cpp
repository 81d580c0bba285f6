module;
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

struct Unit {
  std::int64_t size;
  std::string_view name;
};

// Largest first.
constexpr std::array<Unit, 4> times_in_ms = {
    {{24 * 3600 * 1000, "d"}, {3600 * 1000, "h"}, {60 * 1000, "min"}, {1000, "s"}}};
constexpr std::array<Unit, 3> sizes = {{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}}};

std::int64_t milliseconds_in(Meaning meaning) {
  switch (meaning) {
    case Meaning::milliseconds:
      return 1;
    case Meaning::seconds:
      return 1000;
    case Meaning::minutes:
      return milliseconds_per_minute;
    case Meaning::hours:
      return milliseconds_per_hour;
    default:
      return 0;
  }
}

std::string in_units(std::int64_t number, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (number >= unit.size && number % unit.size == 0) {
      return fmt::format("{} {}", number / unit.size, unit.name);
    }
  }
  return {};
}

// "7 d" for 604800000 ms; empty when there is nothing nicer to say.
std::string readable(const Definition& definition) {
  const std::string_view text = definition.default_value.text();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number <= 0) return {};
  if (number == std::numeric_limits<std::int64_t>::max()) return "no limit";
  const bool is_largest = number == std::numeric_limits<std::int32_t>::max();
  if (definition.type == Type::int32 && is_largest) return "no limit";
  if (definition.meaning == Meaning::bytes) return in_units(number, sizes);
  const std::int64_t factor = milliseconds_in(definition.meaning);
  if (factor == 0) return {};
  const std::string units = in_units(number * factor, times_in_ms);
  // "300 seconds" reads well by itself; "5 min" says more, "300 s" does not.
  return units.starts_with(fmt::format("{} ", number)) ? std::string() : units;
}

std::string default_text(const Definition& definition) {
  if (definition.default_value.is_none()) return "not set";
  if (definition.default_value.is_required()) return "required";
  const std::string_view text = definition.default_value.text();
  if (text.empty()) return "empty";
  const std::string nicer = readable(definition);
  return nicer.empty() ? std::string(text) : fmt::format("{} ({})", text, nicer);
}

std::string change_text(const Definition& definition) {
  if (!definition.without_effect.empty()) return "no effect yet";
  switch (definition.change) {
    case Change::read_only:
      return "at start";
    case Change::per_broker:
      return "per broker";
    case Change::cluster_wide:
      return "cluster-wide";
    case Change::per_topic:
      return "per topic";
  }
  return "unknown";
}

// The doc sentence with what else there is to know.
std::string full_doc(const Definition& definition) {
  std::string text(definition.doc);
  if (!definition.alias.empty()) text += fmt::format(" Also called {}.", definition.alias);
  if (definition.per_listener) {
    text += fmt::format(" For one listener: listener.name.<listener>.{}.", definition.name);
  }
  if (!definition.without_effect.empty()) {
    text += fmt::format(" Without effect: {}.", definition.without_effect);
  }
  std::string synonyms;
  for (const Synonym& synonym : definition.synonyms.all()) {
    synonyms += fmt::format("{}{}", synonyms.empty() ? "" : ", else ", synonym.name);
  }
  if (!synonyms.empty()) text += fmt::format(" Default of the brokers: {}.", synonyms);
  return text;
}

// Text that is safe in a cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char character : text) {
    if (character == '|' || character == '<' || character == '>' || character == '_' ||
        character == '*') {
      escaped += '\\';
    }
    escaped += character;
  }
  return escaped;
}

std::vector<const Definition*> sorted(std::span<const Definition> definitions) {
  std::vector<const Definition*> all;
  for (const Definition& definition : definitions) all.push_back(&definition);
  std::sort(all.begin(), all.end(), [](const Definition* left, const Definition* right) {
    return left->name < right->name;
  });
  return all;
}

std::string markdown_row(const Definition& definition) {
  return fmt::format("| `{}` | {} | {} | {} | {} | {} | {} | {} |\n", definition.name,
                     cell(type_text(definition)), cell(default_text(definition)),
                     cell(allowed_values(definition)), name_of(definition.importance),
                     change_text(definition), names_of(definition.processes),
                     cell(full_doc(definition)));
}

// Breaks the text into lines, each indented.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string lines;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool fits = column + 1 + word.size() <= width;
    if (column > 0 && fits) {
      lines += ' ';
      ++column;
    } else {
      if (column > 0) lines += '\n';
      lines.append(indent, ' ');
      column = indent;
    }
    lines += word;
    column += word.size();
  }
  return lines + "\n";
}

}  // namespace

std::vector<DocumentedArea> documented_areas() {
  return {
      {.title = "Broker",
       .introduction = "Identity, listeners, connections, requests, quotas and replication.",
       .definitions = broker_definitions},
      {.title = "Logs",
       .introduction = "The creation of topics, and the brokers' defaults for segments, retention "
                       "and syncing.",
       .definitions = log_definitions},
      {.title = "Records",
       .introduction = "The brokers' defaults for size, time, compression and compaction.",
       .definitions = records_definitions},
      {.title = "Controller",
       .introduction = "The quorum, the life of brokers and the placement of leaders.",
       .definitions = controller_definitions},
      {.title = "Coordinator",
       .introduction = "Committed offsets, consumer groups and transactions.",
       .definitions = coordinator_definitions},
      {.title = "Topic",
       .introduction = "What can be set for each topic. Without a setting of its own a topic "
                       "follows the brokers' defaults.",
       .definitions = topic_definitions},
  };
}

std::string markdown_reference(std::span<const DocumentedArea> areas) {
  std::string page =
      "# Configuration reference\n"
      "\n"
      "Printed from the definitions in `modules/config/registry`; do not edit. Names, types, "
      "defaults and ranges are those of\n"
      "Apache Kafka 4.3 except for names that begin with `millrace.`. \"Changes\" says whether a "
      "property is read at the start\n"
      "only or can be set while the cluster runs, for one broker, for all or for one topic; "
      "\"no effect yet\": it is\n"
      "taken from a file with a warning, and nothing reads it. \"Taken by\" names the processes.\n";
  for (const DocumentedArea& area : areas) {
    page += fmt::format("\n## {}\n\n{}\n\n", area.title, area.introduction);
    page +=
        "| Name | Type | Default | Allowed | Importance | Changes | Taken by | Meaning |\n"
        "|---|---|---|---|---|---|---|---|\n";
    for (const Definition* definition : sorted(area.definitions)) page += markdown_row(*definition);
  }
  return page;
}

std::string text_reference(std::span<const DocumentedArea> areas) {
  std::string page;
  for (const DocumentedArea& area : areas) {
    if (!page.empty()) page += '\n';
    page += fmt::format("{}\n{}\n{}\n", area.title, std::string(area.title.size(), '='),
                        area.introduction);
    for (const Definition* definition : sorted(area.definitions)) {
      page += "\n" + text_of(*definition);
    }
  }
  return page;
}

std::string text_of(const Definition& definition) {
  constexpr std::size_t indent = 4;
  constexpr std::size_t width = 100;
  const std::string allowed = allowed_values(definition);
  std::string text = fmt::format("{}\n", definition.name);
  text += wrapped(full_doc(definition), indent, width);
  text += wrapped(fmt::format("{}{}{}. Default: {}.", type_text(definition),
                              allowed.empty() ? "" : "; ", allowed, default_text(definition)),
                  indent, width);
  text += wrapped(
      fmt::format("Importance: {}. Changes: {}. Taken by: {}.", name_of(definition.importance),
                  change_text(definition), names_of(definition.processes)),
      indent, width);
  return text;
}

}  // namespace millrace::config
