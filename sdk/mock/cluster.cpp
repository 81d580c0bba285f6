module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.batch;
import millrace.protocol.compression;
import millrace.runtime;
import millrace.runtime.streams;
import millrace.storage.producers;
import :cluster;
import :faults;
import :handlers;
import :insides;
import :options;
import :partition_log;
import :state;
import :topic_settings;
import :transaction_desk;

namespace millrace::mock {
namespace {

std::optional<std::string> owned(ByteView bytes) {
  if (protocol::is_null(bytes)) return std::nullopt;
  return std::string(as_text(bytes));
}

ByteView viewed(const std::optional<std::string>& text) {
  return text ? as_bytes(*text) : ByteView{};
}

StoredRecord copy_of(const protocol::RecordView& record) {
  StoredRecord copy{.offset = record.offset,
                    .timestamp = record.timestamp,
                    .key = owned(record.key),
                    .value = owned(record.value),
                    .headers = {}};
  for (const auto& header : record.headers) {
    copy.headers.emplace_back(header.key, owned(header.value));
  }
  return copy;
}

bool is_aborted(const Partition& partition, const protocol::BatchHeader& header) {
  if (!header.attributes.is_transactional()) return false;
  return std::ranges::any_of(partition.aborted, [&](const storage::CompletedTransaction& aborted) {
    return aborted.producer == header.producer.id && aborted.first_offset <= header.base_offset &&
           header.base_offset <= aborted.last_offset;
  });
}

std::vector<StoredRecord> records_of(const Partition& partition, Offset end, bool committed) {
  const PartitionLog& log = partition.log;
  std::vector<StoredRecord> records;
  protocol::Decompressor decompressor;
  protocol::RecordReader reader(decompressor);
  for (const auto& piece : log.read(log.start(), log.bytes(), true, end)) {
    const auto batch = protocol::BatchView::parse({piece.memory, piece.size});
    check(batch.has_value(), "a batch of the mock was checked when it came");
    if (batch->header().attributes.is_control()) continue;
    if (committed && is_aborted(partition, batch->header())) continue;
    check(reader.open(*batch).has_value(), "a batch of the mock was checked when it came");
    for (protocol::RecordView record; reader.next(record);) {
      if (record.offset >= log.start()) records.push_back(copy_of(record));
    }
  }
  return records;
}

auto no_such_topic(std::string_view topic) {
  return failure(ErrorKind::not_found, formatted("the mock has no topic {}", topic));
}
auto no_such_broker(BrokerId broker) {
  return failure(ErrorKind::not_found, formatted("the mock has no broker {}", broker));
}

}  // namespace

Cluster::Insides::Insides(Executor& e, Network& n, const Options& options)
    : executor(e),
      network(n),
      state(e, options),
      groups(e, options),
      transactions(state),
      offered(spoken()) {}

Result<std::unique_ptr<Listener>> Cluster::Insides::listen(Broker& broker) {
  const Options& options = state.options();
  SocketAddress address = broker.address;
  if (address.port == Port(0)) {
    const auto port =
        options.first_port == 0
            ? Port(0)
            : Port(static_cast<std::uint16_t>(options.first_port + broker.id.value() - 1));
    const auto parsed = address_from_string(options.host, port);
    if (!parsed) return failure(parsed.error());
    address = *parsed;
  }
  auto listener = network.listen(address);
  if (!listener) return failure(ErrorKind::io, describe(listener.error(), address));
  return *std::move(listener);
}

void Cluster::Insides::start(Broker& broker, std::unique_ptr<Listener> listener) {
  broker.address = listener->address();
  broker.alive = true;
  tasks.start(accept(std::move(listener), broker.id));
}

void Cluster::Insides::stop(BrokerId broker) {
  state.broker(broker)->alive = false;
  const auto listener = listeners.find(broker);
  if (listener != listeners.end()) listener->second->close();
  listeners.erase(broker);
  for (Connection* const connection : connections) {
    if (connection->broker == broker) connection->end();
  }
}

void Cluster::Insides::wake() {
  for (Connection* const connection : connections) connection->waiting.wake();
}

Result<Partition*> Cluster::Insides::find(std::string_view topic, PartitionIndex index) const {
  const Topic* const found = state.find(topic);
  if (found == nullptr) return no_such_topic(topic);
  Partition* const partition = found->find(index.value());
  if (partition == nullptr) {
    return failure(ErrorKind::not_found, formatted("topic {} has no partition {}", topic, index));
  }
  return partition;
}

Cluster::Cluster(std::unique_ptr<Insides> insides) : insides_(std::move(insides)) {}
Cluster::~Cluster() = default;

Result<std::unique_ptr<Cluster>> Cluster::start(Executor& executor, Network& network,
                                                const Options& options) {
  if (options.brokers < 1) {
    return failure(ErrorKind::invalid_argument, "a cluster has at least one broker");
  }
  std::unique_ptr<Cluster> cluster(
      new Cluster(std::make_unique<Insides>(executor, network, options)));
  // None takes connections unless all can.
  std::vector<std::unique_ptr<Listener>> listeners;
  for (Broker& broker : cluster->insides_->state.brokers()) {
    auto listener = cluster->insides_->listen(broker);
    if (!listener) return failure(listener.error());
    listeners.push_back(*std::move(listener));
  }
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    cluster->insides_->start(cluster->insides_->state.brokers()[i], std::move(listeners[i]));
  }
  return cluster;
}

