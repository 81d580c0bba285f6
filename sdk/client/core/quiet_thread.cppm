// Threads that a library starts in a process that is not its own. Inside this module only.
module;
#include <functional>
#include <thread>

export module millrace.client.core:quiet_thread;

import millrace.base;

export namespace millrace::client {

// No signal of the process is delivered to it. Fails when the system has no thread left.
[[nodiscard]] Result<std::thread> start_quiet_thread(std::function<void()> work);

}  // namespace millrace::client
