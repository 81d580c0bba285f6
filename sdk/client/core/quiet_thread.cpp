module;
#include <pthread.h>
#include <signal.h>

#include <functional>
#include <system_error>
#include <thread>
#include <utility>

module millrace.client.core;

import millrace.base;
import :quiet_thread;

namespace millrace::client {

Result<std::thread> start_quiet_thread(std::function<void()> work) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  check(::pthread_sigmask(SIG_SETMASK, &all, &before) == 0, "a thread may block signals");
  std::thread thread;
  int refused = 0;
  try {
    thread = std::thread(std::move(work));
  } catch (const std::system_error& error) {
    refused = error.code().value();
  }
  check(::pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0, "a thread may take signals");
  if (refused != 0) return failure(ErrorKind::io, formatted("no thread: errno {}", refused));
  return thread;
}

}  // namespace millrace::client