Task<void> Cluster::close() {
  for (const Broker& broker : insides_->state.brokers()) insides_->stop(broker.id);
  co_await insides_->tasks.wait();
}

std::string Cluster::bootstrap() const {
  std::string list;
  for (const Broker& broker : insides_->state.brokers()) {
    if (!list.empty()) list += ',';
    list += to_string(broker.address);
  }
  return list;
}

SocketAddress Cluster::address(BrokerId broker) const {
  const Broker* const found = insides_->state.broker(broker);
  check(found != nullptr, "who asks for an address names a broker of the mock");
  return found->address;
}

Result<void> Cluster::create_topic(std::string_view name, const TopicOptions& options) {
  const ErrorCode refusal = insides_->state.refusal_of(name, options);
  if (refusal != ErrorCode::none) {
    return failure(refusal == ErrorCode::topic_already_exists ? ErrorKind::already_exists
                                                              : ErrorKind::invalid_argument,
                   formatted("topic {}: {}", name, protocol::name_of(refusal)));
  }
  if (auto problem = insides_->state.topic_settings().problem(options.configs)) {
    return failure(ErrorKind::invalid_argument, *std::move(problem));
  }
  insides_->state.create(name, options);
  return {};
}

Result<void> Cluster::delete_topic(std::string_view name) {
  if (insides_->state.find(name) == nullptr) return no_such_topic(name);
  insides_->state.erase(name);
  insides_->wake();
  return {};
}

Result<Uuid> Cluster::topic_id(std::string_view topic) const {
  const Topic* const found = insides_->state.find(topic);
  if (found == nullptr) return no_such_topic(topic);
  return found->id;
}

Result<BrokerId> Cluster::leader(std::string_view topic, PartitionIndex partition) const {
  return insides_->find(topic, partition).map([](const Partition* p) { return p->leader; });
}
Result<LeaderEpoch> Cluster::leader_epoch(std::string_view topic, PartitionIndex partition) const {
  return insides_->find(topic, partition).map([](const Partition* p) { return p->epoch; });
}
Result<Offset> Cluster::start_offset(std::string_view topic, PartitionIndex partition) const {
  return insides_->find(topic, partition).map([](const Partition* p) { return p->log.start(); });
}
Result<Offset> Cluster::end_offset(std::string_view topic, PartitionIndex partition) const {
  return insides_->find(topic, partition).map([](const Partition* p) { return p->log.end(); });
}

Result<std::vector<StoredRecord>> Cluster::records(std::string_view topic,
                                                   PartitionIndex partition) const {
  const auto found = insides_->find(topic, partition);
  if (!found) return failure(found.error());
  return records_of(**found, (*found)->log.end(), false);
}

Result<std::vector<StoredRecord>> Cluster::committed_records(std::string_view topic,
                                                             PartitionIndex partition) const {
  const auto found = insides_->find(topic, partition);
  if (!found) return failure(found.error());
  return records_of(**found, (*found)->last_stable_offset(), true);
}

bool Cluster::time_out_transaction(std::string_view transactional_id) {
  Transactional* const transaction = insides_->transactions.find(transactional_id);
  if (transaction == nullptr || transaction->phase != TransactionPhase::ongoing) return false;
  insides_->transactions.time_out(*transaction);
  insides_->wake();
  return true;
}

Result<void> Cluster::append(std::string_view topic, PartitionIndex partition,
                             std::span<const StoredRecord> records) {
  const auto found = insides_->find(topic, partition);
  if (!found) return failure(found.error());
  protocol::BatchStorage storage(insides_->pool);
  protocol::BatchStorage unused(insides_->pool);
  protocol::Compressor compressor;
  protocol::BatchBuilder builder(storage, unused, compressor);
  builder.start({.batch_bytes_max = insides_->state.options().stored_bytes_max});
  for (const StoredRecord& record : records) {
    std::vector<protocol::RecordHeader> headers;
    for (const auto& [key, value] : record.headers) headers.push_back({key, viewed(value)});
    const auto added = builder.append({.key = viewed(record.key),
                                       .value = viewed(record.value),
                                       .timestamp = record.timestamp,
                                       .headers = headers});
    if (!added) return failure(ErrorKind::invalid_argument, protocol::sentence(added.error()));
  }
  const auto batch = builder.finish();
  if (!batch) return failure(ErrorKind::invalid_argument, protocol::sentence(batch.error()));
  const auto header = protocol::read_batch_header(*batch);
  check(header.has_value(), "a batch that was built has a header");
  insides_->state.stored_bytes += batch->size();
  (*found)->log.append({batch->begin(), batch->end()}, *header, (*found)->epoch);
  insides_->wake();
  return {};
}

