module;
#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

module millrace.cli.frame;

namespace millrace::cli {
namespace {

// As text, whatever it looks like to roff.
std::string roff(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    if (letter == '\\') {
      escaped += "\\e";
    } else if (letter == '-') {
      escaped += "\\-";
    } else {
      const bool begins_line = escaped.empty() || escaped.ends_with('\n');
      if (begins_line && (letter == '.' || letter == '\'')) escaped += "\\&";
      escaped += letter;
    }
  }
  return escaped;
}

std::string heading(std::string_view name) {
  std::string capitals(name);
  std::ranges::transform(capitals, capitals.begin(), [](unsigned char letter) {
    return static_cast<char>(std::toupper(letter));
  });
  return joined(".TH \"", roff(capitals), "\" \"1\" \"\" \"Millrace ", version,
                "\" \"Millrace\"\n");
}

std::string entry(std::string_view name, std::string_view help) {
  return joined(".TP\n\\fB", roff(name), "\\fR\n", roff(help), "\n");
}

}  // namespace

std::string man_page_name(const Command& command) {
  std::string name = "millrace-" + command.name;
  std::ranges::replace(name, ' ', '-');
  return name;
}

std::string man_page_of(const Command& command) {
  const std::string name = man_page_name(command);
  std::string page = heading(name);
  page += joined(".SH NAME\n", roff(name), " \\- ", roff(command.summary), "\n");
  page += joined(".SH SYNOPSIS\n", roff(usage_of(command)), "\n");
  page += joined(".SH DESCRIPTION\n",
                 roff(command.description.empty() ? command.summary : command.description), "\n");
  for (const Operand& operand : command.operands) page += entry(operand.name, operand.help);
  page += ".SH OPTIONS\n";
  for (const Option& option : command.options)
    page += entry(spelling_of(option), explanation_of(option));
  page += entry("-h, --help", "Print help and end");
  if (!command.examples.empty()) page += ".SH EXAMPLES\n";
  for (const Example& example : command.examples)
    page += entry(example.line, example.help.empty() ? command.summary : example.help);
  page += joined(".SH EXIT STATUS\n", entry("0", "It was done."), entry("1", "It failed."),
                 entry("2", "The command line is wrong."));
  return page + ".SH SEE ALSO\nmillrace(1)\n";
}

std::string man_page_of_program(const std::vector<Command>& commands) {
  std::string page = heading("millrace");
  page += ".SH NAME\nmillrace \\- operate and use Millrace and Apache Kafka clusters\n";
  page += ".SH SYNOPSIS\nmillrace COMMAND [OPERAND]... [OPTION]...\n.SH COMMANDS\n";
  for (const Command* command : commands_below(commands, ""))
    page += entry(command->name, command->summary);
  page += ".SH OPTIONS\n" + entry("--version", "Print the version and end");
  page += entry("-h, --help", "Print help and end");
  page += ".SH ENVIRONMENT\n" + entry("MILLRACE_BOOTSTRAP", "Brokers to begin with");
  page += entry("MILLRACE_PROFILE", "The profile to use");
  page += ".SH FILES\n" + entry("$XDG_CONFIG_HOME/millrace/config", "The profiles");
  page += ".SH SEE ALSO\n";
  std::string others;
  for (const Command* command : commands_below(commands, ""))
    others += joined(others.empty() ? "" : ",\n", roff(man_page_name(*command)), "(1)");
  return page + others + "\n";
}

}  // namespace millrace::cli
