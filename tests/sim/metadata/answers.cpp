// The reference about what is asked for and answered.
#include <algorithm>
#include <variant>

#include "reference.hpp"

namespace millrace::metadata::sim {

void Reference::delivered(const Request& request) {
  if (const auto* const create = std::get_if<CreateTopics>(&request)) {
    if (create->validate_only) return;
    for (const NewTopic& topic : create->topics) {
      ++topics_wanted_[topic.name];
      for (const auto& [name, value] : topic.settings) {
        settings_wanted_[{ConfigKind::topic, topic.name}].emplace(name, value);
      }
    }
  } else if (const auto* const remove = std::get_if<DeleteTopics>(&request)) {
    for (const TopicToDelete& topic : remove->topics) {
      ++(topic.name ? removals_wanted_[*topic.name] : removals_wanted_by_id_[topic.id]);
    }
  } else if (const auto* const extend = std::get_if<CreatePartitions>(&request)) {
    if (extend->validate_only) return;
    for (const MorePartitions& topic : extend->topics) {
      sizes_wanted_.emplace(topic.topic, topic.count);
    }
  } else if (const auto* const alter = std::get_if<AlterConfigs>(&request)) {
    if (alter->validate_only) return;
    for (const ResourceChange& resource : alter->resources) {
      const SettingKey key(static_cast<ConfigKind>(resource.kind), resource.name);
      if (alter->replaces) replaced_.insert(key);
      for (const SettingChange& change : resource.changes) {
        const bool unset = change.operation == SettingOperation::unset;
        settings_wanted_[key].emplace(change.name, unset ? std::nullopt : change.value);
      }
    }
  } else if (const auto* const unregister = std::get_if<UnregisterBroker>(&request)) {
    unregistered_.insert(unregister->broker);
  } else if (const auto* const heartbeat = std::get_if<Heartbeat>(&request)) {
    if (heartbeat->want_fence || heartbeat->want_shut_down) return;
    MetadataOffset& applied = wants_to_serve_[{heartbeat->broker, heartbeat->epoch}];
    applied = std::max(applied, heartbeat->applied);
  }
}

void Reference::answered(const Image& image, const Request& request, const Reply& reply) {
  digest_ = digest_ * 31 + reply.index();
  std::visit(
      [&](const auto& one) {
        using One = std::decay_t<decltype(one)>;
        digest_ = digest_ * 31 + static_cast<std::uint64_t>(one.outcome.error);
        coverage_.stale_epochs += one.outcome.error == ErrorCode::stale_broker_epoch ? 1u : 0u;
        if (one.outcome.error == ErrorCode::duplicate_broker_registration) ++coverage_.duplicates;
        if (!one.outcome.ok()) return;
        ++coverage_.answers;
        std::visit(
            [&](const auto& asked) {
              using Asked = std::decay_t<decltype(asked)>;
              if constexpr (requires { this->on(image, asked, one); }) {
                this->on(image, asked, one);
              } else {
                fail(formatted("an answer of another kind than its request: {}",
                               sizeof(Asked) + sizeof(One)));
              }
            },
            request);
      },
      reply);
}

void Reference::on(const Image& image, const RegisterBroker& request,
                   const RegisterBrokerReply& reply) {
  const Broker* const broker = image.broker(request.broker.id);
  ++coverage_.registrations;
  expect(broker != nullptr && broker->epoch == reply.epoch &&
             broker->incarnation == request.broker.incarnation,
         "a broker was told that it is registered, and is not");
}

void Reference::on(const Image& image, const Heartbeat& request, const HeartbeatReply& reply) {
  const Broker* const broker = image.broker(request.broker);
  expect(broker != nullptr && broker->epoch == request.epoch,
         "a process that is not registered any more was heard");
  if (broker == nullptr) return;
  expect(broker->fenced == reply.is_fenced, "a broker was told wrongly whether it is fenced");
  if (!reply.should_shut_down) return;
  ++coverage_.shut_downs;
  image.for_each_topic([&](const Topic& topic) {
    for (const Partition& partition : topic.partitions) {
      expect(partition.leader != request.broker, "a broker may stop that leads");
      expect(partition.isr.size() == 1 ||
                 std::ranges::find(partition.isr, request.broker) == partition.isr.end(),
             "a broker may stop that is in sync");
    }
  });
}

void Reference::on(const Image& image, const UnregisterBroker& request,
                   const UnregisterBrokerReply&) {
  expect(image.broker(request.broker) == nullptr, "a broker that was removed is there");
}

void Reference::on(const Image& image, const AllocateProducerIds& request,
                   const AllocateProducerIdsReply& reply) {
  const std::int64_t first = reply.block.first.value();
  const std::int64_t end = first + reply.block.count;
  const Broker* const broker = image.broker(request.broker);
  expect(broker != nullptr && broker->epoch == request.epoch,
         "a process that is not registered any more got producer ids");
  expect(reply.block.count > 0 && end <= image.next_producer_id().value(),
         "producer ids were given out that the log does not say");
  const auto after = blocks_.lower_bound(first);
  expect(after == blocks_.end() || end <= after->first, "producer ids were given out twice");
  expect(after == blocks_.begin() || std::prev(after)->first + std::prev(after)->second <= first,
         "producer ids were given out twice");
  blocks_[first] = reply.block.count;
  ++coverage_.blocks;
}

void Reference::on(const Image& image, const CreateTopics& request,
                   const CreateTopicsReply& reply) {
  for (std::size_t i = 0; i < reply.topics.size(); ++i) {
    const CreatedTopic& created = reply.topics[i];
    const auto topic = image.topic(created.name);
    if (created.outcome.error == ErrorCode::topic_already_exists) {
      expect(topic != nullptr, "a topic is said to exist that is not there");
    }
    if (!created.outcome.ok() || request.validate_only) continue;
    const bool is_there =
        topic && topic->id == created.id &&
        topic->partitions.size() == static_cast<std::size_t>(created.partitions) &&
        topic->partitions.front().replicas.size() ==
            static_cast<std::size_t>(created.replication_factor);
    expect(is_there, "a topic was answered and is not there");
    const ConfigMap* const settings = image.config(ConfigKind::topic, created.name);
    expect((settings == nullptr ? ConfigMap() : *settings) == created.settings,
           "a new topic has other settings than its answer says");
  }
}

void Reference::on(const Image& image, const DeleteTopics&, const DeleteTopicsReply& reply) {
  for (const DeletedTopic& deleted : reply.topics) {
    if (deleted.outcome.ok()) expect(!image.topic(deleted.id), "a deleted topic is there");
  }
}

void Reference::on(const Image& image, const CreatePartitions& request,
                   const CreatePartitionsReply& reply) {
  for (std::size_t i = 0; i < reply.topics.size(); ++i) {
    if (!reply.topics[i].outcome.ok() || request.validate_only) continue;
    const auto topic = image.topic(reply.topics[i].name);
    expect(
        topic && topic->partitions.size() == static_cast<std::size_t>(request.topics.at(i).count),
        "partitions were answered and are not there");
  }
}

void Reference::on(const Image& image, const AlterConfigs& request,
                   const AlterConfigsReply& reply) {
  for (std::size_t i = 0; i < reply.resources.size(); ++i) {
    if (!reply.resources[i].outcome.ok() || request.validate_only) continue;
    const ResourceChange& asked = request.resources.at(i);
    const ConfigMap* const settings = image.config(static_cast<ConfigKind>(asked.kind), asked.name);
    for (const SettingChange& change : asked.changes) {
      const bool is_set = settings != nullptr && settings->contains(change.name);
      if (change.operation == SettingOperation::unset) {
        expect(!is_set, "a setting that was unset is there");
      } else {
        expect(is_set && settings->at(change.name) == change.value,
               "a setting was answered and is not there");
      }
    }
  }
}

}  // namespace millrace::metadata::sim
