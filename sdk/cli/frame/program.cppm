// From the words of a command line to an exit code.
module;
#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

export module millrace.cli.frame:program;

import :answer;
import :command;
import :completion;
import :help;

export namespace millrace::cli {

// The commands, with those that tell of them: man, completion, and what completion scripts ask.
// Owned by main, or by a test.
class Program {
 public:
  Program(std::vector<Command> commands, Lookup lookup, std::size_t help_width = help_width_usual);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] const std::vector<Command>& commands() const { return commands_; }

  // Does what the words after the program's name say. Gives what main returns.
  [[nodiscard]] int run(const std::vector<std::string>& words, std::FILE* output,
                        std::FILE* errors) const;

 private:
  [[nodiscard]] Answer man(const std::vector<std::string>& names) const;
  // Of a command or of several; words after its name count for nothing.
  [[nodiscard]] Answer help(const std::vector<std::string>& names) const;

  std::vector<Command> commands_;
  Lookup lookup_;
  std::size_t help_width_;
};

}  // namespace millrace::cli
