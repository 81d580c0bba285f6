module;
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.cli.frame;

namespace millrace::cli {
namespace {

// Takes the words of one command apart.
class Reader {
 public:
  Reader(const Command& command, const std::vector<std::string>& words)
      : command_(command), words_(words) {}

  // Goes on after what cannot be, which problem() tells of.
  void read() {
    while (next_ < words_.size()) {
      const std::string& word = words_[next_++];
      if (are_options_over_ || word == "-" || !word.starts_with('-') || is_negative(word)) {
        arguments_.add_operand(word);
      } else if (word == "--") {
        are_options_over_ = true;
      } else if (word.starts_with("--")) {
        read_long(word);
      } else {
        read_short(word);
      }
    }
  }

  const std::optional<Failure>& problem() const { return problem_; }
  PartialLine partial() && { return {std::move(arguments_), awaiting_, are_options_over_}; }

 private:
  // A number, where no option has a digit for a letter.
  static bool is_negative(const std::string& word) { return whole_number(word).has_value(); }

  void complain(std::string message, std::string hint = {}) {
    if (!problem_) problem_ = usage_failure(std::move(message), std::move(hint));
  }

  void take_value(const Option& option, const std::string& spelling) {
    if (next_ < words_.size()) {
      arguments_.add(option.name, words_[next_++]);
    } else {
      awaiting_ = &option;
      complain(joined(spelling, " needs a value: ", spelling, " ", option.value));
    }
  }

  void read_long(const std::string& word) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const Option* option = find_option(command_, name);
    if (option == nullptr) {
      std::vector<std::string> known;
      for (const Option& other : command_.options) known.push_back(other.name);
      const auto nearest = nearest_word(name, known);
      complain(joined("there is no option --", name),
               nearest ? joined("did you mean --", *nearest, "?")
                       : joined("`millrace ", command_.name, " --help` shows those that are"));
    } else if (option->value.empty()) {
      if (equals != std::string::npos) complain(joined("--", name, " takes no value"));
      arguments_.add(option->name, "");
    } else if (equals != std::string::npos) {
      arguments_.add(option->name, word.substr(equals + 1));
    } else {
      take_value(*option, "--" + name);
    }
  }

  void read_short(const std::string& word) {
    for (std::size_t index = 1; index < word.size(); ++index) {
      const Option* option = find_option(command_, word[index]);
      if (option == nullptr) {
        complain(joined("there is no option -", word[index]),
                 joined("`millrace ", command_.name, " --help` shows those that are"));
        return;
      }
      if (option->value.empty()) {
        arguments_.add(option->name, "");
        continue;
      }
      if (index + 1 < word.size()) {
        arguments_.add(option->name, word.substr(index + 1));
      } else {
        take_value(*option, joined("-", word[index]));
      }
      return;
    }
  }

