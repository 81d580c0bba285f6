#include "millrace/mock/cluster.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "owned_record.hpp"

import millrace.client.mocks;

namespace millrace::inline v1::mock {

namespace {

namespace inner = client::mocks;

using KafkaTime = decltype(inner::InnerRecord::timestamp);

static_assert(static_cast<int>(FaultKind::error) == static_cast<int>(inner::InnerFaultKind::error));
static_assert(static_cast<int>(FaultKind::delay) == static_cast<int>(inner::InnerFaultKind::delay));
static_assert(static_cast<int>(FaultKind::drop_before) ==
              static_cast<int>(inner::InnerFaultKind::drop_before));
static_assert(static_cast<int>(FaultKind::drop_after) ==
              static_cast<int>(inner::InnerFaultKind::drop_after));
static_assert(static_cast<int>(FaultKind::silence) ==
              static_cast<int>(inner::InnerFaultKind::silence));
static_assert(static_cast<int>(FaultKind::cut_short) ==
              static_cast<int>(inner::InnerFaultKind::cut_short));
static_assert(static_cast<int>(FaultKind::garbage) ==
              static_cast<int>(inner::InnerFaultKind::garbage));
static_assert(static_cast<int>(FaultKind::wrong_id) ==
              static_cast<int>(inner::InnerFaultKind::wrong_id));

[[noreturn]] void refuse(std::string sentence) {
  throw Failed(Error({.code = ErrorCode::invalid_request, .origin = Origin::configuration},
                     std::move(sentence)));
}

// What a call inside gave, or an exception.
template <class Given>
auto needed(Given given) {
  if (!given) refuse(given.error().message);
  if constexpr (!std::is_void_v<typename Given::value_type>) return *std::move(given);
}

inner::InnerApi inside(Api api) {
  return static_cast<inner::InnerApi>(api);
}

inner::InnerErrorCode inside(ErrorCode code) {
  return static_cast<inner::InnerErrorCode>(code);
}

inner::InnerOptions inside(const ClusterOptions& options) {
  return {.brokers = options.brokers,
          .host = options.host,
          .first_port = options.first_port,
          .auto_create_topics = options.auto_create_topics,
          .partitions_default = options.partitions,
          .stored_bytes_max = options.stored_bytes_max,
          .initial_rebalance_delay = options.initial_rebalance_delay,
          .seed = options.seed};
}

inner::InnerFault inside(const Fault& fault) {
  inner::InnerFault converted{.api = inside(fault.api),
                              .kind = static_cast<inner::InnerFaultKind>(fault.kind),
                              .error = inside(fault.error),
                              .delay = fault.delay,
                              .times = fault.times};
  if (fault.broker) converted.broker = BrokerId(*fault.broker);
  return converted;
}

OwnedRecord outside(const inner::InnerRecord& record, const TopicPartition& partition) {
  OwnedRecord converted{.topic = partition.topic,
                        .partition = partition.partition,
                        .offset = record.offset.value(),
                        .timestamp = Timestamp(std::chrono::milliseconds(record.timestamp.value())),
                        .key = record.key,
                        .value = record.value};
  for (const auto& [key, value] : record.headers) converted.headers.push_back({key, value});
  return converted;
}

std::vector<OwnedRecord> outside(const std::vector<inner::InnerRecord>& records,
                                 const TopicPartition& partition) {
  std::vector<OwnedRecord> converted;
  for (const auto& record : records) converted.push_back(outside(record, partition));
  return converted;
}

inner::InnerRecord inside(const OwnedRecord& record) {
  inner::InnerRecord converted;
  converted.timestamp = KafkaTime(record.timestamp.time_since_epoch().count());
  converted.key = record.key;
  converted.value = record.value;
  for (const OwnedHeader& header : record.headers)
    converted.headers.emplace_back(header.key, header.value);
  return converted;
}

Request outside(const inner::InnerRequest& request) {
  return {.broker = request.broker.value(),
          .api = static_cast<Api>(request.api),
          .version = request.version,
          .client_id = request.client_id,
          .connection = request.connection,
          .time = std::chrono::steady_clock::time_point(request.time.time_since_epoch()),
          .body = request.body};
}

}  // namespace

class Cluster::Implementation {
 public:
  explicit Implementation(const ClusterOptions& options)
      : process_(::getpid()), brokers_(options.brokers) {
    Logger logger(make_stderr_log_sink(LogFormat::plain), "millrace-mock");
    live_ = needed(inner::LiveCluster::start(inside(options), std::move(logger)));
  }

