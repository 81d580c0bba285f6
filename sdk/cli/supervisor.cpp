module;
#include <signal.h>  // sigprocmask
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.cli;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;
import millrace.runtime.process;
import millrace.runtime.shard;
import millrace.runtime.streams;

namespace millrace::cli {

// One child with its log, through all its restarts.
struct Supervisor::Member {
  Member(const ChildPlan& p, std::string log_path, Executor& executor)
      : plan(p), log(std::move(log_path)), changed(executor) {}

  const ChildPlan& plan;
  LogFile log;
  LineSplitter splitter;
  std::unique_ptr<Child> child;  // while it runs
  AsyncSignal changed;           // it ended, or a stop is asked for
  std::string last_error;        // of the life that goes on or ended last
  MonotonicTime shown_since{};
  std::uint32_t shown = 0;
  bool is_kept = true;  // by keep_running()
};

namespace {

// 0 where it cannot be read: the process has just ended.
std::uint64_t resident_bytes(pid_t process) {
  std::ifstream file(formatted("/proc/{}/statm", process));
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  if (!(file >> total_pages >> resident_pages)) return 0;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

Supervisor::Supervisor(const Parts& parts)
    : parts_(parts),
      stop_asked_(parts.loop),
      ready_changed_(parts.loop),
      status_changed_(parts.loop) {
  for (const ChildPlan& child : parts.plan.children) {
    members_.push_back(
        std::make_unique<Member>(child, parts.data.log_path(child.name), parts.loop));
  }
}

Supervisor::~Supervisor() = default;

Result<void> Supervisor::watch_signals() {
  sigset_t taken;
  ::sigemptyset(&taken);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    // A shell ignores SIGINT for what it starts in the background: it would never come.
    if (::signal(signal, SIG_DFL) == SIG_ERR) check(false, "a signal has its usual meaning");
    ::sigaddset(&taken, signal);
  }
  if (::sigprocmask(SIG_BLOCK, &taken, nullptr) == 0) {
    signals_ = ipc::Descriptor(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  if (!signals_.is_open()) {
    return failure(ErrorKind::io, formatted("signalfd: {}", std::strerror(errno)));
  }
  return parts_.loop.watch(signal_watch_, signals_.number());
}

void Supervisor::take_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.number(), &info, sizeof info) != sizeof info) return;
  const int number = static_cast<int>(info.ssi_signo);
  if (!is_stopping_) {
    parts_.console.say(formatted("millrace: {}: stopping", ::strsignal(number)));
    request_stop();
  } else if (number != SIGINT) {
    if (!std::exchange(is_repeat_told_, true)) {
      parts_.console.say("millrace: it is stopping already");
    }
  } else if (++interrupts_ < interrupts_to_kill) {
    parts_.console.say("millrace: it is stopping already; interrupt it again to kill what runs");
  } else {
    parts_.console.say("millrace: interrupted again: killing what still runs");
    kill_all();
  }
}

void Supervisor::request_stop() {
  if (std::exchange(is_stopping_, true)) return;
  parts_.notifier.stopping("stopping");
  // One that stands still hears nothing, and others would wait for it.
  for (const auto& member : members_) {
    if (member->child) member->child->send(SIGCONT);
  }
  stop_asked_.set();
  ready_changed_.set();
  status_changed_.set();
}

void Supervisor::give_up(const std::string& why, int exit_code) {
  if (is_stopping_) return;
  parts_.console.say(formatted("millrace: {}", why));
  why_given_up_ = why;
  exit_code_ = exit_code;
  request_stop();
}

void Supervisor::kill_all() {
  is_killing_ = true;
  for (const auto& member : members_) {
    if (member->child) member->child->send(SIGKILL);
  }
}

Task<int> Supervisor::run() {
  if (auto watched = watch_signals(); !watched) {
    parts_.console.say(formatted("millrace: {}", watched.error().message));
    co_return static_cast<int>(ExitCode::failure);
  }
  for (const auto& member : members_) children_.start(keep_running(*member));
  others_.start(announce_ready());
  if (parts_.shows_status) others_.start(show_status());
  while (!is_stopping_) static_cast<void>(co_await stop_asked_.wait());
  for (const Role role : {Role::coordinator, Role::broker, Role::controller}) {
    co_await stop_role(role);
  }
  co_await children_.wait();
  co_await others_.wait();
  parts_.loop.unwatch(signal_watch_);
  parts_.console.clear_status();
  co_return exit_code_;
}

Task<void> Supervisor::keep_running(Member& member) {
  const ChildCommand command{.program = formatted("{}/{}", parts_.programs, member.plan.program),
                             .arguments = member.plan.arguments,
                             .inherited_descriptor = parts_.data.lock()};
  Duration delay = restart_delay_min;
  while (!is_stopping_) {
    member.last_error.clear();
    auto started = Child::start(parts_.loop, command, [this, &member](std::string_view text) {
      take_output(member, text);
    });
    if (!started && !is_ready_) {
      give_up(started.error().message, static_cast<int>(ExitCode::failure));
      break;
    }
    if (!started) {
      // What is lacking, descriptors or memory or the program while it is installed anew, may be
      // there later.
      co_await pause_before_start(
          member, formatted("{}: {}", member.plan.name, started.error().message), delay);
      continue;
    }
    member.child = std::move(*started);
    if (is_killing_) member.child->send(SIGKILL);
    const MonotonicTime began = parts_.loop.clock().now();
    const Ending ending = co_await member.child->wait_for_end();
    member.splitter.finish([&](std::string_view line) { take_line(member, line); });
    member.child.reset();
    if (is_stopping_) {
      // Who had not begun to look after signals ends by ours, which is as well.
      if (!ending.is_success() && ending.signal != SIGTERM) {
        parts_.console.say(formatted("millrace: {} ended with {}", member.plan.name, ending));
        if (exit_code_ == 0) exit_code_ = static_cast<int>(ExitCode::failure);
      }
      break;
    }
    if (!may_restart(member, ending)) break;
    if (parts_.loop.clock().now() - began >= running_well_after) delay = restart_delay_min;
    ++restarts_;
    co_await pause_before_start(member, formatted("{} ended with {}", member.plan.name, ending),
                                delay);
  }
  member.is_kept = false;
  member.changed.set();
}

Task<void> Supervisor::pause_before_start(Member& member, std::string why, Duration& delay) {
  parts_.console.say(
      formatted("millrace: {}; it is started again in {} ms", why,
                std::chrono::duration_cast<std::chrono::milliseconds>(delay).count()));
  static_cast<void>(co_await member.changed.wait(parts_.loop.clock().now() + delay));
  delay = std::min(2 * delay, restart_delay_max);
}

bool Supervisor::may_restart(const Member& member, const Ending& ending) {
  // What is wrong with the command line or the configuration is wrong next time too; and before all
  // has served once, a process that gives up is told at once to whoever wants to start a cluster.
  const bool is_hopeless = ending.exit_code == static_cast<int>(ExitCode::usage) ||
                           ending.exit_code == static_cast<int>(ExitCode::configuration);
  if (ending.signal != 0 || (is_ready_ && !is_hopeless)) return true;
  std::string why = formatted("{} cannot start ({})", member.plan.name, ending);
  if (!member.last_error.empty()) why += formatted(": {}", member.last_error);
  why += formatted("; its log is {}", member.log.path());
  const int code = ending.exit_code;
  give_up(why, code == 0 ? static_cast<int>(ExitCode::failure) : code);
  return false;
}

void Supervisor::take_output(Member& member, std::string_view text) {
  member.splitter.feed(text, [&](std::string_view line) { take_line(member, line); });
}

void Supervisor::take_line(Member& member, std::string_view line) {
  const bool was_written = member.log.lost_lines() == 0;
  member.log.write(line);
  if (was_written && member.log.lost_lines() > 0) {
    parts_.console.say(formatted("millrace: {} cannot be written", member.log.path()));
  }
  const LogLevel level = level_of(line);
  if (level < LogLevel::warning || line.empty()) return;
  if (level == LogLevel::error) member.last_error = message_of(line);
  // While they start they wait for one another, and warn of it.
  if (level == LogLevel::warning && !is_ready_) return;
  if (may_show(member)) parts_.console.say(formatted("{}: {}", member.plan.name, line));
}

bool Supervisor::may_show(Member& member) {
  const MonotonicTime now = parts_.loop.clock().now();
  if (now - member.shown_since >= shown_lines_period) {
    member.shown_since = now;
    member.shown = 0;
  }
  if (++member.shown == shown_lines_max) {
    parts_.console.say(formatted("{}: for more see {}", member.plan.name, member.log.path()));
  }
  return member.shown < shown_lines_max;
}

Task<void> Supervisor::announce_ready() {
  const Clock& clock = parts_.loop.clock();
  const MonotonicTime began = clock.now();
  MonotonicTime explained = began;
  while (!is_stopping_) {
    const auto served = co_await probe_cluster(parts_.network, clock, parts_.plan.brokers);
    const MonotonicTime now = clock.now();
    if (served && !is_stopping_) {
      is_ready_ = true;
      const std::string& line = parts_.ready_line;
      parts_.notifier.ready(formatted("serving {}", parts_.plan.bootstrap()));
      parts_.console.clear_status();
      const auto written = ::write(STDOUT_FILENO, line.data(), line.size());
      if (std::cmp_not_equal(written, line.size())) {
        parts_.console.say("millrace: nobody reads the ready line on standard output");
      }
      parts_.console.say(
          formatted("millrace: serves after {} ms; logs are in {}/logs",
                    std::chrono::duration_cast<std::chrono::milliseconds>(now - began).count(),
                    parts_.data.path()));
      co_return;
    }
    if (now - explained >= explain_interval && !served) {
      explained = now;
      parts_.console.say(formatted("millrace: not ready yet: {}", served.error().message));
    }
    static_cast<void>(co_await ready_changed_.wait(now + probe_interval));
  }
}

Task<void> Supervisor::stop_role(Role role) {
  for (const auto& member : members_) {
    if (member->plan.role != role) continue;
    if (member->child) member->child->send(SIGTERM);
    member->changed.set();  // it need not be started again
  }
  const MonotonicTime deadline = parts_.loop.clock().now() + stop_deadline;
  for (const auto& member : members_) {
    if (member->plan.role != role) continue;
    while (member->is_kept) {
      if (co_await member->changed.wait(deadline)) continue;
      if (!member->child) break;
      parts_.console.say(formatted("millrace: {} does not stop and is killed", member->plan.name));
      member->child->send(SIGKILL);
      break;
    }
  }
}

Task<void> Supervisor::show_status() {
  const MonotonicTime began = parts_.loop.clock().now();
  while (!is_stopping_ && parts_.console.is_terminal()) {
    parts_.console.show_status(status_line(began));
    static_cast<void>(
        co_await status_changed_.wait(parts_.loop.clock().now() + std::chrono::seconds{1}));
  }
}

std::string Supervisor::status_line(MonotonicTime began) const {
  const auto up =
      std::chrono::duration_cast<std::chrono::seconds>(parts_.loop.clock().now() - began).count();
  std::size_t running = 0;
  std::uint64_t memory = 0;
  for (const auto& member : members_) {
    if (!member->child) continue;
    ++running;
    memory += resident_bytes(member->child->process());
  }
  // What is cut off on a narrow terminal comes last.
  return formatted("up {} s | {} of {} processes, {} restarts | {} MiB | {}", up, running,
                   members_.size(), restarts_, memory / mebibyte,
                   is_ready_ ? "serving " + parts_.plan.bootstrap() : "starting");
}

}  // namespace millrace::cli
