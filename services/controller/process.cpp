module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.controller;

import millrace.base;
import millrace.config;
import millrace.runtime.files;
import millrace.runtime.shard;
import millrace.storage.files;

namespace millrace::controller {
namespace {

constexpr ShardIndex home{0};
constexpr std::size_t file_threads = 8;
// A lone voter leads at once; what takes time is reading the log.
constexpr Duration lead_deadline = std::chrono::minutes{5};

struct Plan {
  raft::NodeId self = raft::no_node;
  config::HostPort address;
  std::string directory;
};

Result<Plan> plan_of(const config::ServerConfig& server) {
  const auto refuse = [](std::string what) {
    return failure(ErrorKind::invalid_argument, std::move(what));
  };
  const std::vector<config::Voter>& voters = server.get<"controller.quorum.voters">();
  const std::int32_t id = server.get<"node.id">();
  if (voters.empty()) {
    return refuse(
        formatted("controller.quorum.voters is empty; for a single controller set it to "
                  "{}@host:port",
                  id));
  }
  if (voters.size() > 1) {
    return refuse("controller.quorum.voters names several controllers; this version runs one");
  }
  if (voters.front().id != BrokerId(id)) {
    return refuse(formatted("node.id is {}, and controller.quorum.voters names controller {} only",
                            id, voters.front().id.value()));
  }
  Plan plan;
  plan.self = raft::NodeId(id);
  plan.address = voters.front().address;
  plan.directory = server.get<"metadata.log.dir">().value_or(std::string());
  if (plan.directory.empty()) plan.directory = config::log_directories(server).front();
  return plan;
}

// Durably, with all above it: what is acknowledged later must be found again.
Task<Result<void>> make_directories(FileSystem& files, std::string directory) {
  for (std::size_t end = 1; end <= directory.size(); ++end) {
    if (end < directory.size() && directory[end] != '/') continue;
    const std::string path = directory.substr(0, end);
    const auto made = co_await files.make_directory(path);
    if (!made) {
      if (storage::storage_fault(made.error().fault) == storage::StorageFault::already_exists) {
        continue;
      }
      co_return failure(ErrorKind::io, storage::storage_error(made.error(), path).message);
    }
    const std::size_t slash = path.rfind('/');
    const std::string above = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const auto synced = co_await files.sync_directory(above);
    if (!synced) {
      co_return failure(ErrorKind::io, storage::storage_error(synced.error(), above).message);
    }
  }
  co_return Result<void>();
}

// What runs on the home shard.
struct Running {
  Process& process;
  Plan plan;
  std::shared_ptr<const config::ServerConfig> server;
  FilePool& pool;
  FileSystemKind kind;
  rpc::RpcThread& thread;

