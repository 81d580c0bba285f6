// What a process tells systemd about itself: sd_notify's protocol, which is a datagram with lines
// of NAME=VALUE.
module;
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

export module millrace.runtime.process:notifier;

import millrace.base;

export namespace millrace {

// What systemd set for this process: where to notify, and how often it wants to hear that we live.
struct NotifyEnvironment {
  std::string socket;  // NOTIFY_SOCKET; empty: nobody listens
  std::optional<Duration> watchdog;

  // From this process's environment. The variables are taken out of it, so that no child speaks for
  // us: for the start of main, before other threads.
  [[nodiscard]] static NotifyEnvironment take();
};

// Tells whoever started the process, if that listens. Any thread may call it. What cannot be told
// is lost: the process does its work without it.
class Notifier {
 public:
  explicit Notifier(NotifyEnvironment environment);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  [[nodiscard]] bool is_heard() const { return socket_ >= 0; }
  // Within which time watchdog() must be told again, if it must.
  [[nodiscard]] std::optional<Duration> watchdog_interval() const { return environment_.watchdog; }

  void ready(std::string_view status) const;
  void stopping(std::string_view status) const;
  // A line for `systemctl status`.
  void status(std::string_view status) const;
  void watchdog() const;
  // Starting or stopping takes so long more, and is well.
  void extend_timeout(Duration duration) const;

 private:
  void send(std::string_view lines) const;

  NotifyEnvironment environment_;
  int socket_ = -1;
};

}  // namespace millrace
