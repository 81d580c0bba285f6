// What it takes to start with very many partitions after an orderly stop, and what they cost when
// idle. Real files, one thread, few descriptors.
//   manager_bench [--directory=PATH] [--partitions=N] [--rounds=N] [--descriptors=N]
//                 [--files=auto|io_uring|thread_pool] [--unclean]
// The partitions are copies of one that a manager made and left in order.
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "real_logs.hpp"

import millrace.runtime.files;
import millrace.runtime.shard;
import millrace.storage.manager;

namespace {

using namespace millrace;
using namespace millrace::storage;
using namespace millrace::storage::bench;

// A batch of this size has one record.
constexpr std::size_t one_record_bytes = 175;

struct Settings {
  std::string directory = "/var/tmp";
  int partitions = 20'000;
  int rounds = 5;
  rlim_t descriptors = 4096;
  std::string files = "auto";
  bool unclean = false;
};

class NoObserver final : public DirectoryObserver {
 public:
  void directory_failed(const LogDirectory&) override {}
  void all_directories_failed() override { must(false, "the directory failed"); }
};

[[nodiscard]] std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

// A server with one shard, from its start to its end.
class Server {
 public:
  Server(ShardLoop& loop, FilePool& pool, FileSystemKind kind, const ManagerOptions& options)
      : loop_(loop),
        files_(std::move(make_file_system(kind, loop, pool).value())),
        log_(std::make_shared<StandardError>(), "bench"),
        directories_(loop, *files_, crossing_, random_, options.directories, log_, observer_),
        manager_({loop, *files_, buffers_, decompressor_, crossing_, ShardIndex(0), ShardIndex(0),
                  1, registry_, log_, 1, nullptr},
                 directories_, options) {}

  OpeningReport start() {
    const auto opened = loop_.run(directories_.open({"bench", BrokerId(1)}));
    must(opened.has_value(), opened ? "" : opened.error().message);
    return loop_.run(manager_.open([](const TopicPartition&) { return true; },
                                   [](const std::string&) { return LogConfig(); }));
  }
  void stop() {
    const auto clean = loop_.run(manager_.stop());
    must(loop_.run(directories_.close(clean, BrokerEpoch(1))).has_value(), "close");
  }
  [[nodiscard]] LogManager& manager() { return manager_; }

 private:
  ShardLoop& loop_;
  std::unique_ptr<PosixFileSystem> files_;
  SameThread crossing_;
  Random random_{1};
  telemetry::Registry registry_{1};
  NoObserver observer_;
  BufferPool buffers_;
  protocol::Decompressor decompressor_;
  Logger log_;
  LogDirectories directories_;
  LogManager manager_;
};

class Bench {
 public:
  explicit Bench(Settings settings) : settings_(std::move(settings)) {
    root_ = settings_.directory + "/millrace-manager-bench-" + std::to_string(::getpid());
    options_.directories = {root_};
    options_.reserve_bytes = 0;
    options_.scrub_bytes_per_second = 0;
    const rlimit limit{settings_.descriptors, settings_.descriptors};
    must(::setrlimit(RLIMIT_NOFILE, &limit) == 0, "setrlimit");
    loop_ = std::move(ShardLoop::make(clock_).value());
    pool_ = std::move(FilePool::start(clock_).value());
    const auto setting = file_system_setting_from_string(settings_.files);
    must(setting.has_value(), "--files is auto, io_uring or thread_pool");
    const auto choice = choose_file_system(*setting);
    must(choice.has_value(), "no such file system here");
    kind_ = choice->kind;
    std::printf("%s\n", choice->reason.c_str());
  }
  ~Bench() {
    pool_->stop();
    std::filesystem::remove_all(root_);
  }

  void run() {
    make_partitions();
    for (int i = 0; i < settings_.rounds; ++i) open_all();
  }

 private:
  static Task<void> append(std::shared_ptr<Log> log, std::vector<std::byte>& batch) {
    LeaderAppend append;
    append.batch = batch;
    append.epoch = LeaderEpoch(0);
    must((co_await log->append(append)).has_value(), "append");
    log->set_high_watermark(log->end());
  }
  static Task<std::shared_ptr<Log>> create(LogManager& manager) {
    auto log = co_await manager.create({"orders", PartitionIndex(0)}, Uuid{{std::byte{1}}}, {},
                                       Novelty::is_new);
    must(log.has_value(), "create");
    co_return *log;
  }
  void make_partitions() {
    {
      Server server(*loop_, *pool_, kind_, options_);
      static_cast<void>(server.start());
      std::vector<std::byte> batch = make_batch(one_record_bytes);
      loop_->run(append(loop_->run(create(server.manager())), batch));
      server.stop();
    }
    const std::filesystem::path root(root_);
    for (int i = 1; i < settings_.partitions; ++i) {
      std::filesystem::copy(root / "orders-0", root / ("orders-" + std::to_string(i)));
    }
    for (const char* name : {"recovery-point-offset-checkpoint", "replication-offset-checkpoint"}) {
      std::ofstream file(root / name);
      file << "0\n" << settings_.partitions << '\n';
      for (int i = 0; i < settings_.partitions; ++i) file << "orders " << i << " 1\n";
    }
  }

  void open_all() {
    if (settings_.unclean) std::filesystem::remove(root_ + "/.kafka_cleanshutdown");
    Server server(*loop_, *pool_, kind_, options_);
    const std::size_t heap = ::mallinfo2().uordblks;
    OpeningReport report;
    const Sample sample = measured(clock_, [&] { report = server.start(); });
    const std::size_t idle = ::mallinfo2().uordblks - heap;
    must(report.opened == static_cast<std::size_t>(settings_.partitions), "all are open");
    std::printf(
        "open %zu partitions %s: %.2f s, CPU %.2f s, %zu bytes of heap each, %zu "
        "descriptors, %llu bytes of records read\n",
        report.opened, settings_.unclean ? "after a crash" : "after an orderly stop",
        sample.wall_ns / 1e9, sample.cpu_ns / 1e9, idle / report.opened, open_descriptors(),
        static_cast<unsigned long long>(report.scanned_bytes));
    std::fflush(stdout);
    const MonotonicTime stopping = clock_.now();
    server.stop();
    std::printf("  stop: %.2f s\n", std::chrono::duration<double>(clock_.now() - stopping).count());
  }

  Settings settings_;
  std::string root_;
  ManagerOptions options_;
  SystemClock clock_;
  std::unique_ptr<ShardLoop> loop_;
  std::unique_ptr<FilePool> pool_;
  FileSystemKind kind_ = FileSystemKind::thread_pool;
};

[[nodiscard]] Settings parse(int count, char** arguments) {
  Settings settings;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const auto value = argument.substr(argument.find('=') + 1);
    if (argument.starts_with("--directory=")) {
      settings.directory = value;
    } else if (argument.starts_with("--partitions=")) {
      settings.partitions = std::max(1, std::atoi(value.c_str()));
    } else if (argument.starts_with("--rounds=")) {
      settings.rounds = std::max(1, std::atoi(value.c_str()));
    } else if (argument.starts_with("--descriptors=")) {
      settings.descriptors = static_cast<rlim_t>(std::max(64, std::atoi(value.c_str())));
    } else if (argument.starts_with("--files=")) {
      settings.files = value;
    } else if (argument == "--unclean") {
      settings.unclean = true;
    } else {
      must(argument.starts_with("--benchmark"), "unknown argument " + argument);
    }
  }
  return settings;
}

}  // namespace

int main(int count, char** arguments) {
  Bench(parse(count, arguments)).run();
  return 0;
}
