// A part of a test in a process of its own: for limits, filters and locks of another process.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

namespace millrace {

inline constexpr int child_succeeded = 0;
inline constexpr int child_failed = 1;
inline constexpr int child_not_permitted = 77;

// In the child: says what went wrong.
[[nodiscard]] inline int child_fails(const char* what) {
  std::fprintf(stderr, "%s (errno %d: %s)\n", what, errno, std::strerror(errno));
  return child_failed;
}

// Runs `body` in a copy of this process, which must have no other threads, and gives what it
// returned, which is one of the three above; -1 if it ended otherwise.
[[nodiscard]] inline int run_in_child(const std::function<int()>& body) {
  const pid_t child = ::fork();
  if (child == 0) std::_Exit(body());
  int status = -1;
  if (child > 0) {
    while (::waitpid(child, &status, 0) == -1 && errno == EINTR) {
    }
  }
  return child > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace millrace
