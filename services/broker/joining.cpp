// How a broker becomes part of its cluster, and how it leaves it. On the home shard.
module;
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

module millrace.broker;

import millrace.base;
import millrace.broker.cluster;
import millrace.broker.connections;
import millrace.broker.coordination;
import millrace.broker.fetching;
import millrace.broker.partitions;
import millrace.broker.requests.configs;
import millrace.broker.requests.lookups;
import millrace.config;
import millrace.ipc.channel;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.protocol.api;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.storage.manager;

namespace millrace::broker {
namespace {

// While the broker joins, a request to stop is noticed this soon.
constexpr Duration stop_check_interval = std::chrono::milliseconds(50);
// What is waited for has a deadline of its own: beyond that, systemd waits so much longer.
constexpr Duration waiting_slack = std::chrono::seconds(30);
// What is waited for without a deadline: so much longer, again and again.
constexpr Duration waiting_extension = std::chrono::seconds(60);
// For the metadata as of the registration, however much there is.
constexpr Duration joining_max = std::chrono::hours(24 * 365);

[[nodiscard]] Result<void> as_error(const storage::StorageError& error) {
  return failure(Error{ErrorKind::io, error.message});
}

}  // namespace

Task<Result<void>> Broker::join() {
  joining_ = true;
  tasks_.start(end_when_asked_to());
  const auto cluster_id = co_await learn_cluster();
  Result<void> joined;
  if (!cluster_id) {
    joined = failure(cluster_id.error());
  } else {
    joined = co_await open_partitions(*cluster_id);
    if (joined) joined = co_await register_broker(*cluster_id);
  }
  bool is_unfenced = false;
  if (joined) {
    link_->ready_to_serve();
    is_unfenced = co_await link_->unfenced();
  }
  joining_ = false;
  // What ended because it was asked to end has not failed.
  if (process_.is_stop_requested() && !failed_) co_return Result<void>();
  if (!joined || !is_unfenced) co_return joined;
  listeners_->accept_all();
  serving_ = true;
  co_return Result<void>();
}

Task<void> Broker::end_when_asked_to() {
  while (joining_) {
    if (process_.is_stop_requested()) {
      // Calls to them may wait for ever.
      co_await leave_cluster();
      co_await stop_client();
      co_await stop_link();
      co_return;
    }
    co_await sleep_until(home().loop(), home().clock().now() + stop_check_interval);
  }
}

// For what may take as long as it likes: it is well, and waits for controllers only.
Task<void> Broker::go_on_asking_for_time() {
  MonotonicTime next = home().clock().now();
  while (joining_) {
    if (home().clock().now() >= next) {
      process_.extend_timeout(waiting_extension);
      next = home().clock().now() + waiting_extension / 3;
    }
    co_await sleep_until(home().loop(), home().clock().now() + stop_check_interval);
  }
}

Task<Result<Uuid>> Broker::learn_cluster() {
  const MonotonicTime deadline = registration_deadline();
  const auto hello = co_await link_->hello(deadline);
  if (!hello) co_return failure(not_registered(hello.error(), deadline));
  co_return hello->cluster_id;
}

// Of the first word with a controller, and of the registration, which comes after the recovery of
// the logs: that may take longer.
MonotonicTime Broker::registration_deadline() {
  const Duration timeout = config_->get<"initial.broker.registration.timeout.ms">();
  process_.extend_timeout(timeout + waiting_slack);
  return home().clock().now() + timeout;
}

Error Broker::not_registered(Error error, MonotonicTime deadline) {
  if (home().clock().now() >= deadline) {
    error.message =
        formatted("not registered within initial.broker.registration.timeout.ms={}: {}",
                  config_->get<"initial.broker.registration.timeout.ms">().count(), error.message);
  }
  return error;
}

Task<Result<void>> Broker::open_partitions(Uuid cluster_id) {
  process_.extend_timeout(opening_timeout);
  const auto opened = co_await host_->open(to_string(cluster_id));
  if (!opened) co_return as_error(opened.error());
  log_.info("{} logs open, {} recovered, {} failed", opened->opened, opened->recovered,
            opened->failed);
  for (const auto& shard : shards_) {
    fetch_grounds_.push_back({&shard->shard().loop(), &shard->files(),
                              host_->partitions()[shard->shard().index().value()]});
  }
  gateway_ = std::make_unique<GroupGateway>(
      home().loop(), *topics_, *state_, authorizer_, GatewayMetrics(process_.metrics(), home_shard),
      GatewayOptions{.broker = self_, .cluster = cluster_id}, log_);
  if (coordinators_) tasks_.start(gateway_->run(std::move(coordinators_)));
  data_.resize(shards_.size());
  const RequestGround ground{.host = *host_,
                             .link = *link_,
                             .gateway = *gateway_,
                             .fetches = fetch_grounds_,
                             .data = data_,
                             .seed = random_.next()};
  for (const auto& shard : shards_) {
    co_await home().call(shard->shard().index(), [&](Shard&) { shard->make_requests(ground); });
  }
  co_return Result<void>();
}

Task<Result<void>> Broker::register_broker(Uuid cluster_id) {
  link_->on_image([this](std::shared_ptr<const metadata::Image> image,
                         const metadata::Delta& delta) { return take_image(image, delta); });
  Registration registration;
  registration.cluster_id = cluster_id;
  auto& directories = host_->directories();
  for (std::uint32_t i = 0; i < directories.count(); ++i) {
    const storage::LogDirectory& directory = directories.at(storage::DirectoryIndex(i));
    if (directory.online()) registration.directories.push_back(directory.id());
  }
  if (const auto epoch = directories.stopped_epoch()) registration.previous_epoch = *epoch;
  const MonotonicTime deadline = registration_deadline();
  const auto epoch = co_await link_->register_broker(std::move(registration), deadline);
  if (!epoch) co_return failure(not_registered(epoch.error(), deadline));
  tasks_.start(go_on_asking_for_time());
  // The epoch is the place of the registration in the controllers' log.
  const bool caught_up = co_await link_->wait_for(metadata::MetadataOffset(epoch->value()),
                                                  home().clock().now() + joining_max);
  if (!caught_up) {
    co_return failure(ErrorKind::cancelled, "the metadata of the cluster did not come");
  }
  static_cast<void>(co_await host_->caught_up());
  co_return Result<void>();
}

// Settings first, for the partitions that are made with them; then partitions: clients are told of
// a leader when it is one.
Task<void> Broker::take_image(std::shared_ptr<const metadata::Image> image,
                              const metadata::Delta& delta) {
  co_await take_settings(image);
  const Applied applied = co_await host_->apply(image, delta);
  if (applied.made + applied.removed + applied.failed > 0) {
    log_.info("metadata {}: {} partitions made, {} removed, {} failed", image->offset().value(),
              applied.made, applied.removed, applied.failed);
  }
  for (const auto& shard : shards_) {
    co_await home().call(shard->shard().index(), [&](Shard&) { shard->take(image); });
  }
}

// What a cluster sets for its brokers counts at once, without a restart.
Task<void> Broker::take_settings(std::shared_ptr<const metadata::Image> image) {
  ConfigView& settings = shards_.front()->configs();
  const auto before = settings.server();
  settings.update(std::move(image));
  const auto now = settings.server();
  if (now == before) co_return;
  listeners_->follow(*now);
  co_await host_->set_server_config(now);
  log_.info("other settings of the cluster for this broker count now");
}

void Broker::take_leadership(const LeadershipChange& change) {
  if (change.topic != group_state_topic) return;
  if (change.led) {
    gateway_->partition_led(change.partition, *change.led);
  } else {
    gateway_->partition_lost(change.partition);
  }
}

Task<void> Broker::leave_cluster() {
  if (std::exchange(cluster_left_, true)) co_return;
  // Who does not answer now does not answer what clients wait for either.
  if (!co_await link_->leave()) co_await stop_client();
}

Task<void> Broker::stop_link() {
  if (!std::exchange(link_stopped_, true)) co_await link_->stop();
}

Task<void> Broker::stop_client() {
  if (!std::exchange(client_stopped_, true)) co_await client_->stop();
}

Task<void> Broker::leave() {
  co_await leave_cluster();
  for (const auto& shard : shards_) {
    co_await home().call(shard->shard().index(), [&](Shard&) { shard->stop_waiting(); });
  }
  if (gateway_) co_await gateway_->stop();
  if (listeners_) co_await listeners_->stop();
  co_await stop_client();
  co_await stop_link();
  co_await tasks_.wait();
}

Task<Result<void>> Broker::close_partitions() {
  const auto closed = co_await host_->stop(link_->epoch());
  // Of a directory that is offline the log has told.
  if (!closed && closed.error().fault != storage::StorageFault::offline) {
    co_return as_error(closed.error());
  }
  co_return Result<void>();
}

}  // namespace millrace::broker