  const Command& command_;
  const std::vector<std::string>& words_;
  std::size_t next_ = 0;
  Arguments arguments_;
  const Option* awaiting_ = nullptr;
  bool are_options_over_ = false;
  std::optional<Failure> problem_;
};

std::string alternatives(const std::vector<std::string>& choices) {
  std::string text;
  for (const std::string& choice : choices) {
    if (!text.empty()) text += choice == choices.back() ? " or " : ", ";
    text += choice;
  }
  return text;
}

std::optional<Failure> wrong_value(const Option& option, const std::string& value) {
  if (option.range) {
    const auto number = whole_number(value);
    if (!number || *number < option.range->min || *number > option.range->max)
      return usage_failure(joined("--", option.name, " is a number from ", option.range->min,
                                  " to ", option.range->max, ", not '", value, "'"));
  }
  if (!option.choices.empty() && std::ranges::find(option.choices, value) == option.choices.end())
    return usage_failure(
        joined("--", option.name, " is ", alternatives(option.choices), ", not '", value, "'"));
  return std::nullopt;
}

std::optional<Failure> wrong_operands(const Command& command, const Arguments& arguments) {
  const std::string hint = joined("usage: ", usage_of(command));
  const auto& given = arguments.operands();
  for (std::size_t index = 0; index < command.operands.size(); ++index) {
    const Operand& operand = command.operands[index];
    if (index >= given.size()) {
      if (operand.is_required) return usage_failure(joined(operand.name, " is missing"), hint);
      continue;
    }
    if (!operand.choices.empty() &&
        std::ranges::find(operand.choices, given[index]) == operand.choices.end())
      return usage_failure(
          joined(operand.name, " is ", alternatives(operand.choices), ", not '", given[index], "'"),
          hint);
  }
  const bool is_open = !command.operands.empty() && command.operands.back().is_repeated;
  if (given.size() > command.operands.size() && !is_open)
    return usage_failure(joined("'", given[command.operands.size()], "' is one word too many"),
                         hint);
  return std::nullopt;
}

std::optional<Failure> wrong_arguments(const Command& command, const Arguments& arguments) {
  for (const Option& option : command.options) {
    const auto values = arguments.all(option.name);
    if (option.is_required && values.empty())
      return usage_failure(joined("--", option.name, " is required"),
                           joined("usage: ", usage_of(command)));
    if (values.size() > 1 && !option.is_repeated && !option.value.empty())
      return usage_failure(joined("--", option.name, " is given more than once"));
    for (const std::string& value : values)
      if (auto wrong = wrong_value(option, value)) return wrong;
  }
  return wrong_operands(command, arguments);
}

}  // namespace

std::optional<std::string> Arguments::text(std::string_view option) const {
  const auto found = options_.find(option);
  if (found == options_.end()) return std::nullopt;
  return found->second.back();
}

std::string Arguments::text_or(std::string_view option, std::string_view otherwise) const {
  return text(option).value_or(std::string(otherwise));
}

std::vector<std::string> Arguments::all(std::string_view option) const {
  const auto found = options_.find(option);
  return found == options_.end() ? std::vector<std::string>() : found->second;
}

std::optional<std::int64_t> Arguments::number(std::string_view option) const {
  const auto given = text(option);
  return given ? whole_number(*given) : std::nullopt;
}

std::int64_t Arguments::number_or(std::string_view option, std::int64_t otherwise) const {
  return number(option).value_or(otherwise);
}

bool Arguments::has(std::string_view option) const {
  return options_.contains(option);
}

std::string Arguments::operand(std::size_t index) const {
  return index < operands_.size() ? operands_[index] : std::string();
}

void Arguments::add(std::string_view option, std::string value) {
  options_[std::string(option)].push_back(std::move(value));
}

std::variant<Arguments, Failure> parse_words(const Command& command,
                                             const std::vector<std::string>& words) {
  Reader reader(command, words);
  reader.read();
  if (reader.problem()) return *reader.problem();
  Arguments arguments = std::move(reader).partial().arguments;
  if (auto wrong = wrong_arguments(command, arguments)) return *std::move(wrong);
  return arguments;
}

PartialLine parse_partly(const Command& command, const std::vector<std::string>& words) {
  Reader reader(command, words);
  reader.read();
  return std::move(reader).partial();
}

bool asks_for_help(const Command* command, const std::vector<std::string>& words) {
  for (std::size_t index = 0; index < words.size() && words[index] != "--"; ++index) {
    if (words[index] == "--help" || words[index] == "-h") return true;
    const bool is_long = words[index].starts_with("--");
    const Option* option = command == nullptr || words[index].size() < 2 ? nullptr
                           : is_long
                               ? find_option(*command, std::string_view(words[index]).substr(2))
                           : words[index].size() == 2 && words[index][0] == '-'
                               ? find_option(*command, words[index][1])
                               : nullptr;
    if (option != nullptr && !option->value.empty()) ++index;  // its value is no request for help
  }
  return false;
}

}  // namespace millrace::cli
