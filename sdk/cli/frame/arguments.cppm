// The words after the name of a command.
module;
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

export module millrace.cli.frame:arguments;

import :answer;
import :command;

export namespace millrace::cli {

// Options and operands of one call, checked against the description of the command. Asking for an
// option that the command does not have is a bug, and gives nothing.
class Arguments {
 public:
  // The last one counts.
  [[nodiscard]] std::optional<std::string> text(std::string_view option) const;
  [[nodiscard]] std::string text_or(std::string_view option, std::string_view otherwise) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view option) const;
  // Of an option with a range.
  [[nodiscard]] std::optional<std::int64_t> number(std::string_view option) const;
  [[nodiscard]] std::int64_t number_or(std::string_view option, std::int64_t otherwise) const;
  [[nodiscard]] bool has(std::string_view option) const;

  [[nodiscard]] const std::vector<std::string>& operands() const { return operands_; }
  // The operand of that place; empty when it was left out.
  [[nodiscard]] std::string operand(std::size_t index) const;

  void add(std::string_view option, std::string value);
  void add_operand(std::string word) { operands_.push_back(std::move(word)); }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> options_;
  std::vector<std::string> operands_;
};

// Options as --name VALUE, --name=VALUE, -n VALUE, -nVALUE, and flags together as -abc; anywhere
// among the operands. `--` ends them.
[[nodiscard]] std::variant<Arguments, Failure> parse_words(const Command& command,
                                                           const std::vector<std::string>& words);

// The same for a line that is being written: what cannot be is passed over. Tells what comes next.
struct PartialLine {
  Arguments arguments;
  const Option* awaiting = nullptr;  // its value comes next
  bool are_options_over = false;
};
[[nodiscard]] PartialLine parse_partly(const Command& command,
                                       const std::vector<std::string>& words);

// "--help" among them, before a `--`.
[[nodiscard]] bool asks_for_help(const Command* command, const std::vector<std::string>& words);

}  // namespace millrace::cli
