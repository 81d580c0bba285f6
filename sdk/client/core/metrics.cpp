module;
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>

module millrace.client.core;

import millrace.base;

namespace millrace::client {

namespace {

constexpr double not_measured = std::numeric_limits<double>::quiet_NaN();
constexpr Duration all_windows = static_cast<std::int64_t>(metric_window_count) * metric_window;

}  // namespace

void Meter::record(double value, MonotonicTime now) {
  if (count_ == 0) windows_[current_] = {.begun = now};
  if (now - windows_[current_].begun >= metric_window) {
    current_ = (current_ + 1) % metric_window_count;
    windows_[current_] = {.begun = now};
  }
  Window& window = windows_[current_];
  window.largest = window.count == 0 ? value : std::max(window.largest, value);
  window.smallest = window.count == 0 ? value : std::min(window.smallest, value);
  ++window.count;
  window.sum += value;
  ++count_;
  total_ += value;
}

// A time shorter than all windows but one counts as that much longer, so that the first values of a
// client do not look like a flood: as in Java's client.
Meter::Recent Meter::recent(MonotonicTime now) const {
  Recent recent;
  MonotonicTime oldest = now;
  for (const Window& window : windows_) {
    if (window.count == 0 || now - window.begun >= all_windows) continue;
    Window& all = recent.all;
    all.largest = all.count == 0 ? window.largest : std::max(all.largest, window.largest);
    all.smallest = all.count == 0 ? window.smallest : std::min(all.smallest, window.smallest);
    all.count += window.count;
    all.sum += window.sum;
    oldest = std::min(oldest, window.begun);
  }
  Duration elapsed = now - oldest;
  constexpr auto least = static_cast<std::int64_t>(metric_window_count - 1);
  const std::int64_t full = elapsed / metric_window;
  if (full < least) elapsed += (least - full) * metric_window;
  recent.seconds = seconds_of(elapsed);
  return recent;
}

double Meter::average(MonotonicTime now) const {
  const Window all = recent(now).all;
  return all.count == 0 ? not_measured : all.sum / static_cast<double>(all.count);
}

double Meter::maximum(MonotonicTime now) const {
  const Window all = recent(now).all;
  return all.count == 0 ? not_measured : all.largest;
}

double Meter::minimum(MonotonicTime now) const {
  const Window all = recent(now).all;
  return all.count == 0 ? not_measured : all.smallest;
}

double Meter::rate(MonotonicTime now) const {
  const Recent found = recent(now);
  return found.all.sum / found.seconds;
}

double Meter::count_rate(MonotonicTime now) const {
  const Recent found = recent(now);
  return static_cast<double>(found.all.count) / found.seconds;
}

void MetricList::begin(std::string_view group, std::map<std::string, std::string> tags) {
  group_ = std::string(group);
  tags_ = std::move(tags);
  tags_["client-id"] = client_id_;
}

void MetricList::add(std::string_view name, std::string_view description, double value) {
  rows_.push_back({std::string(name), group_, std::string(description), tags_, value});
}

void MetricList::add_average(std::string_view name, std::string_view what, const Meter& meter) {
  add(formatted("{}-avg", name), formatted("The average {}.", what), meter.average(now_));
}

void MetricList::add_maximum(std::string_view name, std::string_view what, const Meter& meter) {
  add(formatted("{}-max", name), formatted("The largest {}.", what), meter.maximum(now_));
}

void MetricList::add_sums(std::string_view name, std::string_view what, const Meter& meter) {
  add(formatted("{}-rate", name), formatted("The {} in each second.", what), meter.rate(now_));
  add(formatted("{}-total", name), formatted("The {} since the client began.", what),
      meter.total());
}

void MetricList::add_counts(std::string_view name, std::string_view what, const Meter& meter) {
  add(formatted("{}-rate", name), formatted("The {} in each second.", what),
      meter.count_rate(now_));
  add(formatted("{}-total", name), formatted("The {} since the client began.", what),
      meter.count());
}

void NetworkMeters::sent(BrokerId broker, std::size_t bytes, MonotonicTime now) {
  all.out.record(static_cast<double>(bytes), now);
  if (broker >= BrokerId(0)) nodes[broker].out.record(static_cast<double>(bytes), now);
}

void NetworkMeters::received(BrokerId broker, std::size_t bytes, Duration latency,
                             MonotonicTime now) {
  all.in.record(static_cast<double>(bytes), now);
  if (broker < BrokerId(0)) return;
  Node& node = nodes[broker];
  node.in.record(static_cast<double>(bytes), now);
  node.latency.record(milliseconds_of(latency), now);
}

namespace {

void list_traffic(const NetworkMeters::Node& node, MetricList& to) {
  to.add_sums("outgoing-byte", "bytes of requests that were sent", node.out);
  to.add_counts("request", "requests that were sent", node.out);
  to.add_average_and_maximum("request-size", "size of a request, in bytes", node.out);
  to.add_sums("incoming-byte", "bytes of answers that came", node.in);
  to.add_counts("response", "answers that came", node.in);
}

}  // namespace

void NetworkMeters::list(std::string_view kind, std::size_t connections, MetricList& to) const {
  to.begin(formatted("{}-metrics", kind));
  list_traffic(all, to);
  const MonotonicTime now = to.now();
  to.add("network-io-rate", "The requests and answers in each second.",
         all.out.count_rate(now) + all.in.count_rate(now));
  to.add("network-io-total", "The requests and answers since the client began.",
         all.out.count() + all.in.count());
  to.add_counts("connection-creation", "connections that were made", made);
  to.add_counts("connection-close", "connections that ended", closed);
  to.add("connection-count", "The connections that there are now.",
         static_cast<double>(connections));
  for (const auto& [broker, node] : nodes) {
    to.begin(formatted("{}-node-metrics", kind), {{"node-id", formatted("node-{}", broker)}});
    list_traffic(node, to);
    to.add_average_and_maximum("request-latency", "time from a request to its answer, in ms",
                               node.latency);
  }
}

}  // namespace millrace::client