  std::optional<ControllerMetrics> metrics{};
  std::unique_ptr<PosixFileSystem> files{};
  std::unique_ptr<Quorum> quorum{};
  std::unique_ptr<Service> service{};
  std::unique_ptr<rpc::ControllerServer> rpc_server{};
  std::optional<Error> failure{};
  Uuid cluster_id{};  // for the thread that is not the shard's: the image is the quorum's own
};

// Whether the directory is that of this controller.
Task<Result<void>> check_owner(Running& running) {
  auto meta = co_await storage::load_meta_properties(*running.files, running.plan.directory);
  if (!meta) {
    if (meta.error().fault == storage::StorageFault::not_found) co_return Result<void>();
    co_return failure(ErrorKind::corrupt, meta.error().message);
  }
  const std::int32_t self = running.plan.self.value();
  if (meta->node_id != BrokerId(self)) {
    co_return failure(
        ErrorKind::invalid_argument,
        formatted("{} belongs to node {} of cluster {}; node.id is {}", running.plan.directory,
                  meta->node_id.value(), meta->cluster_id, self));
  }
  const Uuid cluster = running.quorum->image()->cluster_id();
  if (!cluster.is_zero() && meta->cluster_id != to_string(cluster)) {
    co_return failure(ErrorKind::invalid_argument,
                      formatted("{} says that it belongs to cluster {}, and its metadata log is "
                                "that of cluster {}",
                                running.plan.directory, meta->cluster_id, to_string(cluster)));
  }
  co_return Result<void>();
}

Task<Result<void>> note_owner(Running& running) {
  auto meta = co_await storage::load_meta_properties(*running.files, running.plan.directory);
  if (meta) co_return Result<void>();
  storage::MetaProperties properties;
  properties.cluster_id = to_string(running.quorum->image()->cluster_id());
  properties.node_id = BrokerId(running.plan.self.value());
  const auto saved = co_await storage::save_meta_properties(
      *running.files, running.plan.directory, properties, running.process.clock().wall_now());
  if (!saved) co_return failure(ErrorKind::io, saved.error().message);
  co_return Result<void>();
}

Task<Result<void>> serve(Running& running, Shard& here) {
  Process& process = running.process;
  auto files = make_file_system(running.kind, here.loop(), running.pool);
  if (!files) co_return failure(std::move(files).error());
  running.files = *std::move(files);
  const auto made = co_await make_directories(*running.files, running.plan.directory);
  if (!made) co_return failure(made.error());
  auto metrics = ControllerMetrics::create(process.metrics(), here.index());
  if (!metrics) co_return failure(std::move(metrics).error());
  running.metrics.emplace(*std::move(metrics));
  QuorumOptions options;
  options.metrics = &*running.metrics;
  options.directory = running.plan.directory;
  options.self = running.plan.self;
  options.metadata = metadata::options_from(running.server);
  options.random = fresh_seed;
  process.extend_timeout(lead_deadline);
  options.snapshot_after_bytes = static_cast<std::uint64_t>(
      running.server->get<"metadata.log.max.record.bytes.between.snapshots">().value());
  const std::chrono::milliseconds interval =
      running.server->get<"metadata.log.max.snapshot.interval.ms">();
  // A time that is out of reach is none.
  const bool has_end = interval.count() > 0 && interval < std::chrono::hours{24 * 365 * 10};
  if (has_end) options.snapshot_interval = interval;
  auto quorum = co_await Quorum::open(here.loop(), *running.files, std::move(options),
                                      process.log().child("quorum"), [&](const Error& error) {
                                        running.failure = error;
                                        process.request_stop();
                                      });
  if (!quorum) co_return failure(std::move(quorum).error());
  running.quorum = *std::move(quorum);
  running.quorum->start();
  const MonotonicTime deadline = here.clock().now() + lead_deadline;
  if (!co_await running.quorum->wait_until_leading(deadline)) {
    co_return failure(running.failure.value_or(
        Error{ErrorKind::io, "this controller does not come to lead, though it is alone"}));
  }
  if (auto owner = co_await check_owner(running); !owner) co_return owner;
  if (auto noted = co_await note_owner(running); !noted) co_return noted;
  running.service = std::make_unique<Service>(*running.quorum, here.loop(), running.server,
                                              process.log().child("service"));
  rpc::ControllerServerOptions listen;
  listen.host = running.plan.address.host;
  listen.port = running.plan.address.port;
  auto server = rpc::ControllerServer::start(running.thread, here.loop(), *running.service,
                                             std::move(listen), process.log().child("rpc"));
  if (!server) co_return failure(std::move(server).error());
  running.rpc_server = *std::move(server);
  running.cluster_id = running.quorum->image()->cluster_id();
  co_return Result<void>();
}

Task<void> end(Running& running) {
  if (running.quorum) running.quorum->begin_stop();
  if (running.rpc_server) co_await running.rpc_server->stop();
  running.rpc_server.reset();
  if (running.quorum) co_await running.quorum->stop();
  running.service.reset();
  running.quorum.reset();
  running.files.reset();
}

}  // namespace

Result<void> run_controller(Process& process) {
  auto plan = plan_of(process.config());
  if (!plan) return failure(std::move(plan).error());
  const auto choice = choose_file_system(file_system_setting_of(process.config()));
  if (!choice) return failure(choice.error());
  process.log().info("{}", choice->reason);
  auto pool = FilePool::start(process.clock(), {.threads = file_threads});
  if (!pool) return failure(std::move(pool).error());
  auto thread = rpc::RpcThread::start("controller-rpc");
  if (!thread) return failure(std::move(thread).error());
  Running running{.process = process,
                  .plan = *std::move(plan),
                  .server = std::make_shared<const config::ServerConfig>(process.config()),
                  .pool = **pool,
                  .kind = choice->kind,
                  .thread = **thread};
  Result<void> result =
      process.shards().run_on(home, [&](Shard& here) { return serve(running, here); });
  if (result) {
    process.ready(formatted("controller {} of cluster {} at {}:{}", running.plan.self.value(),
                            to_string(running.cluster_id), running.plan.address.host,
                            running.rpc_server->port()));
    process.wait_for_stop();
    if (running.failure) result = failure(*running.failure);
  }
  process.shards().run_on(home, [&](Shard&) { return end(running); });
  if (result && running.failure) result = failure(*running.failure);
  return result;
}

int controller_main(int argument_count, const char* const* arguments) {
  ProcessOptions options;
  options.command_line = {.name = "millrace-controller",
                          .description = "Keeps the metadata of a cluster.",
                          .version = MILLRACE_VERSION};
  options.rules.process = config::Processes::controller;
  return run_process(argument_count, arguments, options, run_controller);
}

}  // namespace millrace::controller
