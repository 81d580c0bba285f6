// The description of a command, from which parsing, help, completion and man pages are made.
module;
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.cli.frame:command;

import :answer;
import :printing;

export namespace millrace::cli {

// The version of the program.
inline constexpr std::string_view version = MILLRACE_VERSION;

// What may stand in a place of the command line.
enum class Completes : std::uint8_t {
  nothing,
  files,
  directories,
  topics,
  groups,
  brokers,
  profiles,
  commands,
  of_kind,  // topics, brokers or groups: what the first operand says
};

struct Range {
  std::int64_t min = 0;
  std::int64_t max = 0;
};

struct Option {
  std::string name;        // "partitions"
  std::string value = {};  // "N"; a flag has none
  std::string help;
  char letter = 0;
  std::string initial = {};  // what counts when it is not given; for help
  bool is_required = false;
  bool is_repeated = false;
  std::optional<Range> range = {};        // a whole number within it
  std::vector<std::string> choices = {};  // one of these
  Completes completes = Completes::nothing;
  bool is_common = false;  // of all commands that reach a cluster
};

struct Operand {
  std::string name;  // "TOPIC"
  std::string help;
  Completes completes = Completes::nothing;
  bool is_required = true;
  bool is_repeated = false;  // the last one only
  std::vector<std::string> choices = {};
};

struct Example {
  std::string line;
  std::string help;
};

class Arguments;

// What a command is given.
struct Call {
  const Arguments& arguments;
  Format format = Format::table;
};

struct Command {
  std::string name;  // "topic create"
  std::string summary;
  std::string description = {};
  std::vector<Operand> operands = {};
  std::vector<Option> options = {};
  std::vector<Example> examples = {};
  std::function<Answer(const Call&)> run;
  bool is_hidden = false;
};

// For all commands that reach a cluster.
[[nodiscard]] std::vector<Option> cluster_options();
// -o: for all that answer with a table.
[[nodiscard]] Option output_option();
// `options` with the two above.
[[nodiscard]] std::vector<Option> with_cluster_options(std::vector<Option> options);

[[nodiscard]] const Command* find_command(const std::vector<Command>& commands,
                                          std::string_view name);
// Of "topic": topic create, topic list, ...; of "": all that are not hidden.
[[nodiscard]] std::vector<const Command*> commands_below(const std::vector<Command>& commands,
                                                         std::string_view group);
[[nodiscard]] const Option* find_option(const Command& command, std::string_view name);
[[nodiscard]] const Option* find_option(const Command& command, char letter);

// How many of the words name a command, and which; 0 words: none does.
struct NamedCommand {
  const Command* command = nullptr;
  std::size_t words = 0;
};
[[nodiscard]] NamedCommand name_command(const std::vector<Command>& commands,
                                        const std::vector<std::string>& words);

// "millrace topic create TOPIC [OPTION]..."
[[nodiscard]] std::string usage_of(const Command& command);
// "-o, --output FORMAT"
[[nodiscard]] std::string spelling_of(const Option& option);

}  // namespace millrace::cli
