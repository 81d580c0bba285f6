module;
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

module millrace.cli.session;

import millrace.cli.frame;

namespace millrace::cli {
namespace {

constinit std::atomic<bool> interrupted = false;
constexpr int no_exit_code = -1;
constinit std::atomic<int> exit_code_at_once = no_exit_code;
static_assert(std::atomic<bool>::is_always_lock_free && std::atomic<int>::is_always_lock_free,
              "a signal handler may use them");

void take_signal(int) {
  const int exit_code = exit_code_at_once;
  if (exit_code != no_exit_code) ::_exit(exit_code);
  interrupted = true;
}

// The handler counts once: the second signal does what it does to any program.
void handle(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(handler == SIG_DFL ? 0U : SA_RESETHAND);
  ::sigaction(signal, &action, nullptr);
}

// An error output that cannot be written to has nobody who would miss the line.
void write_error_output(std::string_view text) {
  static_cast<void>(!::write(STDERR_FILENO, text.data(), text.size()));
}

}  // namespace

Output::Output() {
  ::signal(SIGPIPE, SIG_IGN);
}

Output::~Output() {
  flush();
}

void Output::write(std::string_view text) {
  if (is_broken()) return;
  block_ += text;
  if (block_.size() >= block_bytes) flush();
}

void Output::flush() {
  std::string_view left = block_;
  while (!left.empty() && !is_broken()) {
    const ssize_t written = ::write(STDOUT_FILENO, left.data(), left.size());
    if (written > 0) {
      left.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      problem_ = errno;
    } else if (Interrupt::is_asked()) {
      problem_ = EPIPE;  // a reader that stands still does not keep us from ending
    }
  }
  block_.clear();
}

bool Output::has_reader() {
  pollfd output{.fd = STDOUT_FILENO, .events = 0, .revents = 0};
  return ::poll(&output, 1, 0) < 1 || (output.revents & POLLERR) == 0;
}

std::optional<Failure> Output::failure() const {
  if (problem_ == 0 || problem_ == EPIPE) return std::nullopt;
  return Failure{.code = "OUTPUT",
                 .message = joined("standard output cannot be written: ", std::strerror(problem_))};
}

Interrupt::Interrupt() {
  interrupted = false;
  handle(SIGINT, take_signal);
  handle(SIGTERM, take_signal);
}

Interrupt::~Interrupt() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
}

bool Interrupt::is_asked() {
  return interrupted;
}

EndsAtOnce::EndsAtOnce(int exit_code) {
  exit_code_at_once = exit_code;
  if (interrupted) ::_exit(exit_code);  // it came just before
}

EndsAtOnce::~EndsAtOnce() {
  exit_code_at_once = no_exit_code;
}

Progress::Progress() : is_terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (is_shown_) write_error_output("\r\x1b[K");
}

bool Progress::is_due() {
  if (!is_terminal_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return false;
  next_ = now + interval;
  return true;
}

void Progress::show(std::string_view line) {
  if (!is_terminal_) return;
  is_shown_ = true;
  write_error_output(joined("\r\x1b[K", line));
}

}  // namespace millrace::cli
