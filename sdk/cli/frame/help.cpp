module;
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.cli.frame;

namespace millrace::cli {
namespace {

using Lines = std::vector<std::pair<std::string, std::string>>;

// Breaks between words; lines after the first begin with so many blanks.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string done;
  std::size_t column = indent;
  for (const std::string& word : split(text, ' ')) {
    if (column > indent && column + 1 + width_of(word) > width) {
      done += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      done += ' ';
      ++column;
    }
    done += word;
    column += width_of(word);
  }
  return done;
}

std::string section(std::string_view title, const Lines& lines, std::size_t width) {
  if (lines.empty()) return {};
  constexpr std::size_t left_max = 34;
  std::size_t left = 0;
  for (const auto& line : lines) left = std::max(left, width_of(line.first));
  left = std::min(left, left_max) + 4;
  std::string text = joined("\n", title, ":\n");
  for (const auto& [name, help] : lines) {
    text += "  " + name;
    const std::size_t used = width_of(name) + 2;
    text += used + 2 <= left ? std::string(left - used, ' ') : '\n' + std::string(left, ' ');
    text += wrapped(help, left, width) + '\n';
  }
  return text;
}

}  // namespace

std::string explanation_of(const Option& option) {
  std::string help = option.help;
  if (!option.choices.empty()) {
    std::string choices;
    for (const std::string& choice : option.choices)
      choices += joined(choices.empty() ? "" : ", ", choice);
    help += joined(": ", choices);
  }
  if (option.is_required) help += " (required)";
  if (option.is_repeated) help += " (may be repeated)";
  if (!option.initial.empty()) help += joined(" [", option.initial, "]");
  return help;
}

std::string help_of(const Command& command, std::size_t width) {
  std::string text =
      joined("Usage: ", usage_of(command), "\n\n", wrapped(command.summary, 0, width), "\n");
  if (!command.description.empty())
    text += joined("\n", wrapped(command.description, 0, width), "\n");
  Lines operands;
  for (const Operand& operand : command.operands) operands.emplace_back(operand.name, operand.help);
  text += section("Operands", operands, width);
  Lines own;
  Lines common;
  for (const Option& option : command.options)
    (option.is_common ? common : own).emplace_back(spelling_of(option), explanation_of(option));
  own.emplace_back("-h, --help", "Print this help and end");
  text += section("Options", own, width);
  text += section("Options of many commands", common, width);
  if (!command.examples.empty()) text += "\nExamples:\n";
  for (const Example& example : command.examples) {
    text += joined("  ", example.line, "\n");
    if (!example.help.empty()) text += joined("      ", wrapped(example.help, 6, width), "\n");
  }
  return text;
}

std::string help_of_group(const std::vector<Command>& commands, std::string_view group,
                          std::size_t width) {
  Lines lines;
  for (const Command* command : commands_below(commands, group))
    lines.emplace_back(command->name, command->summary);
  std::string text;
  if (group.empty()) {
    constexpr std::string_view what =
        "Millrace, an event-streaming system that speaks the Kafka protocol: works with Apache "
        "Kafka too.";
    text = joined("Usage: millrace COMMAND [OPERAND]... [OPTION]...\n\n", wrapped(what, 0, width),
                  '\n');
  } else {
    text = joined("Usage: millrace ", group, " COMMAND ...\n");
  }
  text += section("Commands", lines, width);
  if (group.empty())
    text += section("Options",
                    {{"--version", "Print the version and end"},
                     {"-h, --help", "Print this help, or that of a command, and end"}},
                    width);
  return text + '\n' +
         wrapped("`millrace COMMAND --help` tells more of each, `millrace man COMMAND` all.", 0,
                 width) +
         '\n';
}

std::size_t help_width_of_terminal() {
  return std::clamp(terminal_columns(STDOUT_FILENO).value_or(help_width_usual), help_width_least,
                    help_width_usual);
}

}  // namespace millrace::cli
