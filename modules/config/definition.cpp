module;
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

module millrace.config;

import millrace.base;

namespace millrace::config {
namespace {

// The range with the limits of the type put in where the definition leaves an end open.
bool is_open(std::int64_t limit) {
  return limit == std::numeric_limits<std::int64_t>::min() ||
         limit == std::numeric_limits<std::int64_t>::max();
}

std::string range_text(const Range& range) {
  std::string text;
  if (!is_open(range.min) && !is_open(range.max)) {
    text = fmt::format("{} to {}", range.min, range.max);
  } else if (!is_open(range.min)) {
    text = fmt::format("{} or more", range.min);
  } else if (!is_open(range.max)) {
    text = fmt::format("{} or less", range.max);
  } else {
    return text;
  }
  if (range.also) text += fmt::format(", or {}", *range.also);
  return text;
}

std::string_view unit_text(Meaning meaning) {
  switch (meaning) {
    case Meaning::milliseconds:
      return "milliseconds";
    case Meaning::seconds:
      return "seconds";
    case Meaning::minutes:
      return "minutes";
    case Meaning::hours:
      return "hours";
    case Meaning::bytes:
      return "bytes";
    case Meaning::plain:
    case Meaning::choice:
    case Meaning::listeners:
    case Meaning::host_ports:
    case Meaning::voters:
    case Meaning::pairs:
      break;
  }
  return "";
}

std::string_view element_text(Meaning meaning) {
  switch (meaning) {
    case Meaning::listeners:
      return "NAME://host:port";
    case Meaning::host_ports:
      return "host:port";
    case Meaning::voters:
      return "id@host:port";
    case Meaning::pairs:
      return "name:value";
    case Meaning::plain:
    case Meaning::choice:
    case Meaning::milliseconds:
    case Meaning::seconds:
    case Meaning::minutes:
    case Meaning::hours:
    case Meaning::bytes:
      break;
  }
  return "words";
}

}  // namespace

std::string_view kafka_name(Type type) {
  switch (type) {
    case Type::boolean:
      return "BOOLEAN";
    case Type::int16:
      return "SHORT";
    case Type::int32:
      return "INT";
    case Type::int64:
      return "LONG";
    case Type::real:
      return "DOUBLE";
    case Type::string:
      return "STRING";
    case Type::list:
      return "LIST";
    case Type::password:
      return "PASSWORD";
  }
  return "UNKNOWN";
}

std::string_view name_of(Importance importance) {
  switch (importance) {
    case Importance::high:
      return "high";
    case Importance::medium:
      return "medium";
    case Importance::low:
      return "low";
  }
  return "unknown";
}

std::string_view name_of(Change change) {
  switch (change) {
    case Change::read_only:
      return "read-only";
    case Change::per_broker:
      return "per-broker";
    case Change::cluster_wide:
      return "cluster-wide";
    case Change::per_topic:
      return "per-topic";
  }
  return "unknown";
}

std::string names_of(Processes processes) {
  std::string names;
  const auto add = [&](Processes one, std::string_view name) {
    if (!overlaps(processes, one)) return;
    if (!names.empty()) names += ", ";
    names += name;
  };
  add(Processes::broker, "broker");
  add(Processes::controller, "controller");
  add(Processes::coordinator, "coordinator");
  return names;
}

std::string allowed_values(const Definition& definition) {
  if (definition.meaning == Meaning::choice) {
    return fmt::format("{} {}", definition.type == Type::list ? "any of" : "one of",
                       fmt::join(definition.choices.all(), ", "));
  }
  if (definition.type == Type::boolean) return "true or false";
  return range_text(definition.range);
}

std::string type_text(const Definition& definition) {
  const std::string_view unit = unit_text(definition.meaning);
  switch (definition.type) {
    case Type::boolean:
      return "boolean";
    case Type::int16:
    case Type::int32:
    case Type::int64:
      return unit.empty() ? "whole number" : fmt::format("whole number of {}", unit);
    case Type::real:
      return unit.empty() ? "number" : fmt::format("number of {}", unit);
    case Type::password:
      return "password";
    case Type::string:
      if (definition.meaning == Meaning::choice) return "choice";
      if (definition.meaning == Meaning::pairs) return "list of name:value";
      return "string";
    case Type::list:
      if (definition.meaning == Meaning::choice) return "list of choices";
      return fmt::format("list of {}", element_text(definition.meaning));
  }
  return "unknown";
}

}  // namespace millrace::config
