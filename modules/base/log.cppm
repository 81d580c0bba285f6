// Log output. A Logger is a value that is handed in; where its lines go is a LogSink. What a peer
// sent may be logged: a line stays one line, whatever is in it.
module;
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

export module millrace.base:log;

import :clock;
import :format;
import :result;

export namespace millrace {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

[[nodiscard]] std::string_view name_of(LogLevel level);
[[nodiscard]] Result<LogLevel> log_level_from_string(std::string_view text);

// The rest of a longer message is cut off and counted.
inline constexpr std::size_t log_message_bytes_max = 8192;

// Where lines go. Shared by the loggers that write to it; write() is called from any thread. A line
// that cannot be written is lost: logging never fails the one who logs.
class LogSink {
 public:
  virtual ~LogSink() = default;
  LogSink(const LogSink&) = delete;
  LogSink& operator=(const LogSink&) = delete;

  // Lines below the threshold cost next to nothing. It may be moved at any time, from any thread.
  [[nodiscard]] inline bool takes(LogLevel level) const {
    return level >= threshold_.load(std::memory_order_relaxed);
  }
  void set_threshold(LogLevel threshold) { threshold_.store(threshold, std::memory_order_relaxed); }

  // `message` holds no line break and no control character.
  virtual void write(LogLevel level, std::string_view component, std::string_view message) = 0;

 protected:
  LogSink() = default;

 private:
  std::atomic<LogLevel> threshold_ = LogLevel::info;
};

// What the two loggers have in common: `log.info("partition {} at {}", name, offset)`, checked when
// it is compiled. Arguments of a line that is not written are not formatted.
template <class Derived>
class LogMethods {
 public:
  template <class... Args>
  void debug(FormatString<std::type_identity_t<Args>...> format, const Args&... args) const {
    log(LogLevel::debug, format, args...);
  }
  template <class... Args>
  void info(FormatString<std::type_identity_t<Args>...> format, const Args&... args) const {
    log(LogLevel::info, format, args...);
  }
  template <class... Args>
  void warning(FormatString<std::type_identity_t<Args>...> format, const Args&... args) const {
    log(LogLevel::warning, format, args...);
  }
  template <class... Args>
  void error(FormatString<std::type_identity_t<Args>...> format, const Args&... args) const {
    log(LogLevel::error, format, args...);
  }
  template <class... Args>
  void log(LogLevel level, FormatString<std::type_identity_t<Args>...> format,
           const Args&... args) const {
    const auto& self = static_cast<const Derived&>(*this);
    if (self.admits(level)) self.write(level, formatted(format, args...));
  }

 private:
  friend Derived;
  LogMethods() = default;
};

// Writes the lines of one component. Cheap to copy; each component has its own. Keeps its sink
// alive.
class Logger : public LogMethods<Logger> {
 public:
  Logger(std::shared_ptr<LogSink> sink, std::string_view component);

  // The same sink under another name: "broker" makes "broker.network".
  [[nodiscard]] Logger child(std::string_view name) const;

  [[nodiscard]] inline bool admits(LogLevel level) const { return sink_->takes(level); }
  void write(LogLevel level, std::string_view message) const;

 private:
  std::shared_ptr<LogSink> sink_;
  std::string component_;
};

// At most `lines_max` lines in each `period`.
struct LogRate {
  std::uint32_t lines_max = 10;
  Duration period = std::chrono::seconds{10};
};

// A logger for what a peer can cause as often as it likes. Lines over the rate are counted; the
// next line that passes, or the end of this logger, is preceded by one that tells how many were
// left out. Lives on one thread; the clock outlives it.
class LimitedLogger : public LogMethods<LimitedLogger> {
 public:
  LimitedLogger(Logger logger, const Clock& clock, LogRate rate = {});
  ~LimitedLogger();
  LimitedLogger(const LimitedLogger&) = delete;
  LimitedLogger& operator=(const LimitedLogger&) = delete;

  // Whether the line passes; it then counts as written.
  [[nodiscard]] bool admits(LogLevel level) const;
  void write(LogLevel level, std::string_view message) const;

  // Lines left out since the last report.
  [[nodiscard]] std::uint64_t suppressed() const { return suppressed_; }
  // Says how many lines were left out, if any were. For a timer of the owner, so that the end of a
  // flood is told too.
  void report_suppressed() const;

 private:
  Logger logger_;
  const Clock* clock_;
  LogRate rate_;
  // Logging is const: it changes nothing for the one who logs.
  mutable MonotonicTime period_end_;
  mutable std::uint32_t lines_ = 0;
  mutable std::uint64_t suppressed_ = 0;
  mutable LogLevel suppressed_level_ = LogLevel::debug;
};

// How a line looks: for people, with the time; or for systemd's journal, which knows the time and
// takes the priority as "<N>".
enum class LogFormat : std::uint8_t { plain, journal };

// systemd sets JOURNAL_STREAM to "device:inode" of the journal's stream. It is inherited by
// processes whose stderr is something else, so the numbers are compared with those of the
// descriptor.
[[nodiscard]] LogFormat log_format_for(std::string_view journal_stream, int descriptor);
// The same with this process's environment and stderr. For the start of main.
[[nodiscard]] LogFormat stderr_log_format();

[[nodiscard]] std::shared_ptr<LogSink> make_stderr_log_sink(LogFormat format);

// Keeps the last lines in memory, for tests.
class MemoryLogSink final : public LogSink {
 public:
  struct Line {
    LogLevel level = LogLevel::info;
    std::string component;
    std::string message;

    friend bool operator==(const Line&, const Line&) = default;
  };

  explicit MemoryLogSink(std::size_t lines_max = 1000);
  ~MemoryLogSink() override;

  void write(LogLevel level, std::string_view component, std::string_view message) override;
  // Oldest first.
  [[nodiscard]] std::vector<Line> lines() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace millrace
