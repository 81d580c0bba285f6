module;
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

module millrace.runtime.process;

import millrace.base;
import millrace.config;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.telemetry;

namespace millrace {
namespace {

// The whole text, however the terminal takes it.
void print(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody reads
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

// Every partition and connection needs descriptors; the soft limit is low for the sake of programs
// that use select().
void raise_descriptor_limit(const Logger& log) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t before = std::exchange(limit.rlim_cur, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  log.info("may open {} descriptors", limit.rlim_cur);
}

// docs/decisions/0016-a-shard-for-every-two-cores.md
std::size_t default_shards() {
  return std::max<std::size_t>(usable_cores().size() / 2, 1);
}

struct Loaded {
  CommandLine command_line;
  config::ServerConfig config;
};

std::variant<Loaded, ExitCode> load(int argument_count, const char* const* arguments,
                                    const ProcessOptions& options) {
  const std::vector<std::string> words(arguments + std::min(argument_count, 1),
                                       arguments + argument_count);
  auto parsed = parse_command_line(options.command_line, words);
  if (const auto* answer = std::get_if<PrintAndExit>(&parsed)) {
    print(answer->code == ExitCode::success ? STDOUT_FILENO : STDERR_FILENO, answer->text);
    return answer->code;
  }
  auto& line = std::get<CommandLine>(parsed);
  config::ProcessSurroundings surroundings;
  auto loaded = config::load_server_config(
      {.file = line.config_file, .overrides = line.overrides, .rules = options.rules},
      surroundings);
  const config::Problems& problems = loaded ? loaded->warnings : loaded.error();
  print(STDERR_FILENO, problems.text());
  if (!loaded) return ExitCode::configuration;
  return Loaded{.command_line = std::move(line), .config = std::move(loaded->config)};
}

// The metrics of the process, served by its first shard.
class ServedMetrics {
 public:
  ServedMetrics(Shards& shards, telemetry::Registry& registry, const Logger& log)
      : shards_(shards), registry_(registry), log_(log) {}

  [[nodiscard]] Result<void> start(const std::string& listener, std::string_view version) {
    if (listener.empty()) return {};
    const auto where = config::parse_host_port(listener);
    if (!where) {
      return failure(Error{ErrorKind::invalid_argument,
                           "millrace.metrics.listener=" + listener + ": " + where.error()});
    }
    const auto addresses = resolve(where->host, Port(where->port));
    if (!addresses) return failure(addresses.error());
    return shards_.run_on(home_, [&](Shard& home) -> Result<void> {
      auto build =
          telemetry::publish_build(registry_, home_, {.version = version, .revision = "unknown"});
      if (!build) return failure(build.error());
      build_.emplace(std::move(*build));
      network_ = std::make_unique<TcpNetwork>(home.socket_loop(), log_);
      server_ = std::make_unique<MetricsServer>(home.loop(), *network_, registry_, home_, log_);
      const auto started = server_->start(addresses->front());
      if (started) {
        log_.info("metrics at http://{}{}", to_string(server_->address()), metrics_path);
      } else {
        server_.reset();
      }
      return started;
    });
  }
  void stop() {
    if (!server_) return;
    shards_.run_on(home_, [this](Shard&) { return server_->stop(); });
    shards_.run_on(home_, [this](Shard&) {
      server_.reset();
      network_.reset();
      build_.reset();
    });
  }

 private:
  static constexpr telemetry::ShardIndex home_{0};

  Shards& shards_;
  telemetry::Registry& registry_;
  Logger log_;
  std::optional<telemetry::Gauge> build_;
  std::unique_ptr<TcpNetwork> network_;
  std::unique_ptr<MetricsServer> server_;
};

ExitCode serve(const Loaded& loaded, const ProcessOptions& options, NotifyEnvironment environment,
               const ServiceBody& body) {
  const Logger log(make_stderr_log_sink(stderr_log_format()), options.command_line.name);
  const SystemClock clock;
  const Notifier notifier(std::move(environment));
  SignalThread signals(log, clock, notifier, {.stop_deadline = options.stop_deadline});
  raise_descriptor_limit(log);

  ShardsOptions shards_options;
  const auto wanted = static_cast<std::size_t>(loaded.config.get<"millrace.shards">());
  shards_options.count = static_cast<std::uint32_t>(
      std::min(wanted > 0 ? wanted : default_shards(), telemetry::shards_max - 1));
  // One more for the main thread.
  telemetry::Registry metrics(shards_options.count + 1);
  auto shards = Shards::start(clock, metrics, shards_options);
  if (!shards) {
    log.error("cannot start: {}", shards.error().message);
    return ExitCode::failure;
  }
  signals.look_after(shards->get());
  log.info("{} {} runs on {} shards", options.command_line.name, options.command_line.version,
           shards_options.count);
  Process process({.command_line = loaded.command_line,
                   .config = loaded.config,
                   .log = log,
                   .clock = clock,
                   .metrics = metrics,
                   .shards = **shards,
                   .notifier = notifier,
                   .signals = signals});
  ServedMetrics served_metrics(**shards, metrics, log);
  Result<void> served = served_metrics.start(loaded.config.get<"millrace.metrics.listener">(),
                                             options.command_line.version);
  if (served) served = body(process);
  // From here on the end has a deadline too.
  if (!signals.is_stop_requested()) signals.request_stop();
  if (!served) log.error("{}", served.error().message);
  served_metrics.stop();
  (*shards)->stop();
  signals.look_after(nullptr);
  log.info("stopped");
  return served ? ExitCode::success : ExitCode::failure;
}

}  // namespace

std::uint64_t fresh_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

std::size_t descriptor_limit() {
  rlimit limit{};
  check(::getrlimit(RLIMIT_NOFILE, &limit) == 0, "every process has a limit of descriptors");
  return static_cast<std::size_t>(limit.rlim_cur);
}

void Process::ready(std::string_view status) const {
  parts_.log.info("ready: {}", status);
  parts_.notifier.ready(status);
}

int run_process(int argument_count, const char* const* arguments, const ProcessOptions& options,
                const ServiceBody& body) {
  NotifyEnvironment environment = NotifyEnvironment::take();
  auto loaded = load(argument_count, arguments, options);
  if (const auto* code = std::get_if<ExitCode>(&loaded)) return static_cast<int>(*code);
  return static_cast<int>(serve(std::get<Loaded>(loaded), options, std::move(environment), body));
}

}  // namespace millrace
