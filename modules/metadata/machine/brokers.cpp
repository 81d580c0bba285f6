module;
#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "../planted.hpp"

module millrace.metadata.machine;

import millrace.base;

namespace millrace::metadata {
namespace {

constexpr std::size_t endpoints_max = 64;
constexpr std::size_t directories_max = 256;
constexpr std::size_t text_bytes_max = 255;
static_assert(endpoints_max * 2 * text_bytes_max + directories_max * 16 < record_bytes_max / 2);

// Changes of partitions that are proposed together; each names a few replicas at most.
constexpr std::size_t changes_at_once = 1024;
static_assert(changes_at_once * (3 * 4 * replicas_max + 64) <= entry_bytes_max);

bool has_good_sizes(const Broker& broker) {
  return broker.endpoints.size() <= endpoints_max && broker.directories.size() <= directories_max &&
         broker.rack.value_or("").size() <= text_bytes_max &&
         std::ranges::all_of(broker.endpoints, [](const Endpoint& endpoint) {
           return endpoint.host.size() <= text_bytes_max &&
                  endpoint.listener.size() <= text_bytes_max;
         });
}

// A directory is locked by the process that uses it: who has one of them now proves that the
// process that had it before has ended.
bool shares_directory(const Broker& left, const Broker& right) {
  return std::ranges::any_of(left.directories, [&](const Uuid& directory) {
    return !directory.is_zero() &&
           std::ranges::find(right.directories, directory) != right.directories.end();
  });
}

std::string name_of(BrokerId broker) {
  return formatted("broker {}", broker.value());
}

}  // namespace

Outcome Machine::refusal_of(const RegisterBroker& request) const {
  const Broker& broker = request.broker;
  if (request.cluster_id != image_->cluster_id()) {
    return {ErrorCode::inconsistent_cluster_id,
            formatted("this is cluster {}, and {} belongs to cluster {}",
                      to_string(image_->cluster_id()), name_of(broker.id),
                      to_string(request.cluster_id))};
  }
  if (broker.id < BrokerId(0) || broker.incarnation.is_zero() || !has_good_sizes(broker)) {
    return {ErrorCode::invalid_registration,
            "a broker needs an id from 0 on, an incarnation, and texts of usual length"};
  }
  const Broker* known = image_->broker(broker.id);
  if (known == nullptr) {
    if (image_->broker_count() < brokers_max) return {};
    return {ErrorCode::invalid_registration,
            formatted("{} brokers are registered, which is the limit", brokers_max)};
  }
  const bool is_alive = known->incarnation != broker.incarnation &&
                        sessions_.is_valid(broker.id, now_) && !planted(Planted::taken_id_given);
  if (is_alive && !shares_directory(*known, broker)) {
    return {ErrorCode::duplicate_broker_registration,
            formatted("another process is registered as {} and was heard of just now",
                      name_of(broker.id))};
  }
  return {};
}

void Machine::on(RequestId id, RegisterBroker& request) {
  Outcome outcome = refusal_of(request);
  if (!outcome.ok()) return answer(id, RegisterBrokerReply{std::move(outcome), BrokerEpoch(-1)});
  Broker& broker = request.broker;
  const Broker* known = image_->broker(broker.id);
  const MonotonicTime expires = now_ + options_.session_timeout;
  if (known != nullptr && known->incarnation == broker.incarnation) {
    // The answer to its first try was lost.
    broker.epoch = known->epoch;
    broker.fenced = known->fenced;
    broker.in_controlled_shutdown = known->in_controlled_shutdown;
    if (Session* session = sessions_.find(broker.id)) {
      session->expires = expires;
    } else {
      sessions_.begin(broker.id, {expires, committed_image_->offset()});
    }
    if (broker != *known) propose({RegisterBrokerRecord{broker}});
    return answer(id, RegisterBrokerReply{{}, broker.epoch});
  }
  const bool repeats = planted(Planted::broker_epoch_repeated);
  broker.epoch = std::max(repeats ? BrokerEpoch(0) : image_->last_broker_epoch().next(),
                          BrokerEpoch(committed_image_->offset().next().value()));
  broker.fenced = true;
  broker.in_controlled_shutdown = false;
  const BrokerEpoch epoch = broker.epoch;
  sessions_.begin(broker.id, {expires, std::nullopt});
  propose({RegisterBrokerRecord{std::move(broker)}});
  // What it led before it restarted.
  elect_everywhere();
  answer(id, RegisterBrokerReply{{}, epoch});
}

Outcome Machine::refusal_of(BrokerId broker, BrokerEpoch epoch) const {
  const Broker* known = image_->broker(broker);
  if (known == nullptr) {
    return {ErrorCode::broker_id_not_registered,
            formatted("{} is not registered", name_of(broker))};
  }
  if (known->epoch != epoch && !planted(Planted::stale_epoch_heard)) {
    return {ErrorCode::stale_broker_epoch,
            formatted("{} is registered at epoch {}, not at {}", name_of(broker),
                      known->epoch.value(), epoch.value())};
  }
  return {};
}

void Machine::on(RequestId id, const Heartbeat& request) {
  Outcome outcome = refusal_of(request.broker, request.epoch);
  if (!outcome.ok()) {
    HeartbeatReply refused;
    refused.outcome = std::move(outcome);
    return answer(id, std::move(refused));
  }
  const MonotonicTime expires = now_ + options_.session_timeout;
  Session* session = sessions_.find(request.broker);
  if (session == nullptr) {
    // It was silent for too long, and is back.
    sessions_.begin(request.broker, {expires, committed_image_->offset()});
    session = sessions_.find(request.broker);
  }
  if (!planted(Planted::session_not_prolonged)) session->expires = expires;
  const bool is_caught_up = planted(Planted::served_before_caught_up) ||
                            (session->registered && request.applied >= *session->registered);
  answer(id, move_on(Broker(*image_->broker(request.broker)), request, is_caught_up));
}

HeartbeatReply Machine::move_on(const Broker& broker, const Heartbeat& request, bool is_caught_up) {
  HeartbeatReply reply;
  reply.is_caught_up = is_caught_up;
  if (request.want_shut_down) {
    if (planted(Planted::shut_down_while_leading)) {
      propose({BrokerChangeRecord{broker.id, broker.epoch, true, std::nullopt}});
    } else if (!broker.fenced && !broker.in_controlled_shutdown) {
      propose({BrokerChangeRecord{broker.id, broker.epoch, std::nullopt, true}});
      elect_everywhere();
    }
    // It leads nothing any more, and need not wait for its session to end.
    if (!image_->broker(broker.id)->fenced) fence(broker.id);
    sessions_.end(broker.id);
    reply.should_shut_down = true;
  } else if (broker.fenced && !request.want_fence && is_caught_up) {
    propose({BrokerChangeRecord{broker.id, broker.epoch, false, false}});
    elect_everywhere();
  } else if (!broker.fenced && request.want_fence) {
    fence(broker.id);
  }
  reply.is_fenced = image_->broker(broker.id)->fenced;
  return reply;
}

void Machine::on(RequestId id, const UnregisterBroker& request) {
  const Broker* known = image_->broker(request.broker);
  if (known == nullptr) {
    return answer(
        id, UnregisterBrokerReply{{ErrorCode::broker_id_not_registered,
                                   formatted("{} is not registered", name_of(request.broker))}});
  }
  propose({UnregisterBrokerRecord{request.broker, known->epoch}});
  sessions_.end(request.broker);
  elect_everywhere();
  answer(id, UnregisterBrokerReply{});
}

void Machine::on(RequestId id, const AllocateProducerIds& request) {
  Outcome outcome = refusal_of(request.broker, request.epoch);
  if (!outcome.ok()) return answer(id, AllocateProducerIdsReply{std::move(outcome), {}});
  const Image& image = planted(Planted::producer_ids_given_twice) ? *committed_image_ : *image_;
  const ProducerIdBlock block{image.next_producer_id(), producer_id_block_size};
  propose({ProducerIdsRecord{request.broker, request.epoch, block.first.plus(block.count)}});
  answer(id, AllocateProducerIdsReply{{}, block});
}

void Machine::fence(BrokerId broker) {
  propose({BrokerChangeRecord{broker, image_->broker(broker)->epoch, true, std::nullopt}});
  if (!planted(Planted::fenced_broker_leads)) elect_everywhere();
}

bool Machine::is_unclean_allowed(const std::string& topic) const {
  constexpr std::string_view name = "unclean.leader.election.enable";
  for (const ConfigMap* settings :
       {image_->config(ConfigKind::topic, topic), image_->config(ConfigKind::broker, "")}) {
    if (settings == nullptr) continue;
    const auto found = settings->find(name);
    if (found != settings->end()) return config::lower_case(found->second) == "true";
  }
  return options_.server->get<"unclean.leader.election.enable">();
}

void Machine::elect_everywhere() {
  std::set<BrokerId> active;
  image_->for_each_broker([&](const Broker& broker) {
    if (broker.is_active()) active.insert(broker.id);
  });
  ElectionRules rules;
  rules.may_lead = [&](BrokerId broker) { return active.contains(broker); };
  rules.must_leave = [&](BrokerId broker) { return !active.contains(broker); };
  std::vector<Record> changes;
  // Proposals take the place of the image.
  const std::shared_ptr<const Image> image = image_;
  image->for_each_topic([&](const Topic& topic) {
    rules.unclean = planted(Planted::unclean_without_leave) || is_unclean_allowed(topic.name);
    for (const Partition& partition : topic.partitions) {
      if (auto change = elect(topic.id, partition, rules)) changes.emplace_back(*std::move(change));
      if (changes.size() < changes_at_once) continue;
      propose(changes);
      changes.clear();
    }
  });
  propose(changes);
}

}  // namespace millrace::metadata
