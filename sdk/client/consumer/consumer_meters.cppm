// What a consumer measures of itself; the names are those of Java's consumer.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

export module millrace.client.consumer:consumer_meters;

import millrace.base;
import millrace.client.core;

export namespace millrace::client {

// Of what was fetched and taken: of all, and of one topic.
struct FetchMeters {
  Meter bytes;    // of an answer
  Meter records;  // that were taken of an answer
};

// On the consumer's thread; each quantity is measured for an answer, none for a record.
struct ConsumerMeters {
  // --- Fetching. ---
  FetchMeters all;
  std::map<std::string, FetchMeters, std::less<>> topics;
  Meter fetch_latency;   // milliseconds of a request
  Meter fetch_throttle;  // milliseconds that a broker asked for
  Meter lag;             // records behind the end, of any partition
  Meter lead;            // records after the start, of any partition
  FetchMeters& of(std::string_view topic);

  // --- The group. Milliseconds, each. ---
  Meter commit;
  Meter heartbeat;
  Meter join;
  Meter sync;
  Meter rebalance;
  Meter failed_rebalance;  // 1 for each
  Meter tell_assigned;     // of the application's listener
  Meter tell_revoked;
  Meter tell_lost;
  std::optional<MonotonicTime> last_heartbeat;
  std::optional<MonotonicTime> last_rebalance;

  // --- The application. ---
  Meter between_polls;    // milliseconds
  Meter waiting_in_poll;  // which part of the time, for each poll
  Duration committing{};
  Duration asking_committed{};

  // `assigned` and `polled` are as they are now.
  void list(std::size_t assigned, std::optional<MonotonicTime> polled, MetricList& to) const;

 private:
  void list_fetching(MetricList& to) const;
  void list_group(std::size_t assigned, MetricList& to) const;
};

// Of one partition, kept with it.
struct PartitionMeters {
  Meter lag;
  Meter lead;
};

}  // namespace millrace::client
