module;
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

module millrace.cli;

import millrace.base;
import millrace.cli.frame;
import millrace.ipc.ring;

namespace millrace::cli {
namespace {

// "2026-01-31T12:00:00.000Z warning broker: ...".
constexpr std::size_t time_letters = 24;
constexpr std::size_t level_letters = 7;

struct LineParts {
  bool is_ours = false;
  LogLevel level = LogLevel::error;
  std::string_view message;
};

LineParts parts_of(std::string_view line) {
  constexpr std::size_t before = time_letters + 1 + level_letters + 1;
  if (line.size() < before || line[10] != 'T' || line[time_letters - 1] != 'Z') return {};
  std::string_view name = line.substr(time_letters + 1, level_letters);
  name = name.substr(0, name.find(' '));
  const auto level = log_level_from_string(name);
  if (!level) return {};
  return {.is_ours = true, .level = *level, .message = line.substr(before)};
}

}  // namespace

LogLevel level_of(std::string_view line) {
  return parts_of(line).level;
}

std::string_view message_of(std::string_view line) {
  const LineParts parts = parts_of(line);
  return parts.is_ours ? parts.message : line;
}

void LineSplitter::feed(std::string_view text, const Taker& take) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::size_t wanted = end == std::string_view::npos ? text.size() : end;
    const std::size_t taken = std::min(wanted, log_line_bytes_max - line_.size());
    line_ += text.substr(0, taken);
    text.remove_prefix(taken);
    if (taken < wanted || end != std::string_view::npos) {
      take(line_);
      line_.clear();
      if (taken == wanted) text.remove_prefix(1);
    }
  }
}

void LineSplitter::finish(const Taker& take) {
  if (!line_.empty()) take(line_);
  line_.clear();
}

LogFile::LogFile(std::string path, std::size_t bytes_max)
    : path_(std::move(path)), bytes_max_(bytes_max) {
  open();
}

void LogFile::open() {
  file_ = ipc::Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  struct stat status{};
  const bool is_known = file_.is_open() && ::fstat(file_.number(), &status) == 0;
  bytes_ = is_known ? static_cast<std::size_t>(status.st_size) : 0;
}

void LogFile::write(std::string_view line) {
  if (bytes_ > 0 && bytes_ + line.size() + 1 > bytes_max_) {
    file_.close();
    // Where it cannot be put aside, the new lines come after the old ones, and are lost.
    const std::string aside = path_ + ".1";
    if (std::rename(path_.c_str(), aside.c_str()) == 0) open();
  }
  const std::string whole = std::string(line) + '\n';
  const auto written = file_.is_open() ? ::write(file_.number(), whole.data(), whole.size()) : -1;
  if (std::cmp_not_equal(written, whole.size())) ++lost_lines_;
  bytes_ += whole.size();
}

namespace {

// Only what a pipe takes whole without waiting, and only when it has room.
void write_at_once(std::string_view text) {
  constexpr std::size_t pipe_takes = 4096;
  while (!text.empty()) {
    pollfd ready{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&ready, 1, 0) != 1 || (ready.revents & POLLOUT) == 0) return;
    const auto written = ::write(STDERR_FILENO, text.data(), std::min(text.size(), pipe_takes));
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

constexpr std::string_view clear_line = "\r\x1b[K";
constexpr std::size_t usual_columns = 80;

}  // namespace

std::string_view cut_to_columns(std::string_view line, std::size_t columns) {
  return line.substr(0, std::max<std::size_t>(columns, 1) - 1);
}

Console::Console() : is_terminal_(::isatty(STDERR_FILENO) == 1) {}

void Console::say(std::string_view line) {
  std::string text;
  if (!status_.empty()) text += clear_line;
  text += line;
  text += '\n';
  text += status_;
  write_at_once(text);
}

void Console::show_status(std::string_view status) {
  if (!is_terminal_ || (status.empty() && status_.empty())) return;
  status_ = cut_to_columns(status, terminal_columns(STDERR_FILENO).value_or(usual_columns));
  write_at_once(std::string(clear_line) + status_);
}

}  // namespace millrace::cli
