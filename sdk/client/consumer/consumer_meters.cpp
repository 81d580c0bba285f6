module;
#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

module millrace.client.consumer;

import millrace.base;
import millrace.client.core;

namespace millrace::client {

FetchMeters& ConsumerMeters::of(std::string_view topic) {
  const auto known = topics.find(topic);
  return known != topics.end() ? known->second : topics[std::string(topic)];
}

namespace {

constexpr double seconds_per_hour = 3600;

double nanoseconds_of(Duration duration) {
  return std::chrono::duration<double, std::nano>(duration).count();
}

// As Java's client: never is -1.
double seconds_ago(std::optional<MonotonicTime> then, MonotonicTime now) {
  return then ? seconds_of(now - *then) : -1;
}

void list_fetched(const FetchMeters& meters, MetricList& to) {
  to.add_average_and_maximum("fetch-size", "size of what an answer brings, in bytes", meters.bytes);
  to.add_sums("bytes-consumed", "bytes that were fetched", meters.bytes);
  to.add_average("records-per-request", "number of records in an answer", meters.records);
  to.add_sums("records-consumed", "records that were taken", meters.records);
}

}  // namespace

void ConsumerMeters::list_fetching(MetricList& to) const {
  to.begin("consumer-fetch-manager-metrics");
  list_fetched(all, to);
  to.add_average_and_maximum("fetch-latency", "time from a fetch to its answer, in ms",
                             fetch_latency);
  to.add_counts("fetch", "fetches that were answered", fetch_latency);
  to.add_average_and_maximum("fetch-throttle-time", "pause that a broker asked for, in ms",
                             fetch_throttle);
  to.add_maximum("records-lag", "number of records that a partition was behind its end", lag);
  to.add("records-lead-min", "The smallest number of records after the start of a partition.",
         lead.minimum(to.now()));
  for (const auto& [topic, meters] : topics) {
    to.begin("consumer-fetch-manager-metrics", {{"topic", topic}});
    list_fetched(meters, to);
  }
}

void ConsumerMeters::list_group(std::size_t assigned, MetricList& to) const {
  const MonotonicTime now = to.now();
  to.begin("consumer-coordinator-metrics");
  to.add_average_and_maximum("commit-latency", "time of a commit, in ms", commit);
  to.add_counts("commit", "commits", commit);
  to.add_maximum("heartbeat-response-time", "time of a heartbeat, in ms", heartbeat);
  to.add_counts("heartbeat", "heartbeats", heartbeat);
  to.add("last-heartbeat-seconds-ago", "When the last heartbeat was sent, in seconds before now.",
         seconds_ago(last_heartbeat, now));
  to.add_average_and_maximum("join-time", "time of joining the group, in ms", join);
  to.add_counts("join", "times that the group was joined", join);
  to.add_average_and_maximum("sync-time", "time of getting an assignment, in ms", sync);
  to.add_counts("sync", "assignments", sync);
  to.add_average_and_maximum("rebalance-latency", "time of a rebalance, in ms", rebalance);
  to.add("rebalance-latency-total", "The time of all rebalances, in ms.", rebalance.total());
  to.add("rebalance-total", "The rebalances since the client began.", rebalance.count());
  to.add("rebalance-rate-per-hour", "The rebalances in each hour.",
         rebalance.count_rate(now) * seconds_per_hour);
  to.add("failed-rebalance-total", "The rebalances that failed.", failed_rebalance.count());
  to.add("failed-rebalance-rate-per-hour", "The rebalances that failed in each hour.",
         failed_rebalance.count_rate(now) * seconds_per_hour);
  to.add("last-rebalance-seconds-ago", "When the last rebalance ended, in seconds before now.",
         seconds_ago(last_rebalance, now));
  to.add_average_and_maximum("partition-assigned-latency",
                             "time of the listener for assigned partitions, in ms", tell_assigned);
  to.add_average_and_maximum("partition-revoked-latency",
                             "time of the listener for revoked partitions, in ms", tell_revoked);
  to.add_average_and_maximum("partition-lost-latency",
                             "time of the listener for lost partitions, in ms", tell_lost);
  to.add("assigned-partitions", "The partitions that this consumer reads.",
         static_cast<double>(assigned));
}

void ConsumerMeters::list(std::size_t assigned, std::optional<MonotonicTime> polled,
                          MetricList& to) const {
  to.begin("consumer-metrics");
  to.add("last-poll-seconds-ago", "When poll() was called last, in seconds before now.",
         seconds_ago(polled, to.now()));
  to.add_average_and_maximum("time-between-poll", "time from a poll to the next, in ms",
                             between_polls);
  to.add_average("poll-idle-ratio", "part of the time that the application waits in poll()",
                 waiting_in_poll);
  to.add("commit-sync-time-ns-total", "The time that was spent in commit(), in ns.",
         nanoseconds_of(committing));
  to.add("committed-time-ns-total", "The time that was spent in committed(), in ns.",
         nanoseconds_of(asking_committed));
  list_fetching(to);
  list_group(assigned, to);
}

}  // namespace millrace::client
