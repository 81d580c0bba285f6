// What is wrong with a configuration, said so that it can be mended: where, which property, what
// was given and what is allowed. A load reports all problems of all its files at once.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

export module millrace.config:problem;

import millrace.base;
import :limits;

export namespace millrace::config {

// From weakest to strongest: a later kind wins over an earlier one.
enum class SourceKind : std::uint8_t {
  default_value,
  file,
  command_line,
  // Set in the cluster's metadata while it runs: for all brokers, for one broker, for a topic.
  cluster_wide,
  per_broker,
  per_topic,
};

// Where a value came from. `file` and `line` (from 1) are set for files only.
struct Source {
  SourceKind kind = SourceKind::default_value;
  std::string file;
  std::uint32_t line = 0;

  friend bool operator==(const Source&, const Source&) = default;
};

// "server.properties:12", "command line", "default".
[[nodiscard]] std::string to_string(const Source& source);

enum class Severity : std::uint8_t { warning, error };

struct Problem {
  Severity severity = Severity::error;
  Source source;
  std::string message;

  friend bool operator==(const Problem&, const Problem&) = default;
};

// "error: server.properties:12: unknown property log.retention.hour; did you mean ...".
[[nodiscard]] std::string to_string(const Problem& problem);

// Collects problems, at most problems_max of them; what comes after is counted only. Errors are
// kept in preference to warnings. A value type, used by one thread.
class Problems {
 public:
  void warn(Source source, std::string message);
  void fail(Source source, std::string message);
  void add(const Problems& others);

  [[nodiscard]] bool has_errors() const { return errors_ > 0; }
  [[nodiscard]] bool empty() const { return list_.empty(); }
  // In the order in which they were found.
  [[nodiscard]] const std::vector<Problem>& list() const { return list_; }
  [[nodiscard]] std::size_t left_out() const { return left_out_; }
  // Whether another problem could only be counted: its sentence need not be made with care.
  [[nodiscard]] bool is_full() const { return list_.size() == problems_max; }
  // One line each, and one that says how many were left out.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] Error as_error() const;

 private:
  void keep(Problem problem);

  std::vector<Problem> list_;
  std::size_t errors_ = 0;
  std::size_t left_out_ = 0;
};

// A word from outside as it may stand in a message or on a terminal: control characters and
// bytes that are no UTF-8 escaped, cut at quoted_bytes_max.
[[nodiscard]] std::string printable(std::string_view word);

// What stands in place of a secret, as in Kafka.
inline constexpr std::string_view hidden_text = "[hidden]";

}  // namespace millrace::config
