// What the kernel knows of this process, under the names that all Prometheus libraries use; and
// which build it is.
module;
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

export module millrace.telemetry:process;

import millrace.base;
import :handles;
import :registry;

export namespace millrace::telemetry {

// From /proc/<pid>/stat. Times are in ticks of sysconf(_SC_CLK_TCK), the start counted from boot.
struct ProcessStat {
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t threads = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t resident_pages = 0;

  friend bool operator==(const ProcessStat&, const ProcessStat&) = default;
};

// The name of the program, which stands in it, may hold anything. Fails with corrupt.
[[nodiscard]] Result<ProcessStat> parse_process_stat(std::string_view text);

// When the machine was started, in seconds since 1970, from /proc/stat. Fails with corrupt.
[[nodiscard]] Result<std::uint64_t> parse_boot_time(std::string_view text);

// Where /proc is mounted, for tests that bring their own.
inline constexpr std::string_view proc_default = "/proc";

// Start time, CPU time, memory, threads and descriptors of this process. Owned by whoever answers
// scrapes, who calls sample() before each; the handles are of that thread's shard. It reads small
// files that the kernel makes up from memory: no disk is waited for.
class ProcessMetrics {
 public:
  [[nodiscard]] static Result<ProcessMetrics> create(Registry& registry, ShardIndex shard,
                                                     std::string_view proc = proc_default);

  // Fails with io or corrupt when /proc cannot be read or understood; the numbers then stay as they
  // were.
  [[nodiscard]] Result<void> sample();

 private:
  struct Handles {
    DurationGauge started;
    DurationCounter cpu;
    Gauge resident;
    Gauge virtual_size;
    Gauge threads;
    Gauge open_descriptors;
    Gauge max_descriptors;
  };
  ProcessMetrics(Handles handles, std::string_view proc);

  Handles handles_;
  std::string proc_;
};

struct BuildInfo {
  std::string_view version;
  std::string_view revision;  // of the source
};

// The series millrace_build_info{version, revision} 1, shown while the gauge lives.
[[nodiscard]] Result<Gauge> publish_build(Registry& registry, ShardIndex shard,
                                          const BuildInfo& build);

}  // namespace millrace::telemetry
