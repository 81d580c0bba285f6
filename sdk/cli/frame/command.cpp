module;
#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.cli.frame;

namespace millrace::cli {

std::vector<Option> cluster_options() {
  return {
      {.name = "bootstrap",
       .value = "HOST:PORT,...",
       .help = "Brokers to begin with; else MILLRACE_BOOTSTRAP, else those of the profile",
       .letter = 'b',
       .initial = "localhost:9092",
       .is_common = true},
      {.name = "profile",
       .value = "NAME",
       .help = "Settings of this profile (see millrace profile list)",
       .completes = Completes::profiles,
       .is_common = true},
      {.name = "setting",
       .value = "NAME=VALUE",
       .help = "A setting of the client, by its name in Kafka",
       .letter = 'X',
       .is_repeated = true,
       .is_common = true},
      {.name = "timeout",
       .value = "SECONDS",
       .help = "How long one call to the cluster may take",
       .initial = "30",
       .range = Range{1, 3600},
       .is_common = true},
      {.name = "verbose", .help = "Show what the client logs", .is_common = true},
  };
}

Option output_option() {
  return {.name = "output",
          .value = "FORMAT",
          .help = "How the answer is written",
          .letter = 'o',
          .initial = "table",
          .choices = {"table", "json", "tsv"},
          .is_common = true};
}

std::vector<Option> with_cluster_options(std::vector<Option> options) {
  options.push_back(output_option());
  for (Option& option : cluster_options()) options.push_back(std::move(option));
  return options;
}

const Command* find_command(const std::vector<Command>& commands, std::string_view name) {
  const auto found = std::ranges::find(commands, name, &Command::name);
  return found == commands.end() ? nullptr : &*found;
}

std::vector<const Command*> commands_below(const std::vector<Command>& commands,
                                           std::string_view group) {
  std::vector<const Command*> found;
  for (const Command& command : commands) {
    const bool is_below = group.empty() || command.name.starts_with(joined(group, " "));
    if (is_below && !command.is_hidden) found.push_back(&command);
  }
  return found;
}

const Option* find_option(const Command& command, std::string_view name) {
  const auto found = std::ranges::find(command.options, name, &Option::name);
  return found == command.options.end() ? nullptr : &*found;
}

const Option* find_option(const Command& command, char letter) {
  const auto found = std::ranges::find(command.options, letter, &Option::letter);
  return found == command.options.end() || letter == 0 ? nullptr : &*found;
}

NamedCommand name_command(const std::vector<Command>& commands,
                          const std::vector<std::string>& words) {
  if (words.empty()) return {};
  if (words.size() > 1)
    if (const Command* command = find_command(commands, joined(words[0], " ", words[1])))
      return {command, 2};
  if (const Command* command = find_command(commands, words[0])) return {command, 1};
  return {};
}

std::string usage_of(const Command& command) {
  std::string usage = "millrace " + command.name;
  for (const Operand& operand : command.operands) {
    usage += operand.is_required ? " " + operand.name : " [" + operand.name + "]";
    if (operand.is_repeated) usage += "...";
  }
  for (const Option& option : command.options)
    if (option.is_required) usage += joined(" --", option.name, " ", option.value);
  const bool has_others = std::ranges::any_of(
      command.options, [](const Option& option) { return !option.is_required; });
  return has_others ? usage + " [OPTION]..." : usage;
}

std::string spelling_of(const Option& option) {
  std::string text;
  if (option.letter != 0) text = joined("-", option.letter, ", ");
  text += "--" + option.name;
  return option.value.empty() ? text : text + " " + option.value;
}

}  // namespace millrace::cli
