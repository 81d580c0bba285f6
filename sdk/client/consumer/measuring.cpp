// What a consumer measures of itself and its application.
module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>

module millrace.client.consumer;

import millrace.base;
import millrace.client.consumer.groups;
import millrace.client.core;
import millrace.runtime;

namespace millrace::client {

void ConsumerClient::measure_begin() {
  polled_ = now();
  if (poll_began_) meters_.between_polls.record(milliseconds_of(polled_ - *poll_began_), polled_);
  poll_began_ = polled_;
}

// Which part of the time from the end of the poll before was spent in this one.
void ConsumerClient::measure_end() {
  polled_ = now();
  const MonotonicTime since = poll_ended_.value_or(*poll_began_);
  const double all = seconds_of(polled_ - since);
  if (all > 0) meters_.waiting_in_poll.record(seconds_of(polled_ - *poll_began_) / all, polled_);
  poll_ended_ = polled_;
}

void ConsumerClient::list_metrics(MetricList& to) const {
  brokers_.list_metrics("consumer", to);
  meters_.list(positions_.all().size(), poll_began_, to);
  const bool committed_only = settings_.isolation_level == IsolationLevel::read_committed;
  for (const auto& [name, partition] : positions_.all()) {
    to.begin("consumer-fetch-manager-metrics",
             {{"topic", name.topic}, {"partition", formatted("{}", name.partition)}});
    to.add("preferred-read-replica", "The replica that is read from; -1 for the leader.",
           partition.replica.value());
    const auto& end = committed_only ? partition.last_stable : partition.high_watermark;
    if (end && Positions::has_place(partition)) {
      const auto lag = std::max(*end, partition.position).since(partition.position);
      to.add("records-lag", "How many records the application is behind the end.",
             static_cast<double>(lag));
      to.add_average_and_maximum("records-lag", "number of records behind the end",
                                 partition.meters.lag);
    }
    if (partition.log_start && Positions::has_place(partition)) {
      const Offset start = *partition.log_start;
      const auto lead = std::max(start, partition.position).since(start);
      to.add("records-lead", "How many records there are before the application's place.",
             static_cast<double>(lead));
      to.add_average("records-lead", "number of records before the application's place",
                     partition.meters.lead);
      to.add("records-lead-min", "The smallest number of records before the application's place.",
             partition.meters.lead.minimum(to.now()));
    }
  }
}

}  // namespace millrace::client
