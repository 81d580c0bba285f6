// The text that Prometheus and its kin read: text exposition format 0.0.4, in slices.
module;
#include <cstddef>
#include <string>
#include <string_view>

export module millrace.telemetry:exposition;

import millrace.base;
import :registry;

export namespace millrace::telemetry {

// For the header of the answer.
inline constexpr std::string_view exposition_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

// One pass over a registry, ordered by the metrics' names and the series' labels. Owned by whoever
// answers one scrape, on any one thread; the registry outlives it. Each call of write() takes time
// in proportion to the bytes that it writes, so the caller's buffer is the slice; the registry is
// locked for about exposition_chunk_bytes at a time. Handles may come and go between calls: a
// series is shown once or, when it began or ended meanwhile, perhaps not at all. Never fails.
class Exposition {
 public:
  explicit Exposition(const Registry& registry) : registry_(&registry) {}

  // Writes the next part of the text to the front of `to` and returns how long it is. Less than
  // was asked for means that the text has ended.
  [[nodiscard]] std::size_t write(MutableBytes to);

  [[nodiscard]] bool finished() const { return is_at_end_ && written_ == chunk_.size(); }

 private:
  void make_chunk();
  // Each is false when nothing is left.
  bool next_metric();
  bool next_series();

  const Registry* registry_;
  std::string chunk_;  // made, and written up to written_
  std::size_t written_ = 0;
  std::string metric_;            // the one that is shown now; empty before the first
  std::string series_;            // its series that was shown last
  bool is_metric_begun_ = false;  // whether its HELP and TYPE, and with them a series, were shown
  bool is_at_end_ = false;
};

// The whole text at once: for tests and for dumps at the command line.
[[nodiscard]] std::string exposition_text(const Registry& registry);

}  // namespace millrace::telemetry
