module;
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.cli.frame;

namespace millrace::cli {
namespace {

constexpr std::size_t text_width = 100;

using Lines = std::vector<std::pair<std::string, std::string>>;

// Breaks between words; lines after the first begin with so many blanks.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string done;
  std::size_t column = indent;
  for (const std::string& word : split(text, ' ')) {
    if (column > indent && column + 1 + width_of(word) > text_width) {
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

std::string section(std::string_view title, const Lines& lines) {
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
    text += wrapped(help, left) + '\n';
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

std::string help_of(const Command& command) {
  std::string text =
      joined("Usage: ", usage_of(command), "\n\n", wrapped(command.summary, 0), "\n");
  if (!command.description.empty()) text += joined("\n", wrapped(command.description, 0), "\n");
  Lines operands;
  for (const Operand& operand : command.operands) operands.emplace_back(operand.name, operand.help);
  text += section("Operands", operands);
  Lines own;
  Lines common;
  for (const Option& option : command.options)
    (option.is_common ? common : own).emplace_back(spelling_of(option), explanation_of(option));
  own.emplace_back("-h, --help", "Print this help and end");
  text += section("Options", own);
  text += section("Options of many commands", common);
  if (!command.examples.empty()) text += "\nExamples:\n";
  for (const Example& example : command.examples) {
    text += joined("  ", example.line, "\n");
    if (!example.help.empty()) text += joined("      ", wrapped(example.help, 6), "\n");
  }
  return text;
}

std::string help_of_group(const std::vector<Command>& commands, std::string_view group) {
  Lines lines;
  for (const Command* command : commands_below(commands, group))
    lines.emplace_back(command->name, command->summary);
  std::string text = group.empty() ? "Usage: millrace COMMAND [OPERAND]... [OPTION]...\n\n"
                                     "Millrace, an event-streaming system that speaks the Kafka "
                                     "protocol: works with Apache Kafka too.\n"
                                   : joined("Usage: millrace ", group, " COMMAND ...\n");
  text += section("Commands", lines);
  if (group.empty())
    text += section("Options", {{"--version", "Print the version and end"},
                                {"-h, --help", "Print this help, or that of a command, and end"}});
  return text + "\n`millrace COMMAND --help` tells more of each, `millrace man COMMAND` all.\n";
}

}  // namespace millrace::cli