  // The thread of a cluster is not in a forked child, where nobody could wait for it.
  ~Implementation() {
    if (is_forked()) static_cast<void>(live_.release());
  }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;

  // On the thread of the cluster.
  template <class Work>
  auto run(Work work) {
    if (is_forked())
      refuse("this process was forked off the one that made the cluster: its thread is not here");
    return live_->run(std::move(work));
  }
  // The same for what may be a mistake of the test.
  template <class Work>
  auto need(Work work) {
    return needed(run(std::move(work)));
  }
  void need_broker(std::int32_t broker) const {
    if (broker < 1 || broker > brokers_)
      refuse("the mock has no broker " + std::to_string(broker) + ": it has 1 to " +
             std::to_string(brokers_));
  }
  void need_api(Api api) {
    if (!run([&](inner::InnerCluster& cluster) { return cluster.speaks(inside(api)); }))
      refuse("the mock does not have the API " + std::to_string(static_cast<int>(api)));
  }
  [[nodiscard]] const std::string& bootstrap() const { return live_->bootstrap(); }

 private:
  [[nodiscard]] bool is_forked() const { return ::getpid() != process_; }

  const pid_t process_;
  const std::int32_t brokers_;
  std::unique_ptr<inner::LiveCluster> live_;
};

Cluster::Cluster(const ClusterOptions& options)
    : implementation_(std::make_unique<Implementation>(options)) {}

Cluster::Cluster(Cluster&&) noexcept = default;
Cluster& Cluster::operator=(Cluster&&) noexcept = default;
Cluster::~Cluster() = default;

const std::string& Cluster::bootstrap() const noexcept {
  return implementation_->bootstrap();
}

void Cluster::create_topic(std::string_view name, std::int32_t partitions) {
  create_topic(name, TopicOptions{.partitions = partitions});
}

void Cluster::create_topic(std::string_view name, const TopicOptions& options) {
  implementation_->need([&](inner::InnerCluster& cluster) {
    return cluster.create_topic(name, {.partitions = options.partitions,
                                       .replication_factor = options.replication_factor,
                                       .configs = options.configs});
  });
}

void Cluster::delete_topic(std::string_view name) {
  implementation_->need([&](inner::InnerCluster& cluster) { return cluster.delete_topic(name); });
}

std::int32_t Cluster::leader(const TopicPartition& partition) const {
  return implementation_
      ->need([&](inner::InnerCluster& cluster) {
        return cluster.leader(partition.topic, PartitionIndex(partition.partition));
      })
      .value();
}

std::int64_t Cluster::start_offset(const TopicPartition& partition) const {
  return implementation_
      ->need([&](inner::InnerCluster& cluster) {
        return cluster.start_offset(partition.topic, PartitionIndex(partition.partition));
      })
      .value();
}

std::int64_t Cluster::end_offset(const TopicPartition& partition) const {
  return implementation_
      ->need([&](inner::InnerCluster& cluster) {
        return cluster.end_offset(partition.topic, PartitionIndex(partition.partition));
      })
      .value();
}

std::vector<OwnedRecord> Cluster::records(const TopicPartition& partition) const {
  const auto stored = implementation_->need([&](inner::InnerCluster& cluster) {
    return cluster.records(partition.topic, PartitionIndex(partition.partition));
  });
  return outside(stored, partition);
}

std::vector<OwnedRecord> Cluster::committed_records(const TopicPartition& partition) const {
  const auto stored = implementation_->need([&](inner::InnerCluster& cluster) {
    return cluster.committed_records(partition.topic, PartitionIndex(partition.partition));
  });
  return outside(stored, partition);
}

void Cluster::append(const TopicPartition& partition, const Record& record) {
  append(partition, std::vector<OwnedRecord>{detail::owned_record(record)});
}

void Cluster::append(const TopicPartition& partition, const std::vector<OwnedRecord>& records) {
  std::vector<inner::InnerRecord> converted;
  for (const OwnedRecord& record : records) converted.push_back(inside(record));
  implementation_->need([&](inner::InnerCluster& cluster) {
    return cluster.append(partition.topic, PartitionIndex(partition.partition), converted);
  });
}

void Cluster::kill_broker(std::int32_t broker) {
  implementation_->need(
      [&](inner::InnerCluster& cluster) { return cluster.kill(BrokerId(broker)); });
}

void Cluster::restart_broker(std::int32_t broker) {
  implementation_->need(
      [&](inner::InnerCluster& cluster) { return cluster.revive(BrokerId(broker)); });
}

void Cluster::move_leader(const TopicPartition& partition, std::int32_t to) {
  implementation_->need([&](inner::InnerCluster& cluster) {
    return cluster.move_leader(partition.topic, PartitionIndex(partition.partition), BrokerId(to));
  });
}

void Cluster::delete_before(const TopicPartition& partition, std::int64_t offset) {
  implementation_->need([&](inner::InnerCluster& cluster) {
    return cluster.delete_before(partition.topic, PartitionIndex(partition.partition),
                                 Offset(offset));
  });
}

void Cluster::lose_from(const TopicPartition& partition, std::int64_t offset) {
  implementation_->need([&](inner::InnerCluster& cluster) {
    return cluster.lose_from(partition.topic, PartitionIndex(partition.partition), Offset(offset));
  });
}

bool Cluster::time_out_transaction(std::string_view transactional_id) {
  return implementation_->run(
      [&](inner::InnerCluster& cluster) { return cluster.time_out_transaction(transactional_id); });
}

void Cluster::set_coordinator(std::string_view id, std::int32_t broker) {
  implementation_->need_broker(broker);
  implementation_->run(
      [&](inner::InnerCluster& cluster) { cluster.set_coordinator(id, BrokerId(broker)); });
}

void Cluster::break_connections() {
  implementation_->run([](inner::InnerCluster& cluster) { cluster.drop_connections(); });
}

void Cluster::break_connections(std::int32_t broker) {
  implementation_->need_broker(broker);
  implementation_->run(
      [&](inner::InnerCluster& cluster) { cluster.drop_connections(BrokerId(broker)); });
}

void Cluster::fail_next(Api api, ErrorCode error, std::uint32_t times) {
  inject({.api = api, .kind = FaultKind::error, .error = error, .times = times});
}

void Cluster::delay(Api api, std::chrono::milliseconds by, std::uint32_t times) {
  inject({.api = api, .kind = FaultKind::delay, .delay = by, .times = times});
}

void Cluster::lose_answers(Api api, std::uint32_t times) {
  inject({.api = api, .kind = FaultKind::drop_after, .times = times});
}

void Cluster::inject(const Fault& fault) {
  if (fault.delay < std::chrono::milliseconds::zero()) refuse("a delay is not negative");
  if (fault.broker) implementation_->need_broker(*fault.broker);
  implementation_->run([&](inner::InnerCluster& cluster) { cluster.inject(inside(fault)); });
}

void Cluster::clear_faults() {
  implementation_->run([](inner::InnerCluster& cluster) { cluster.clear_faults(); });
}

std::size_t Cluster::faults_left() const {
  return implementation_->run([](inner::InnerCluster& cluster) { return cluster.faults_left(); });
}

void Cluster::set_versions(Api api, std::int16_t version_min, std::int16_t version_max) {
  implementation_->need_api(api);
  implementation_->run([&](inner::InnerCluster& cluster) {
    cluster.set_versions(inside(api), version_min, version_max);
  });
}

void Cluster::withdraw(Api api) {
  implementation_->run([&](inner::InnerCluster& cluster) { cluster.withdraw(inside(api)); });
}

std::vector<Request> Cluster::requests() const {
  return implementation_->run([](inner::InnerCluster& cluster) {
    std::vector<Request> converted;
    for (const auto& request : cluster.requests()) converted.push_back(outside(request));
    return converted;
  });
}

std::size_t Cluster::request_count(Api api) const {
  return implementation_->run(
      [&](inner::InnerCluster& cluster) { return cluster.request_count(inside(api)); });
}

void Cluster::clear_requests() {
  implementation_->run([](inner::InnerCluster& cluster) { cluster.clear_requests(); });
}

std::size_t Cluster::connection_count() const {
  return implementation_->run(
      [](inner::InnerCluster& cluster) { return cluster.connection_count(); });
}

}  // namespace millrace::inline v1::mock
