// Completion of a line in a shell. The scripts know nothing of commands: they ask the program,
// which looks at the descriptions, and at the cluster for topics, groups and brokers.
module;
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.cli.frame:completion;

import :arguments;
import :command;

export namespace millrace::cli {

struct Candidate {
  std::string word;
  std::string help = {};
};

struct Candidates {
  std::vector<Candidate> words;
  bool are_files = false;  // the shell knows those better
  bool are_directories = false;
};

// What is in the cluster, or on this machine; fails silently, and must not take long.
using Lookup = std::function<std::vector<std::string>(Completes what, const Arguments& arguments)>;

// What `word`, perhaps empty, may become after the words before it (without the program).
[[nodiscard]] Candidates candidates_for(const std::vector<Command>& commands,
                                        const std::vector<std::string>& before,
                                        const std::string& word, const Lookup& lookup);

// A line for each: the word, a tab and its help; last `:files` or `:directories`.
[[nodiscard]] std::string text_of(const Candidates& candidates);

// To be sourced by "bash", "zsh" or "fish"; none for other names.
[[nodiscard]] std::optional<std::string> completion_script(std::string_view shell);

}  // namespace millrace::cli
