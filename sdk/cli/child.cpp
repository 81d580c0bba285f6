module;
#include <fcntl.h>
#include <signal.h>  // sigfillset, kill
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.cli;

import millrace.base;
import millrace.ipc.ring;
import millrace.runtime;

namespace millrace::cli {
namespace {

// So much may wait for us before a child that prints has to.
constexpr int output_pipe_bytes = static_cast<int>(mebibyte);

struct Pipe {
  ipc::Descriptor read;
  ipc::Descriptor write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return failure(ErrorKind::io, formatted("pipe: {}", std::strerror(errno)));
  }
  return Pipe{.read = ipc::Descriptor(ends[0]), .write = ipc::Descriptor(ends[1])};
}

// In the child, between fork and exec: only what is allowed in a signal handler. Writes errno into
// `problem` and ends if the program cannot be started.
struct Beginning {
  char* const* words;
  pid_t parent;
  int output;
  int problem;
  int inherited;
};
[[noreturn]] void become(const Beginning& begin) {
  // The parent may have died before it was asked for.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == begin.parent &&
      ::setpgid(0, 0) == 0 && ::dup2(begin.output, STDOUT_FILENO) >= 0 &&
      ::dup2(begin.output, STDERR_FILENO) >= 0 &&
      (begin.inherited < 0 || ::dup(begin.inherited) >= 0)) {
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
    ::execv(begin.words[0], begin.words);
  }
  const int number = errno;
  // Nobody is left to tell if this fails.
  static_cast<void>(!::write(begin.problem, &number, sizeof number));
  ::_exit(127);
}

}  // namespace

std::string to_string(const Ending& ending) {
  if (ending.signal == 0) return formatted("exit code {}", ending.exit_code);
  return formatted("signal {} ({})", ending.signal, ::strsignal(ending.signal));
}

Result<std::unique_ptr<Child>> Child::start(EventLoop& loop, const ChildCommand& command,
                                            OutputTaker take) {
  auto output = make_pipe();
  auto problem = make_pipe();
  if (!output || !problem) return failure(output ? problem.error() : output.error());
  // A smaller one works too.
  static_cast<void>(::fcntl(output->write.number(), F_SETPIPE_SZ, output_pipe_bytes));
  std::vector<std::string> copies = {command.program};
  copies.insert(copies.end(), command.arguments.begin(), command.arguments.end());
  std::vector<char*> words;
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);

  const Beginning begin{.words = words.data(),
                        .parent = ::getpid(),
                        .output = output->write.number(),
                        .problem = problem->write.number(),
                        .inherited = command.inherited_descriptor};
  const pid_t process = ::fork();
  if (process == 0) become(begin);
  if (process < 0) return failure(ErrorKind::io, formatted("fork: {}", std::strerror(errno)));
  output->write.close();
  problem->write.close();
  int number = 0;
  // It ends without a byte when the program runs.
  if (::read(problem->read.number(), &number, sizeof number) > 0) {
    ::waitpid(process, nullptr, 0);
    return failure(ErrorKind::io,
                   formatted("cannot start {}: {}", command.program, std::strerror(number)));
  }
  ipc::Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  std::unique_ptr<Child> child(
      new Child(loop, process, std::move(handle), std::move(output->read), std::move(take)));
  if (auto watched = child->watch(); !watched) return failure(watched.error());
  return child;
}

Child::Child(EventLoop& loop, pid_t process, ipc::Descriptor handle, ipc::Descriptor output,
             OutputTaker take)
    : loop_(loop),
      process_(process),
      handle_(std::move(handle)),
      output_(std::move(output)),
      take_(std::move(take)),
      ended_(loop) {}

Child::~Child() {
  if (ending_) return;
  send(SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

Result<void> Child::watch() {
  if (!handle_.is_open()) {
    return failure(ErrorKind::io, formatted("pidfd_open: {}", std::strerror(errno)));
  }
  if (::fcntl(output_.number(), F_SETFL, O_NONBLOCK) != 0) {
    return failure(ErrorKind::io, formatted("fcntl: {}", std::strerror(errno)));
  }
  auto watched = loop_.watch(handle_watch_, handle_.number());
  if (watched) watched = loop_.watch(output_watch_, output_.number());
  return watched;
}

void Child::send(int signal) const {
  // It may have ended by itself; it is not reaped, so the number is still its own.
  if (!ending_) static_cast<void>(::kill(process_, signal));
}

bool Child::read_output() {
  std::array<char, 64 * kibibyte> buffer;
  const auto count = ::read(output_.number(), buffer.data(), buffer.size());
  if (count > 0) take_(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

void Child::reap() {
  int status = 0;
  if (::waitpid(process_, &status, WNOHANG) != process_) return;
  loop_.unwatch(handle_watch_);
  // What it said last; children of its own may hold the pipe open, so not until the end of it.
  std::array<char, 4 * kibibyte> buffer;
  for (;;) {
    const auto count = ::read(output_.number(), buffer.data(), buffer.size());
    if (count <= 0) break;
    take_(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
  }
  if (output_watch_.active()) loop_.unwatch(output_watch_);
  ending_ = WIFEXITED(status) ? Ending{.exit_code = WEXITSTATUS(status), .signal = 0}
                              : Ending{.exit_code = 0, .signal = WTERMSIG(status)};
  ended_.set();
}

Task<Ending> Child::wait_for_end() {
  while (!ending_) static_cast<void>(co_await ended_.wait());
  co_return *ending_;
}

}  // namespace millrace::cli
