module;
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

module millrace.cli;

import millrace.base;
import millrace.cli.frame;
import millrace.runtime;
import millrace.runtime.process;
import millrace.runtime.shard;
import millrace.runtime.streams;

namespace millrace::cli {
namespace {

std::string ready_line(const std::string& bootstrap, Format format) {
  if (format == Format::table) return formatted("ready bootstrap={}\n", bootstrap);
  return text_of({.fields = {{"bootstrap", bootstrap}},
                  .rows_name = format == Format::tsv ? "clusters" : "",
                  .columns = {{"bootstrap"}},
                  .rows = {std::vector<Cell>{bootstrap}}},
                 format);
}

// What can be found out before anything is started.
Result<void> check_before_start(const ClusterPlan& plan, const std::string& programs) {
  for (const SocketAddress& broker : plan.brokers) {
    if (is_free(broker)) continue;
    return failure(ErrorKind::already_exists,
                   formatted("port {} is in use; choose another with --port", broker.port));
  }
  for (const ChildPlan& child : plan.children) {
    const std::string program = formatted("{}/{}", programs, child.program);
    if (::access(program.c_str(), X_OK) == 0) continue;
    return failure(ErrorKind::not_found, formatted("there is no program {}", program));
  }
  return {};
}

}  // namespace

std::string own_directory() {
  std::error_code code;
  return std::filesystem::read_symlink("/proc/self/exe", code).parent_path().string();
}

Answer run_local(const LocalOptions& options, const std::string& programs, Format format) {
  Console console;
  const auto ended = [](int exit_code, const std::string& why) {
    Answer answer{.is_printed = true, .exit_code = exit_code};
    if (!why.empty()) answer.failures.push_back({.code = "LOCAL", .message = why});
    return answer;
  };
  const auto end = [&](const Error& error) {
    console.say(formatted("millrace: {}", error.message));
    return ended(static_cast<int>(ExitCode::failure), error.message);
  };
  const auto data = DataDirectory::open(options.data);
  if (!data) return end(data.error());
  const auto ports = data->ports(port_names(options), kafka_ports(options));
  if (!ports) return end(ports.error());
  const ClusterPlan plan = make_plan(options, data->path(), *ports);
  if (auto good = check_before_start(plan, programs); !good) return end(good.error());
  if (auto written = data->write(plan); !written) return end(written.error());

  // Taken out of the environment: systemd hears of the cluster, not of each process.
  const Notifier notifier(NotifyEnvironment::take());
  const SystemClock clock;
  const auto loop = ShardLoop::make(clock);
  if (!loop) return end(loop.error());
  TcpNetwork network(**loop, Logger(make_stderr_log_sink(LogFormat::plain), "millrace"));
  Supervisor supervisor({.loop = **loop,
                         .network = network,
                         .console = console,
                         .notifier = notifier,
                         .plan = plan,
                         .data = *data,
                         .programs = programs,
                         .ready_line = ready_line(plan.bootstrap(), format),
                         .shows_status = options.status});
  const int exit_code = (*loop)->run(supervisor.run());
  return ended(exit_code, supervisor.why_given_up());
}

Command local_command() {
  Command command = local_description();
  command.run = [](const Call& call) {
    auto options = local_options(call.arguments);
    if (auto* wrong = std::get_if<Failure>(&options)) return failed(std::move(*wrong));
    Answer answer = run_local(std::get<LocalOptions>(options), own_directory(), call.format);
    // The console has said why.
    if (call.format != Format::json) answer.failures.clear();
    return answer;
  };
  return command;
}

}  // namespace millrace::cli
