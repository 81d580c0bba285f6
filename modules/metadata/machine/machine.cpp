module;
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "../planted.hpp"

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {
namespace {

Outcome not_controller() {
  return {ErrorCode::not_controller, "another controller leads"};
}

// Brokers must be heard whatever else is asked for.
bool is_change(const Request& request) {
  return !std::holds_alternative<Heartbeat>(request) &&
         !std::holds_alternative<RegisterBroker>(request);
}

}  // namespace

Machine::Machine(Options options, RandomSource random)
    : options_(std::move(options)),
      random_(std::move(random)),
      settings_(options_.server),
      committed_(empty_image()),
      committed_image_(empty_image()),
      image_(committed_image_) {}

void Machine::restore(std::shared_ptr<const Image> image) {
  check(!leads_, "who leads needs no snapshot");
  committed_ = ImageBuilder(image);
  committed_image_ = std::move(image);
}

Result<Effects> Machine::committed(MetadataOffset offset, std::optional<ByteView> entry,
                                   MonotonicTime now) {
  now_ = now;
  if (!entry) {
    committed_.skip(offset);
  } else if (auto applied = committed_.apply(*entry, offset); !applied) {
    return failure(std::move(applied).error());
  }
  Delta delta;
  std::tie(committed_image_, delta) = committed_.take();
  if (!leads_) return Effects{};
  if (entry) {
    check(outbox_.committed(*entry), "what is committed while a controller leads was its proposal");
    note_registrations(delta);
  }
  return finish();
}

Effects Machine::become_leader(MonotonicTime now) {
  check(!leads_, "a controller becomes leader once");
  now_ = now;
  leads_ = true;
  image_ = committed_image_;
  builder_.emplace(image_);
  similar_names_.clear();
  if (!planted(Planted::names_forgotten)) {
    image_->for_each_topic([this](const Topic& topic) { similar_names_.add(topic.name); });
  }
  // Nobody knows when they were heard of last.
  sessions_.clear();
  image_->for_each_broker([&](const Broker& broker) {
    if (planted(Planted::sessions_forgotten)) return;
    sessions_.begin(broker.id, {now + options_.session_timeout, image_->offset()});
  });
  if (image_->cluster_id().is_zero()) {
    propose({ClusterRecord{new_id(), metadata_version_latest, BrokerEpoch(0)}});
  }
  // What the leader before began may not have come to its end.
  elect_everywhere();
  return finish();
}

Effects Machine::lose_leadership() {
  leads_ = false;
  outbox_.fail_all(not_controller());
  builder_.reset();
  image_ = committed_image_;
  sessions_.clear();
  similar_names_.clear();
  return outbox_.take();
}

Effects Machine::request(RequestId id, Request request, MonotonicTime now) {
  const std::size_t kind = request.index();
  outbox_.open(id, kind);
  if (!leads_) {
    outbox_.answer_now(id, refusal(kind, not_controller()));
    return outbox_.take();
  }
  now_ = now;
  const bool is_busy = outbox_.uncommitted_bytes() > options_.uncommitted_bytes_max ||
                       outbox_.open_count() > options_.requests_max;
  if (is_busy && is_change(request)) {
    outbox_.answer_now(id, refusal(kind, {ErrorCode::request_timed_out,
                                          "the controller has too much to do; nothing was done"}));
    return finish();
  }
  std::visit([&](auto& one) { on(id, one); }, request);
  return finish();
}

Effects Machine::tick(MonotonicTime now) {
  if (!leads_) return {};
  now_ = now;
  for (const BrokerId expired : sessions_.expire(now)) {
    const Broker* broker = image_->broker(expired);
    if (broker != nullptr && !broker->fenced) fence(expired);
  }
  return finish();
}

Effects Machine::finish() {
  outbox_.flush();
  Effects effects = outbox_.take();
  effects.deadline = sessions_.deadline();
  return effects;
}

void Machine::propose(const std::vector<Record>& records) {
  if (records.empty()) return;
  for (const Record& record : records) {
    const auto applied = builder_->apply(record);
    check(applied.has_value(), "a controller proposes what can be applied");
  }
  image_ = builder_->take().first;
  outbox_.propose(records);
}

void Machine::answer(RequestId id, Reply reply) {
  outbox_.flush();
  outbox_.answer(id, std::move(reply));
}

Uuid Machine::new_id() {
  Uuid id;
  do {
    for (std::size_t i = 0; i < id.bytes.size(); i += sizeof(std::uint64_t)) {
      store_big_endian(id.bytes.data() + i, random_());
    }
    // As other programs tell random ids: version 4, variant 1.
    id.bytes[6] = (id.bytes[6] & std::byte{0x0f}) | std::byte{0x40};
    id.bytes[8] = (id.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
    // An id that begins with '-' looks like an option on a command line.
  } while (to_string(id).front() == '-' || image_->topic(id));
  return id;
}

void Machine::note_registrations(const Delta& delta) {
  for (const BrokerId id : delta.brokers) {
    Session* session = sessions_.find(id);
    const Broker* broker = committed_image_->broker(id);
    const Broker* proposed = image_->broker(id);
    if (session == nullptr || broker == nullptr || proposed == nullptr) continue;
    const bool is_this_one = broker->epoch == proposed->epoch;
    if (is_this_one && !session->registered) session->registered = committed_image_->offset();
  }
}

}  // namespace millrace::metadata
