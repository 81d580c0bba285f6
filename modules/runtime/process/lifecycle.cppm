// What the main function of a service is made of: run_process() does what is the same in all of
// them.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

export module millrace.runtime.process:lifecycle;

import millrace.base;
import millrace.config;
import millrace.runtime.shard;
import :command_line;
import :notifier;
import :signal_thread;

export namespace millrace {

struct ProcessOptions {
  CommandLineDefinition command_line;
  // Whose properties must be there.
  config::LoadRules rules = {};
  // From the request to stop until the process is ended.
  Duration stop_deadline = std::chrono::seconds{30};
};

// A running service, as its own code sees it. Lives in run_process(), on the main thread; what is
// said otherwise may be asked from any thread.
class Process {
 public:
  struct Parts {
    const CommandLine& command_line;
    const config::ServerConfig& config;
    Logger log;
    const Clock& clock;
    telemetry::Registry& metrics;
    Shards& shards;
    const Notifier& notifier;
    SignalThread& signals;
  };
  explicit Process(const Parts& parts) : parts_(parts) {}

  [[nodiscard]] const CommandLine& command_line() const { return parts_.command_line; }
  [[nodiscard]] const config::ServerConfig& config() const { return parts_.config; }
  [[nodiscard]] const Logger& log() const { return parts_.log; }
  [[nodiscard]] const Clock& clock() const { return parts_.clock; }
  [[nodiscard]] telemetry::Registry& metrics() const { return parts_.metrics; }
  [[nodiscard]] Shards& shards() const { return parts_.shards; }
  // For metrics of the main thread: no shard has it.
  [[nodiscard]] ShardIndex main_thread() const { return ShardIndex(parts_.shards.count()); }

  // The service serves. Tells systemd, and the log.
  void ready(std::string_view status) const;
  // A line for `systemctl status`; from any thread.
  void status(std::string_view status) const { parts_.notifier.status(status); }
  // Starting or stopping takes so long more, and is well; from any thread.
  void extend_timeout(Duration duration) const { parts_.notifier.extend_timeout(duration); }
  // Blocks until SIGTERM or SIGINT, or request_stop().
  void wait_for_stop() const { parts_.signals.wait_for_stop(); }
  // For long work before ready(); from any thread.
  [[nodiscard]] bool is_stop_requested() const { return parts_.signals.is_stop_requested(); }
  // For a service that cannot go on; from any thread. Its deadline begins.
  void request_stop() const { parts_.signals.request_stop(); }

 private:
  Parts parts_;
};

// Another one in each process: for ids that nobody else draws, and for jitter. Never for secrets.
[[nodiscard]] std::uint64_t fresh_seed();

// How many descriptors this process may have open.
[[nodiscard]] std::size_t descriptor_limit();

// Starts the service's parts, says ready(), waits for the stop, and ends what it started. What it
// started on shards has ended when it returns. An error ends the process with ExitCode::failure.
using ServiceBody = std::function<Result<void>(Process&)>;

// Reads command line and configuration, sets up log, signals, metrics and shards, and runs the body
// between them. Gives what main returns. For the main thread, before others.
[[nodiscard]] int run_process(int argument_count, const char* const* arguments,
                              const ProcessOptions& options, const ServiceBody& body);

}  // namespace millrace
