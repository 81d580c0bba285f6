module;
#include <spdlog/details/log_msg.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.base;

namespace millrace {
namespace {

constexpr std::array<std::string_view, 4> level_names = {"debug", "info", "warning", "error"};

// Characters that end a line for some reader, steer a terminal, or turn the text's direction so
// that it reads as something else.
bool misleads(char32_t code_point) {
  if (code_point < 0x20) return true;
  if (code_point >= 0x7f && code_point <= 0x9f) return true;
  if (code_point == 0x200e || code_point == 0x200f) return true;
  if (code_point >= 0x2028 && code_point <= 0x202e) return true;
  return code_point >= 0x2066 && code_point <= 0x2069;
}

std::string escape_of(char32_t code_point) {
  if (code_point == '\n') return "\\n";
  if (code_point == '\r') return "\\r";
  if (code_point == '\t') return "\\t";
  const auto number = static_cast<std::uint32_t>(code_point);
  if (number < 0x80) return formatted("\\x{:02x}", number);
  return formatted("\\u{{{:04x}}}", number);
}

// One line of valid UTF-8. A backslash is escaped too: what a peer wrote as \n does not look like
// what we made of its line break.
std::string one_line(std::string_view message) {
  std::string line;
  line.reserve(std::min(message.size(), log_message_bytes_max));
  ByteView rest = as_bytes(message);
  while (!rest.empty()) {
    if (line.size() >= log_message_bytes_max) {
      line += formatted("... ({} more bytes)", rest.size());
      break;
    }
    const Utf8Character character = first_utf8_character(rest);
    const std::string_view raw = as_text(rest.first(character.bytes));
    if (!character.valid) {
      for (const char byte : raw) line += formatted("\\x{:02x}", static_cast<std::uint8_t>(byte));
    } else if (misleads(character.code_point)) {
      line += escape_of(character.code_point);
    } else {
      if (character.code_point == '\\') line += '\\';
      line += raw;
    }
    rest = rest.subspan(character.bytes);
  }
  return line;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// The priorities of syslog(3), which journald reads from the start of a line.
class JournalPriority final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& to) override {
    const std::string_view priority = message.level >= spdlog::level::err    ? "<3>"
                                      : message.level >= spdlog::level::warn ? "<4>"
                                      : message.level >= spdlog::level::info ? "<6>"
                                                                             : "<7>";
    to.append(priority.data(), priority.data() + priority.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<JournalPriority>();
  }
};

std::unique_ptr<spdlog::formatter> formatter_for(LogFormat format) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  if (format == LogFormat::journal) {
    formatter->add_flag<JournalPriority>('P').set_pattern("%P%n: %v");
  } else {
    formatter->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %-7l %n: %v");
  }
  return formatter;
}

class StderrLogSink final : public LogSink {
 public:
  explicit StderrLogSink(LogFormat format) { stderr_.set_formatter(formatter_for(format)); }

  void write(LogLevel level, std::string_view component, std::string_view message) override {
    stderr_.log({spdlog::string_view_t(component.data(), component.size()), spdlog_level(level),
                 spdlog::string_view_t(message.data(), message.size())});
  }

 private:
  spdlog::sinks::stderr_sink_mt stderr_;
};

}  // namespace

std::string_view name_of(LogLevel level) {
  return level_names.at(static_cast<std::size_t>(level));
}

Result<LogLevel> log_level_from_string(std::string_view text) {
  const auto found = std::find(level_names.begin(), level_names.end(), text);
  if (found == level_names.end()) {
    return failure(ErrorKind::invalid_argument, "a log level is debug, info, warning or error");
  }
  return static_cast<LogLevel>(found - level_names.begin());
}

Logger::Logger(std::shared_ptr<LogSink> sink, std::string_view component)
    : sink_(std::move(sink)), component_(one_line(component)) {
  check(sink_ != nullptr, "a logger has a sink");
}

Logger Logger::child(std::string_view name) const {
  Logger child = *this;
  child.component_ += '.' + one_line(name);
  return child;
}

void Logger::write(LogLevel level, std::string_view message) const {
  sink_->write(level, component_, one_line(message));
}

LimitedLogger::LimitedLogger(Logger logger, const Clock& clock, LogRate rate)
    : logger_(std::move(logger)), clock_(&clock), rate_(rate), period_end_(clock.now()) {}

LimitedLogger::~LimitedLogger() {
  report_suppressed();
}

bool LimitedLogger::admits(LogLevel level) const {
  if (!logger_.admits(level)) return false;
  const MonotonicTime now = clock_->now();
  if (now >= period_end_) {
    period_end_ = now + rate_.period;
    lines_ = 0;
  }
  if (lines_ >= rate_.lines_max) {
    ++suppressed_;
    suppressed_level_ = std::max(suppressed_level_, level);
    return false;
  }
  ++lines_;
  return true;
}

void LimitedLogger::write(LogLevel level, std::string_view message) const {
  report_suppressed();
  logger_.write(level, message);
}

void LimitedLogger::report_suppressed() const {
  if (suppressed_ == 0) return;
  logger_.log(suppressed_level_, "{} similar lines left out", suppressed_);
  suppressed_ = 0;
  suppressed_level_ = LogLevel::debug;
}

LogFormat log_format_for(std::string_view journal_stream, int descriptor) {
  struct stat status{};
  if (journal_stream.empty() || ::fstat(descriptor, &status) != 0) return LogFormat::plain;
  const std::string actual = formatted("{}:{}", status.st_dev, status.st_ino);
  return journal_stream == actual ? LogFormat::journal : LogFormat::plain;
}

LogFormat stderr_log_format() {
  const char* journal_stream = std::getenv("JOURNAL_STREAM");
  return log_format_for(journal_stream == nullptr ? "" : journal_stream, STDERR_FILENO);
}

std::shared_ptr<LogSink> make_stderr_log_sink(LogFormat format) {
  return std::make_shared<StderrLogSink>(format);
}

struct MemoryLogSink::State {
  std::mutex mutex;
  std::deque<Line> lines;
  std::size_t lines_max;
};

MemoryLogSink::MemoryLogSink(std::size_t lines_max) : state_(std::make_unique<State>()) {
  state_->lines_max = lines_max;
}

MemoryLogSink::~MemoryLogSink() = default;

void MemoryLogSink::write(LogLevel level, std::string_view component, std::string_view message) {
  const std::lock_guard lock(state_->mutex);
  state_->lines.push_back({level, std::string(component), std::string(message)});
  if (state_->lines.size() > state_->lines_max) state_->lines.pop_front();
}

std::vector<MemoryLogSink::Line> MemoryLogSink::lines() const {
  const std::lock_guard lock(state_->mutex);
  return {state_->lines.begin(), state_->lines.end()};
}

}  // namespace millrace
