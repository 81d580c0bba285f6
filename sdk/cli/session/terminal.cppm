// Standard output for much text, a line of progress, and Ctrl-C.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "millrace/result.hpp"

export module millrace.cli.session:terminal;

import millrace.cli.frame;

export namespace millrace::cli {

// Standard output, written in blocks. For one thread.
class Output {
 public:
  static constexpr std::size_t block_bytes = std::size_t{64} * 1024;

  // A reader that goes away is not a signal any more, but the end of writing.
  Output();
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void write(std::string_view text);
  void flush();
  // Nobody reads any more, or the disk is full: nothing is written from then on.
  [[nodiscard]] bool is_broken() const { return problem_ != 0; }
  // No for a pipe that nobody holds open any more: writing would tell, but who waits does not
  // write.
  [[nodiscard]] static bool has_reader();
  // Of what broke it; none for a reader that went away, which is well.
  [[nodiscard]] std::optional<Failure> failure() const;

 private:
  std::string block_;
  int problem_ = 0;
};

// While one lives, SIGINT and SIGTERM ask for an orderly end; a second one ends the process at
// once.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] static bool is_asked();
};

// While one lives, SIGINT and SIGTERM end the process with this code, though an Interrupt lives:
// for a call that may take long, between two of which is_asked() is looked at. What was written by
// then has been flushed.
class EndsAtOnce {
 public:
  explicit EndsAtOnce(int exit_code);
  ~EndsAtOnce();
  EndsAtOnce(const EndsAtOnce&) = delete;
  EndsAtOnce& operator=(const EndsAtOnce&) = delete;
};

// A line on the standard error output that is written anew a few times in a second, where that is a
// terminal. It is gone in the end.
class Progress {
 public:
  static constexpr std::chrono::milliseconds interval{200};

  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Whether it is time for a line: making one may cost something.
  [[nodiscard]] bool is_due();
  void show(std::string_view line);

 private:
  bool is_terminal_ = false;
  bool is_shown_ = false;
  std::chrono::steady_clock::time_point next_ = {};
};

}  // namespace millrace::cli
