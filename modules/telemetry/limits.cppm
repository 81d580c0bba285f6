// The limits of telemetry. What is measured grows with the number of topics and clients, and
// neither the broker nor the one who watches it may fall over for that.
module;
#include <cstddef>

export module millrace.telemetry:limits;

export namespace millrace::telemetry {

// How many threads of a process may write metrics: its shards, and the few other threads.
inline constexpr std::size_t shards_max = 1024;

// Metrics of one process. They are named in code, so this only stops a bug.
inline constexpr std::size_t metrics_max = 1000;

// Series of one metric, where its definition says nothing else, and the most that it may say: one
// for each of a broker's 20,000 partitions, with room.
inline constexpr std::size_t series_per_metric_max_default = 1000;
inline constexpr std::size_t series_per_metric_max = 32'768;
static_assert(series_per_metric_max_default <= series_per_metric_max);
static_assert(metrics_max <= series_per_metric_max);

// Series of one histogram: each takes some kibibytes on every shard that writes it, and many lines.
inline constexpr std::size_t histogram_series_max = 1024;
static_assert(series_per_metric_max_default <= histogram_series_max);
static_assert(shards_max <= histogram_series_max);

inline constexpr std::size_t metric_name_bytes_max = 128;
inline constexpr std::size_t help_bytes_max = 1024;
inline constexpr std::size_t labels_max = 8;
// Long enough for a topic name, which has at most 249 characters. The rest of a longer value, as
// of a client's name for itself, is cut off.
inline constexpr std::size_t label_value_bytes_max = 256;

// Upper bounds (`le`) that a histogram shows: each one is a series for the one who stores it.
inline constexpr std::size_t le_bounds_max = 32;

// Text that is made before the lock of the registry is given back.
inline constexpr std::size_t exposition_chunk_bytes = 4096;

}  // namespace millrace::telemetry