Result<void> Cluster::kill(BrokerId broker) {
  if (insides_->state.broker(broker) == nullptr) return no_such_broker(broker);
  insides_->stop(broker);
  insides_->state.died(broker);
  insides_->wake();
  return {};
}

Result<void> Cluster::revive(BrokerId broker) {
  Broker* const found = insides_->state.broker(broker);
  if (found == nullptr) return no_such_broker(broker);
  if (found->alive) return {};
  auto listener = insides_->listen(*found);
  if (!listener) return failure(listener.error());
  insides_->start(*found, *std::move(listener));
  insides_->state.came_back(broker);
  insides_->wake();
  return {};
}

Result<void> Cluster::move_leader(std::string_view topic, PartitionIndex partition, BrokerId to) {
  const auto found = insides_->find(topic, partition);
  if (!found) return failure(found.error());
  if (insides_->state.broker(to) == nullptr) return no_such_broker(to);
  insides_->state.move_leader(**found, to);
  insides_->wake();
  return {};
}

Result<void> Cluster::delete_before(std::string_view topic, PartitionIndex partition,
                                    Offset offset) {
  const auto found = insides_->find(topic, partition);
  if (!found) return failure(found.error());
  insides_->state.delete_before(**found, std::min(offset, (*found)->log.end()));
  insides_->wake();
  return {};
}

Result<void> Cluster::lose_from(std::string_view topic, PartitionIndex partition, Offset offset) {
  const auto found = insides_->find(topic, partition);
  if (!found) return failure(found.error());
  insides_->state.lose_from(**found, offset);
  insides_->wake();
  return {};
}

void Cluster::set_coordinator(std::string_view key, BrokerId broker) {
  insides_->state.set_coordinator(key, broker);
  insides_->wake();
}

void Cluster::end_fetch_sessions() {
  for (Broker& broker : insides_->state.brokers()) broker.fetch_sessions.clear();
}
void Cluster::drop_connections() {
  for (Connection* const connection : insides_->connections) connection->end();
}
void Cluster::drop_connections(BrokerId broker) {
  for (Connection* const connection : insides_->connections) {
    if (connection->broker == broker) connection->end();
  }
}

void Cluster::inject(const Fault& fault) {
  insides_->faults.add(fault);
}
void Cluster::fail_next(ApiKey api, ErrorCode error, std::uint32_t times) {
  inject({.api = api, .kind = FaultKind::error, .error = error, .times = times});
}
void Cluster::delay(ApiKey api, Duration by, std::uint32_t times) {
  inject({.api = api, .kind = FaultKind::delay, .delay = by, .times = times});
}
void Cluster::drop_next(ApiKey api, std::uint32_t times) {
  inject({.api = api, .kind = FaultKind::drop_before, .times = times});
}
void Cluster::clear_faults() {
  insides_->faults.clear();
}
std::size_t Cluster::faults_left() const {
  return insides_->faults.count();
}

void Cluster::set_versions(ApiKey api, std::int16_t version_min, std::int16_t version_max) {
  const auto found = std::ranges::find(insides_->offered, api, &Spoken::api);
  check(found != insides_->offered.end(), "the mock speaks the API whose versions are set");
  found->version_min = version_min;
  found->version_max = version_max;
}
void Cluster::withdraw(ApiKey api) {
  std::erase_if(insides_->offered, [api](const Spoken& known) { return known.api == api; });
}
bool Cluster::speaks(ApiKey api) const {
  return std::ranges::find(insides_->offered, api, &Spoken::api) != insides_->offered.end();
}

const std::deque<LoggedRequest>& Cluster::requests() const {
  return insides_->requests;
}
std::size_t Cluster::request_count(ApiKey api) const {
  return static_cast<std::size_t>(std::ranges::count(insides_->requests, api, &LoggedRequest::api));
}
void Cluster::clear_requests() {
  insides_->requests.clear();
  insides_->logged_bytes = 0;
}
std::size_t Cluster::connection_count() const {
  return insides_->connections.size();
}

}  // namespace millrace::mock
