// Standard input, line by line.
module;
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

export module millrace.cli.records:line_reader;

import millrace.cli.frame;

export namespace millrace::cli {

// For one thread. A signal that asks for an end is the end of the input; a line of which the end
// was not read by then is not given.
class LineReader {
 public:
  static constexpr std::size_t block_bytes = std::size_t{256} * 1024;
  static constexpr std::size_t line_bytes_max = std::size_t{128} * 1024 * 1024;

  explicit LineReader(int file) : file_(file) {}

  // Without its end; valid until the next call. None at the end of the input, or after a failure.
  [[nodiscard]] std::optional<std::string_view> next();
  // Everything that is left; none after a signal, for more was to come.
  [[nodiscard]] std::optional<std::string> rest();
  // next() would have to wait.
  [[nodiscard]] bool would_wait() const;
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

 private:
  // False at the end.
  [[nodiscard]] bool read_more();

  int file_;
  std::string held_;
  std::size_t begin_ = 0;     // of what was not given yet
  std::size_t searched_ = 0;  // no line end before
  bool is_at_end_ = false;
  std::optional<Failure> failure_;
};

}  // namespace millrace::cli
