module;
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

module millrace.telemetry;

import millrace.base;

namespace millrace::telemetry {
namespace {

// In /proc/stat the line sought comes after one line for each processor.
constexpr std::size_t proc_file_bytes_max = 4 * mebibyte;

// More cannot be true, and would not fit into nanoseconds.
constexpr std::uint64_t seconds_max = std::uint64_t{1} << 32;
static_assert(2 * seconds_max < std::uint64_t{Duration::max().count() / 1'000'000'000});

Error io_error(const std::string& path, int error) {
  return {ErrorKind::io,
          formatted("cannot read {}: {}", path, std::generic_category().message(error))};
}

Result<std::string> read_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failure(io_error(path, errno));
  std::string text;
  std::array<char, 4096> part;
  ::ssize_t count = 0;
  while (text.size() < proc_file_bytes_max &&
         ((count = ::read(file, part.data(), part.size())) > 0 || (count < 0 && errno == EINTR))) {
    if (count > 0) text.append(part.data(), static_cast<std::size_t>(count));
  }
  const int error = count < 0 ? errno : 0;
  ::close(file);
  if (error != 0) return failure(io_error(path, error));
  return text;
}

// Takes the next number off the front of `rest`.
bool take_number(std::string_view& rest, std::uint64_t& number) {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  if (error != std::errc{}) return false;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  return rest.empty() || rest.front() == ' ' || rest.front() == '\n';
}

void skip_field(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  rest.remove_prefix(std::min(rest.find(' '), rest.size()));
}

// Newer kernels tell how many descriptors there are as the size of their folder. Older ones, and
// whoever brings a /proc of their own, have them counted.
Result<std::uint64_t> count_descriptors(const std::string& proc) {
  const std::string path = proc + "/self/fd";
  struct stat attributes{};
  if (::stat(path.c_str(), &attributes) != 0) return failure(io_error(path, errno));
  if (proc == proc_default && attributes.st_size > 0) {
    return static_cast<std::uint64_t>(attributes.st_size);
  }
  std::error_code error;
  std::uint64_t count = 0;
  for (auto entry = std::filesystem::directory_iterator(path, error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    ++count;
  }
  struct statfs mounted{};
  if (error || ::statfs(path.c_str(), &mounted) != 0) {
    return failure(io_error(path, error ? error.value() : errno));
  }
  // The kernel counts the descriptor through which the folder was read.
  const bool is_of_kernel = mounted.f_type == PROC_SUPER_MAGIC;
  return is_of_kernel && count > 0 ? count - 1 : count;
}

Duration from_ticks(std::uint64_t ticks) {
  const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto whole = std::chrono::seconds(std::min(ticks / per_second, seconds_max));
  return whole + Duration(ticks % per_second * 1'000'000'000 / per_second);
}

std::int64_t descriptor_limit() {
  ::rlimit limit{};
  check(::getrlimit(RLIMIT_NOFILE, &limit) == 0, "every process has a limit of descriptors");
  // RLIM_INFINITY is the largest number of its unsigned type.
  return static_cast<std::int64_t>(std::min<::rlim_t>(limit.rlim_cur, INT64_MAX));
}

}  // namespace

Result<ProcessStat> parse_process_stat(std::string_view text) {
  const auto bad = failure(ErrorKind::corrupt, "the process's stat file is not understood");
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string_view::npos) return bad;
  std::string_view rest = text.substr(name_end + 1);
  // Field 3, the state, comes next; the fields are counted as in proc(5).
  auto skip_to = [&rest, field = 3](int wanted) mutable {
    for (; field < wanted; ++field) skip_field(rest);
    ++field;
  };
  ProcessStat stat;
  for (const auto& [field, number] :
       {std::pair{14, &stat.user_ticks}, std::pair{15, &stat.system_ticks},
        std::pair{20, &stat.threads}, std::pair{22, &stat.start_ticks},
        std::pair{23, &stat.virtual_bytes}, std::pair{24, &stat.resident_pages}}) {
    skip_to(field);
    if (!take_number(rest, *number)) return bad;
  }
  return stat;
}

Result<std::uint64_t> parse_boot_time(std::string_view text) {
  constexpr std::string_view name = "\nbtime ";
  std::uint64_t seconds = 0;
  const std::size_t line = text.find(name);
  if (line != std::string_view::npos) {
    std::string_view rest = text.substr(line + name.size());
    if (take_number(rest, seconds) && seconds <= seconds_max) return seconds;
  }
  return failure(ErrorKind::corrupt, "the machine's stat file tells no boot time");
}

ProcessMetrics::ProcessMetrics(Handles handles, std::string_view proc)
    : handles_(std::move(handles)), proc_(proc) {}

Result<ProcessMetrics> ProcessMetrics::create(Registry& registry, ShardIndex shard,
                                              std::string_view proc) {
  auto started =
      registry.add<DurationGauge>({.name = "process_start_time_seconds",
                                   .help = "When the process started, in seconds since 1970."},
                                  shard);
  if (!started) return failure(started.error());
  auto cpu = registry.add<DurationCounter>(
      {.name = "process_cpu_seconds_total",
       .help = "CPU time that the process has used, in user and system mode."},
      shard);
  if (!cpu) return failure(cpu.error());
  const auto gauge = [&](std::string_view name, std::string_view help) {
    return registry.add<Gauge>({.name = name, .help = help}, shard);
  };
  auto resident = gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.");
  if (!resident) return failure(resident.error());
  auto virtual_size = gauge("process_virtual_memory_bytes", "Address space of the process.");
  if (!virtual_size) return failure(virtual_size.error());
  auto threads = gauge("process_threads", "Threads of the process.");
  if (!threads) return failure(threads.error());
  auto open = gauge("process_open_fds", "Open file descriptors of the process.");
  if (!open) return failure(open.error());
  auto max = gauge("process_max_fds", "How many file descriptors the process may open.");
  if (!max) return failure(max.error());
  return ProcessMetrics(
      {std::move(*started), std::move(*cpu), std::move(*resident), std::move(*virtual_size),
       std::move(*threads), std::move(*open), std::move(*max)},
      proc);
}

Result<void> ProcessMetrics::sample() {
  const auto own_text = read_file(proc_ + "/self/stat");
  if (!own_text) return failure(own_text.error());
  const auto stat = parse_process_stat(*own_text);
  if (!stat) return failure(stat.error());
  const auto machine_text = read_file(proc_ + "/stat");
  if (!machine_text) return failure(machine_text.error());
  const auto booted = parse_boot_time(*machine_text);
  if (!booted) return failure(booted.error());
  const auto descriptors = count_descriptors(proc_);
  if (!descriptors) return failure(descriptors.error());

  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  handles_.started.set(std::chrono::seconds(*booted) + from_ticks(stat->start_ticks));
  handles_.cpu.advance_to(from_ticks(stat->user_ticks + stat->system_ticks));
  handles_.resident.set(static_cast<std::int64_t>(stat->resident_pages * page_bytes));
  handles_.virtual_size.set(static_cast<std::int64_t>(stat->virtual_bytes));
  handles_.threads.set(static_cast<std::int64_t>(stat->threads));
  handles_.open_descriptors.set(static_cast<std::int64_t>(*descriptors));
  handles_.max_descriptors.set(descriptor_limit());
  return {};
}

Result<Gauge> publish_build(Registry& registry, ShardIndex shard, const BuildInfo& build) {
  auto gauge = registry.add<Gauge>(
      {.name = "millrace_build_info",
       .help = "Always 1; its labels tell the version and the revision of the source.",
       .labels = {"version", "revision"}},
      shard, {build.version, build.revision});
  if (gauge) gauge->set(1);
  return gauge;
}

}  // namespace millrace::telemetry
