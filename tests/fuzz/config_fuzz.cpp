// A property file from outside, through all that a server does with it: parse, follow references,
// check, print. What it promises: any input ends in a configuration or in problems, what is written
// is read back, and a secret is never printed.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

import millrace.base;
import millrace.config;

namespace {

using namespace millrace;
using namespace millrace::config;

constexpr std::string_view secret = "hunter2-correct-horse";
// The same as a listener's name would be printed.
constexpr std::string_view secret_name = "HUNTER2-CORRECT-HORSE";

void read_back(const ParsedProperties& parsed) {
  std::string text;
  for (const PropertyEntry& entry : parsed.entries) {
    text += format_property(entry.name, entry.value) + "\n";
  }
  // Escapes make the text longer.
  if (text.size() > file_bytes_max) return;
  const ParsedProperties again = parse_properties(text, "again");
  check(again.problems.empty(), "what is written is well formed");
  check(again.entries.size() == parsed.entries.size(), "as many properties are read back");
  for (std::size_t i = 0; i < again.entries.size(); ++i) {
    check(again.entries[i].name == parsed.entries[i].name, "the same name is read back");
    check(again.entries[i].value == parsed.entries[i].value, "the same value is read back");
  }
}

std::string everything_printed(const Config& config) {
  std::string text;
  for (const DescribedProperty& row : config.describe()) {
    text += row.text;
    for (const Setting& setting : row.settings) text += setting.name + setting.text;
    const auto id = config.definitions().find(row.definition->name);
    text += config.printed(*id);
  }
  return text;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  PropertyLines all(text);
  for (auto line = all.next(); line; line = all.next()) lines.emplace_back(line->text);
  return lines;
}

void load(std::string_view text, const std::vector<PropertyEntry>& entries) {
  MemorySurroundings surroundings;
  surroundings.variables["SECRET"] = secret;
  surroundings.variables["NAME"] = secret_name;
  surroundings.files["/f"] = text;
  surroundings.files["/s"] = "key=" + std::string(secret);
  surroundings.files["/d/key"] = secret;
  ServerArguments arguments;
  arguments.file = "/f";
  arguments.rules.process = Processes::broker;
  const auto server = load_server_config(arguments, surroundings);
  std::string printed = server ? server->warnings.text() : server.error().text();
  if (server) {
    printed += everything_printed(server->config.untyped());
    const auto topic = make_topic_config(server->config, entries);
    printed += topic ? everything_printed(topic->config.untyped()) : topic.error().text();
  }
  arguments.file.reset();
  arguments.overrides = lines_of(text);
  const auto overridden = load_server_config(arguments, surroundings);
  printed +=
      overridden ? everything_printed(overridden->config.untyped()) : overridden.error().text();
  const bool is_printed = lower_case(printed).find(secret) != std::string::npos;
  // A fuzzer that writes the secret itself proves nothing.
  const bool is_known = lower_case(text).find(secret.substr(0, 8)) != std::string::npos;
  check(is_known || !is_printed, "a secret is never printed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ParsedProperties parsed = parse_properties(text, "input");
  read_back(parsed);
  load(text, parsed.entries);
  return 0;
}
