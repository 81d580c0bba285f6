// What a command has to say: one description, from which a table, TSV and JSON are made.
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

export module millrace.cli.frame:answer;

export namespace millrace::cli {

// How the program ends.
inline constexpr int exit_success = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

// "error: topic orders exists (TOPIC_ALREADY_EXISTS); `millrace topic describe orders` shows it"
struct Failure {
  std::string code;  // Kafka's name of the error, or USAGE and the like; in JSON always
  std::string message;
  std::string hint = {};
  bool is_usage = false;       // the command line is wrong
  bool is_code_plain = false;  // the sentence says all of it to people
};

[[nodiscard]] inline Failure usage_failure(std::string message, std::string hint = {}) {
  return {
      .code = "USAGE", .message = std::move(message), .hint = std::move(hint), .is_usage = true};
}

using Texts = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;
using Pairs = std::vector<std::pair<std::string, std::string>>;  // an object in JSON
// Nothing: "-" in tables, null in JSON.
using Cell =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Texts, Numbers, Pairs>;

struct Column {
  std::string name;         // in JSON; in capitals the heading of the table
  bool is_in_table = true;  // or in TSV and JSON only
};

struct Answer {
  // Fields of the JSON object besides the rows.
  std::vector<std::pair<std::string, Cell>> fields = {};
  // The rows are a table, and in JSON an array of this name, of objects.
  std::string rows_name = {};
  std::vector<Column> columns = {};
  std::vector<std::vector<Cell>> rows = {};
  // For people, before the table; where there are any, `is_table_needless` leaves the table away.
  Texts sentences = {};
  bool is_table_needless = false;
  std::vector<Failure> failures = {};
  // Everything has been printed while it came.
  bool is_printed = false;
  std::optional<int> exit_code = {};  // else 0, or what the failures say
};

[[nodiscard]] inline Answer failed(Failure failure) {
  Answer answer;
  answer.failures.push_back(std::move(failure));
  return answer;
}

[[nodiscard]] inline int exit_code_of(const Answer& answer) {
  if (answer.exit_code) return *answer.exit_code;
  int code = exit_success;
  for (const Failure& failure : answer.failures) {
    if (failure.is_usage) return exit_usage;
    code = exit_failure;
  }
  return code;
}

}  // namespace millrace::cli
