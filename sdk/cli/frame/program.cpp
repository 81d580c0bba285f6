module;
#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

module millrace.cli.frame;

namespace millrace::cli {
namespace {

// The answer is one text, as it is.
Answer plain(std::string text) {
  Answer answer;
  for (std::string& line : split(text, '\n')) answer.sentences.push_back(std::move(line));
  if (!answer.sentences.empty() && answer.sentences.back().empty()) answer.sentences.pop_back();
  return answer;
}

bool write(std::FILE* file, const std::string& text) {
  const bool is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  return std::fflush(file) == 0 && is_written;
}

// `format` may be wrong still: complaints about the line itself are JSON where that was asked for.
Format wanted_format(const Command* command, const std::vector<std::string>& words) {
  // Who misspells a command and wants JSON gets the failure as JSON, too.
  Command unknown;
  unknown.options = with_cluster_options({});
  const Command& described = command == nullptr ? unknown : *command;
  if (find_option(described, "output") == nullptr) return Format::table;
  const std::string name = parse_partly(described, words).arguments.text_or("output", "table");
  return format_of(name).value_or(Format::table);
}

Failure unknown_command(const std::vector<Command>& commands,
                        const std::vector<std::string>& words) {
  const std::string name = words.front();
  if (name.starts_with('-'))
    return usage_failure(joined("a command stands before ", name),
                         "`millrace --help` shows those that are");
  const auto below = commands_below(commands, name);
  if (below.empty()) {
    std::vector<std::string> known;
    for (const Command* command : commands_below(commands, ""))
      known.push_back(split(command->name, ' ').front());
    const auto nearest = nearest_word(name, known);
    return usage_failure(joined("there is no command ", name),
                         nearest ? joined("did you mean ", *nearest, "?")
                                 : "`millrace --help` shows those that are");
  }
  if (words.size() < 2 || words[1].starts_with('-'))
    return usage_failure(joined("millrace ", name, " has several commands"),
                         joined("`millrace ", name, " --help` shows them"));
  std::vector<std::string> known;
  for (const Command* command : below) known.push_back(split(command->name, ' ').back());
  const auto nearest = nearest_word(words[1], known);
  return usage_failure(joined("there is no command ", name, " ", words[1]),
                       nearest ? joined("did you mean ", name, " ", *nearest, "?")
                               : joined("`millrace ", name, " --help` shows those that are"));
}

}  // namespace

Program::Program(std::vector<Command> commands, Lookup lookup, std::size_t help_width)
    : commands_(std::move(commands)), lookup_(std::move(lookup)), help_width_(help_width) {
  commands_.push_back(
      {.name = "man",
       .summary = "Print a man page",
       .description = "Prints the man page of a command, or that of the program, in roff.",
       .operands = {{.name = "COMMAND",
                     .help = "As topic-create, or topic create",
                     .completes = Completes::commands,
                     .is_required = false,
                     .is_repeated = true}},
       .examples = {{"millrace man topic-create | man -l -", "Read one"}},
       .run = [this](const Call& call) { return man(call.arguments.operands()); }});
  commands_.push_back(
      {.name = "help",
       .summary = "Print the help of a command",
       .operands = {{.name = "COMMAND",
                     .help = "As topic-create, or topic create",
                     .completes = Completes::commands,
                     .is_required = false,
                     .is_repeated = true}},
       .examples = {{"millrace help topic create", ""}},
       .run = [this](const Call& call) { return help(call.arguments.operands()); }});
  commands_.push_back(
      {.name = "completion",
       .summary = "Print the completion script for a shell",
       .operands = {{.name = "SHELL", .help = "The shell", .choices = {"bash", "zsh", "fish"}}},
       .examples = {{"source <(millrace completion bash)", "In bash, or in ~/.bashrc"},
                    {"source <(millrace completion zsh)", "In zsh, or in ~/.zshrc"},
                    {"millrace completion fish | source", "In fish"}},
       .run = [](const Call& call) {
         return plain(completion_script(call.arguments.operand(0)).value_or(""));
       }});
}

Answer Program::help(const std::vector<std::string>& names) const {
  std::string page = "millrace";
  for (const std::string& name : names) page += "-" + name;
  for (const Command& command : commands_)
    if (man_page_name(command) == page) return plain(help_of(command, help_width_));
  if (const Command* command = name_command(commands_, names).command)
    return plain(help_of(*command, help_width_));
  const std::string group = names.empty() ? std::string() : names.front();
  if (commands_below(commands_, group).empty()) return failed(unknown_command(commands_, names));
  return plain(help_of_group(commands_, group, help_width_));
}

Answer Program::man(const std::vector<std::string>& names) const {
  if (names.empty()) return plain(man_page_of_program(commands_));
  std::string wanted = "millrace";
  for (const std::string& name : names) wanted += "-" + name;
  for (const Command& command : commands_)
    if (man_page_name(command) == wanted) return plain(man_page_of(command));
  return failed(
      usage_failure(joined("there is no page ", wanted), "`millrace man` names those that are"));
}

int Program::run(const std::vector<std::string>& words, std::FILE* output,
                 std::FILE* errors) const {
  if (words.size() > 1 && words.front() == "__complete") {
    const auto found =
        candidates_for(commands_, {words.begin() + 2, words.end()}, words[1], lookup_);
    return write(output, text_of(found)) ? exit_success : exit_failure;
  }
  if (words.empty()) {
    write(errors, help_of_group(commands_, "", help_width_));
    return exit_usage;
  }
  if (words.front() == "--version")
    return write(output, joined("millrace ", version, "\n")) ? exit_success : exit_failure;
  const NamedCommand named = name_command(commands_, words);
  const std::vector<std::string> rest(words.begin() + static_cast<std::ptrdiff_t>(named.words),
                                      words.end());
  const bool is_help = asks_for_help(named.command, words);
  const Format format = is_help ? Format::table : wanted_format(named.command, rest);
  Answer answer;
  if (is_help) {
    std::vector<std::string> names;
    for (const std::string& word : words)
      if (!word.starts_with('-')) names.push_back(word);
    answer = help(names);
  } else if (named.command == nullptr) {
    answer = failed(unknown_command(commands_, words));
  } else {
    auto parsed = parse_words(*named.command, rest);
    if (auto* wrong = std::get_if<Failure>(&parsed))
      answer = failed(std::move(*wrong));
    else
      answer = named.command->run({.arguments = std::get<Arguments>(parsed), .format = format});
  }
  write(errors, complaints_of(answer, format));
  if (!write(output, text_of(answer, format))) {
    write(errors, "error: the answer could not be written\n");
    return exit_failure;
  }
  return exit_code_of(answer);
}

}  // namespace millrace::cli
