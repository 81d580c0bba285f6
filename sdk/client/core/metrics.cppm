// What a client measures of itself, with the names and the arithmetic of Kafka's clients.
module;
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.client.core:metrics;

import millrace.base;

export namespace millrace::client {

// Averages, maxima and rates are those of the last windows: of this one and of the one before it
// (metrics.num.samples and metrics.sample.window.ms of Kafka, as they are by default).
inline constexpr Duration metric_window = std::chrono::seconds{30};
inline constexpr std::size_t metric_window_count = 2;

// One quantity that is measured again and again. Takes no memory. A value; one thread.
class Meter {
 public:
  void record(double value, MonotonicTime now);

  // Of all times.
  [[nodiscard]] double total() const { return total_; }
  [[nodiscard]] double count() const { return static_cast<double>(count_); }
  // Of the last windows; not a number where nothing was measured.
  [[nodiscard]] double average(MonotonicTime now) const;
  [[nodiscard]] double maximum(MonotonicTime now) const;
  [[nodiscard]] double minimum(MonotonicTime now) const;
  // For each second of the last windows.
  [[nodiscard]] double rate(MonotonicTime now) const;
  [[nodiscard]] double count_rate(MonotonicTime now) const;

 private:
  struct Window {
    MonotonicTime begun{};
    std::uint64_t count = 0;
    double sum = 0;
    double largest = 0;
    double smallest = 0;
  };
  // Of the windows that count now.
  struct Recent {
    Window all;
    double seconds = 0;
  };
  [[nodiscard]] Recent recent(MonotonicTime now) const;

  std::array<Window, metric_window_count> windows_;
  std::size_t current_ = 0;
  double total_ = 0;
  std::uint64_t count_ = 0;
};

// One value at one time.
struct MetricRow {
  std::string name;
  std::string group;
  std::string description;
  std::map<std::string, std::string> tags;
  double value = 0;
};

// Rows of one client as they are gathered. What each meter is called stands where it is measured.
class MetricList {
 public:
  MetricList(std::string client_id, MonotonicTime now)
      : now_(now), client_id_(std::move(client_id)) {}

  // Those that follow belong there; each has the tag client-id besides.
  void begin(std::string_view group, std::map<std::string, std::string> tags = {});
  void add(std::string_view name, std::string_view description, double value);
  // "NAME-avg" and "NAME-max" of `what`.
  void add_average(std::string_view name, std::string_view what, const Meter& meter);
  void add_maximum(std::string_view name, std::string_view what, const Meter& meter);
  void add_average_and_maximum(std::string_view name, std::string_view what, const Meter& meter) {
    add_average(name, what, meter);
    add_maximum(name, what, meter);
  }
  // "NAME-rate" and "NAME-total" of the sum of what was measured, or of how often it was.
  void add_sums(std::string_view name, std::string_view what, const Meter& meter);
  void add_counts(std::string_view name, std::string_view what, const Meter& meter);

  [[nodiscard]] MonotonicTime now() const { return now_; }
  [[nodiscard]] std::vector<MetricRow> take() { return std::move(rows_); }

 private:
  MonotonicTime now_;
  std::string client_id_;
  std::string group_;
  std::map<std::string, std::string> tags_;
  std::vector<MetricRow> rows_;
};

[[nodiscard]] inline double milliseconds_of(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}
[[nodiscard]] inline double seconds_of(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// The network as a client sees it: all of it, and each broker of the cluster.
struct NetworkMeters {
  struct Node {
    Meter out;      // bytes of requests
    Meter in;       // bytes of answers
    Meter latency;  // milliseconds from a request to its answer
  };
  Node all;
  std::map<BrokerId, Node> nodes;
  Meter made;    // connections
  Meter closed;  // connections

  void sent(BrokerId broker, std::size_t bytes, MonotonicTime now);
  void received(BrokerId broker, std::size_t bytes, Duration latency, MonotonicTime now);
  // In the groups "KIND-metrics" and "KIND-node-metrics"; kind: "producer", "consumer".
  void list(std::string_view kind, std::size_t connections, MetricList& to) const;
};

}  // namespace millrace::client
