module;
#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.cli.frame;

namespace millrace::cli {
namespace {

constexpr std::string_view bash_script =
    R"(# Completion of millrace for bash: source <(millrace completion bash)
_millrace() {
  local line=${COMP_LINE:0:COMP_POINT} word= cut= words found candidate
  read -ra words <<<"$line"
  if [[ $line != *[[:space:]] ]]; then
    word=${words[-1]}
    unset 'words[-1]'
  fi
  # Bash replaces only what stands after the last of these.
  if [[ $word == *[=:]* ]]; then cut=${word%"${word##*[=:]}"}; fi
  mapfile -t found < <("${words[0]}" __complete "$word" "${words[@]:1}" 2>/dev/null)
  COMPREPLY=()
  for candidate in "${found[@]%%$'\t'*}"; do
    case $candidate in
      :files) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${word#"$cut"}") ;;
      :directories)
        mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "${word#"$cut"}")
        ;;
      *) COMPREPLY+=("${candidate#"$cut"}") ;;
    esac
  done
}
complete -o filenames -F _millrace millrace
)";

constexpr std::string_view zsh_script = R"(#compdef millrace
# Completion of millrace for zsh: source <(millrace completion zsh)
_millrace() {
  local line answer
  local -a found
  answer=$("${words[1]}" __complete "${PREFIX}" "${(@)words[2,CURRENT-1]}" 2>/dev/null)
  for line in "${(@f)answer}"; do
    case $line in
      '') ;;
      :files) _files ;;
      :directories) _files -/ ;;
      *) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done
  (( ${#found} )) && _describe millrace found
}
if [ "${funcstack[1]}" = _millrace ]; then _millrace "$@"; else compdef _millrace millrace; fi
)";

constexpr std::string_view fish_script =
    R"(# Completion of millrace for fish: millrace completion fish | source
function __millrace_complete
  set -l words (commandline -opc)
  set -l word (commandline -ct)
  for line in ($words[1] __complete "$word" $words[2..-1] 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path "$word"
      case ':directories'
        __fish_complete_directories "$word"
      case '*'
        echo $line
    end
  end
end
complete -c millrace -f -a '(__millrace_complete)'
)";

class Completer {
 public:
  Completer(const std::vector<Command>& commands, const std::string& word, const Lookup& lookup)
      : commands_(commands), word_(word), lookup_(lookup) {}

  // The first words: those of the names of commands.
  void add_names(const std::vector<std::string>& before) {
    if (before.size() > 1) return;
    const std::string group = before.empty() ? std::string() : before.front();
    for (const Command* command : commands_below(commands_, group)) {
      const auto parts = split(command->name, ' ');
      const bool is_last = parts.size() == before.size() + 1;
      add(parts[before.size()], is_last ? command->summary : joined("commands of ", parts.front()));
    }
    if (before.empty())
      for (const std::string_view flag : {"--help", "--version"}) add(std::string(flag), {});
  }

  void add_arguments(const Command& command, const std::vector<std::string>& words) {
    const PartialLine line = parse_partly(command, words);
    if (line.awaiting != nullptr) {
      add_values(*line.awaiting, line.arguments, "");
      return;
    }
    const std::size_t equals = word_.find('=');
    if (!line.are_options_over && word_.starts_with("--") && equals != std::string::npos) {
      const std::string name = word_.substr(2, equals - 2);
      if (const Option* option = find_option(command, name))
        add_values(*option, line.arguments, joined("--", name, "="));
      return;
    }
    if (!line.are_options_over && word_.starts_with('-')) {
      add_options(command, line.arguments);
      return;
    }
    if (command.operands.empty()) return;
    const std::size_t place =
        std::min(line.arguments.operands().size(), command.operands.size() - 1);
    const Operand& operand = command.operands[place];
    if (line.arguments.operands().size() >= command.operands.size() && !operand.is_repeated) return;
    for (const std::string& choice : operand.choices) add(choice, {});
    add_of_kind(operand.completes, line.arguments, "");
  }

  Candidates take() { return std::move(found_); }

 private:
  void add(std::string word, std::string help) {
    const bool is_there =
        std::ranges::find(found_.words, word, &Candidate::word) != found_.words.end();
    if (word.starts_with(word_) && !is_there)
      found_.words.push_back({std::move(word), std::move(help)});
  }

  void add_options(const Command& command, const Arguments& arguments) {
    for (const Option& option : command.options) {
      if (!option.is_repeated && arguments.has(option.name)) continue;
      add("--" + option.name, option.help);
    }
    add("--help", "Print help");
  }

  void add_values(const Option& option, const Arguments& arguments, const std::string& prefix) {
    for (const std::string& choice : option.choices) add(prefix + choice, {});
    add_of_kind(option.completes, arguments, prefix);
  }

  void add_of_kind(Completes what, const Arguments& arguments, const std::string& prefix) {
    switch (what) {
      case Completes::nothing:
        return;
      case Completes::files:
        found_.are_files = true;
        return;
      case Completes::directories:
        found_.are_directories = true;
        return;
      case Completes::commands:
        for (const Command* command : commands_below(commands_, ""))
          add(man_page_name(*command).substr(std::string_view("millrace-").size()),
              command->summary);
        return;
      case Completes::of_kind: {
        const std::string kind = arguments.operand(0);
        if (kind == "topic") add_of_kind(Completes::topics, arguments, prefix);
        if (kind == "broker") add_of_kind(Completes::brokers, arguments, prefix);
        if (kind == "group") add_of_kind(Completes::groups, arguments, prefix);
        return;
      }
      case Completes::topics:
      case Completes::groups:
      case Completes::brokers:
      case Completes::profiles:
        for (const std::string& found : lookup_(what, arguments)) add(prefix + found, {});
        return;
    }
  }

  const std::vector<Command>& commands_;
  const std::string& word_;
  const Lookup& lookup_;
  Candidates found_;
};

}  // namespace

Candidates candidates_for(const std::vector<Command>& commands,
                          const std::vector<std::string>& before, const std::string& word,
                          const Lookup& lookup) {
  Completer completer(commands, word, lookup);
  const NamedCommand named = name_command(commands, before);
  if (named.command != nullptr) {
    const auto begin = before.begin() + static_cast<std::ptrdiff_t>(named.words);
    completer.add_arguments(*named.command, {begin, before.end()});
  } else {
    completer.add_names(before);
  }
  return completer.take();
}

std::string text_of(const Candidates& candidates) {
  std::string text;
  for (const Candidate& candidate : candidates.words)
    text += joined(candidate.word, "\t", candidate.help, "\n");
  if (candidates.are_files) text += ":files\n";
  if (candidates.are_directories) text += ":directories\n";
  return text;
}

std::optional<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return std::string(bash_script);
  if (shell == "zsh") return std::string(zsh_script);
  if (shell == "fish") return std::string(fish_script);
  return std::nullopt;
}

}  // namespace millrace::cli
