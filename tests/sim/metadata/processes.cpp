#include "processes.hpp"

#include <chrono>
#include <variant>

namespace millrace::metadata::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration heartbeat_interval = seconds{2};
constexpr Duration retry_after = milliseconds{700};
constexpr double knows_the_leader = 0.9;

}  // namespace

Processes::Processes(World& world, std::size_t brokers) : world_(world), brokers_(brokers) {
  for (std::size_t i = 0; i < brokers; ++i) start(BrokerId(static_cast<std::int32_t>(i)), true);
}

Uuid Processes::uuid(std::uint8_t kind, std::uint64_t number) const {
  Uuid made;
  made.bytes[0] = static_cast<std::byte>(kind);
  store_big_endian(made.bytes.data() + 8, number);
  return made;
}

void Processes::start(BrokerId id, bool with_its_directory) {
  auto process = std::make_unique<Process>();
  process->id = id;
  process->incarnation = uuid(1, processes_.size() + 1);
  process->directory = with_its_directory ? uuid(2, static_cast<std::uint64_t>(id.value()))
                                          : uuid(3, processes_.size());
  Process& started = *processes_.emplace_back(std::move(process));
  world_.trace(formatted("broker {} starts as process {}", id.value(), processes_.size()));
  attempt(started);
  follow(started);
}

Process* Processes::any() {
  std::vector<Process*> living;
  for (const auto& process : processes_) {
    if (process->lives) living.push_back(process.get());
  }
  return living.empty() ? nullptr : living[world_.random().below(living.size())];
}

std::size_t Processes::living(BrokerId id) const {
  std::size_t count = 0;
  for (const auto& process : processes_) count += process->id == id && process->lives ? 1u : 0u;
  return count;
}

// Registers until it is told its epoch, then begins to heartbeat.
void Processes::attempt(Process& process) {
  if (!process.lives || process.epoch != BrokerEpoch(-1)) return;
  RegisterBroker request;
  // As it stands in its directory.
  const Reference& reference = world_.reference();
  request.cluster_id = reference.image_at(reference.end())->cluster_id();
  request.broker.id = process.id;
  request.broker.incarnation = process.incarnation;
  request.broker.endpoints = {{"PLAINTEXT", "host", 9092, 0}};
  request.broker.directories = {process.directory};
  if (!process.stands_still) {
    world_.send(request, world_.random().chance(knows_the_leader),
                [this, &process](const Reply& reply) {
                  const auto& registered = std::get<RegisterBrokerReply>(reply);
                  const bool is_first = process.epoch == BrokerEpoch(-1);
                  if (!process.lives || !registered.outcome.ok() || !is_first) return;
                  process.epoch = registered.epoch;
                  heartbeat(process);
                });
  }
  world_.after(retry_after, [this, &process] { attempt(process); });
}

void Processes::heartbeat(Process& process) {
  if (!process.lives) return;
  if (!process.stands_still) {
    Heartbeat request;
    request.broker = process.id;
    request.epoch = process.epoch;
    request.applied = process.image->offset();
    request.want_fence = world_.now() < until_ && world_.random().chance(0.03);
    request.want_shut_down = process.stops;
    world_.send(request, world_.random().chance(knows_the_leader),
                [this, &process](const Reply& reply) {
                  if (process.lives) on(process, std::get<HeartbeatReply>(reply));
                });
  }
  world_.after(heartbeat_interval / 2 + world_.draw(heartbeat_interval),
               [this, &process] { heartbeat(process); });
}

void Processes::on(Process& process, const HeartbeatReply& reply) {
  const ErrorCode error = reply.outcome.error;
  if (error == ErrorCode::stale_broker_epoch || error == ErrorCode::broker_id_not_registered ||
      reply.should_shut_down) {
    kill(process);
    restart_later(process.id);
  }
  process.serves = reply.outcome.ok() && !reply.is_fenced;
}

void Processes::restart_later(BrokerId id) {
  world_.after(world_.draw(seconds{6}), [this, id] {
    if (living(id) == 0) start(id, true);
  });
}

void Processes::follow(Process& process) {
  if (!process.lives) return;
  Reference& reference = world_.reference();
  if (world_.random().chance(0.05) && !process.stands_still) {
    // What it had is gone: it begins with a snapshot from any place.
    Snapshot snapshot{MetadataOffset(world_.draw(0, reference.end().value())), {}};
    write_snapshot(*reference.image_at(snapshot.offset), [&](const OwnedBytes& piece) {
      snapshot.bytes.insert(snapshot.bytes.end(), piece.begin(), piece.end());
    });
    process.image = world_.restored(snapshot);
  }
  ImageBuilder builder(process.image);
  MetadataOffset offset = process.image->offset();
  for (std::int64_t left = process.stands_still ? 0 : world_.draw(0, 40);
       left > 0 && offset < reference.end(); --left) {
    const auto& entry = reference.entry_after(offset);
    offset = offset.next();
    if (!entry) {
      builder.skip(offset);
    } else if (!builder.apply(*entry, offset)) {
      return reference.fail("a broker cannot read the log");
    }
  }
  auto [image, delta] = builder.take();
  reference.compare(*image, "a broker");
  reference.look_at_delta(*process.image, *image, delta);
  process.image = std::move(image);
  world_.after(milliseconds{100} + world_.draw(milliseconds{600}),
               [this, &process] { follow(process); });
}

}  // namespace millrace::metadata::sim
