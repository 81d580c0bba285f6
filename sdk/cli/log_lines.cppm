// What child processes print: into bounded files, and what a person should see to the console.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

export module millrace.cli:log_lines;

import millrace.base;
import millrace.ipc.ring;

export namespace millrace::cli {

// A longer line is cut in pieces of this size.
inline constexpr std::size_t log_line_bytes_max = 16 * kibibyte;
// A log file is put aside at this size, in place of the one that was put aside before.
inline constexpr std::size_t log_file_bytes_max = 16 * mebibyte;

// The level that a line of our processes names. A line of another form, such as a sanitizer's
// report, is an error: somebody should see it.
[[nodiscard]] LogLevel level_of(std::string_view line);
// Of a line of our processes, what comes after time and level.
[[nodiscard]] std::string_view message_of(std::string_view line);

// Cuts what comes in pieces into lines.
class LineSplitter {
 public:
  using Taker = std::function<void(std::string_view line)>;

  void feed(std::string_view text, const Taker& take);
  // What is left without an end, if anything.
  void finish(const Taker& take);

 private:
  std::string line_;
};

// One file and the one before it, so that two times `bytes_max` are used at most. A line that
// cannot be written is lost, and counted.
class LogFile {
 public:
  explicit LogFile(std::string path, std::size_t bytes_max = log_file_bytes_max);

  void write(std::string_view line);
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t lost_lines() const { return lost_lines_; }

 private:
  void open();

  std::string path_;
  std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::uint64_t lost_lines_ = 0;
  ipc::Descriptor file_;
};

// What of a line fits on a terminal: one that were to go on in the next row could not be cleared.
// One column stays free for the cursor.
[[nodiscard]] std::string_view cut_to_columns(std::string_view line, std::size_t columns);

// Standard error, shared with a status line where it is a terminal. It never waits for whoever
// reads: lines that find no room are lost, because children wait for us.
class Console {
 public:
  Console();

  void say(std::string_view line);
  // Shown below all lines, until the next one; only on a terminal.
  void show_status(std::string_view status);
  void clear_status() { show_status({}); }
  [[nodiscard]] bool is_terminal() const { return is_terminal_; }

 private:
  bool is_terminal_;
  std::string status_;
};

}  // namespace millrace::cli
