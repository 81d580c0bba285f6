#include "reference.hpp"

#include <algorithm>
#include <variant>

namespace millrace::metadata::sim {
namespace {

bool contains(const std::vector<BrokerId>& brokers, BrokerId broker) {
  return std::ranges::find(brokers, broker) != brokers.end();
}

std::string name_of(const Topic& topic, const Partition& partition) {
  return formatted("{}-{}", topic.name, partition.index.value());
}

bool is_unclean_allowed(const Image& image, const std::string& topic) {
  const ConfigMap* const settings[] = {image.config(ConfigKind::topic, topic),
                                       image.config(ConfigKind::broker, "")};
  return std::ranges::any_of(settings, [](const ConfigMap* map) {
    return map != nullptr && map->contains("unclean.leader.election.enable") &&
           map->at("unclean.leader.election.enable") == "true";
  });
}

std::string without_dots(std::string name) {
  std::ranges::replace(name, '.', '_');
  return name;
}

}  // namespace

void Reference::fail(std::string problem) {
  if (!problem_) problem_ = formatted("at offset {}: {}", end().value(), problem);
}

void Reference::commit(const std::optional<OwnedBytes>& entry) {
  const std::shared_ptr<const Image> before = images_.back();
  ImageBuilder builder(before);
  log_.push_back(entry);
  if (!entry) {
    builder.skip(end());
  } else {
    digest_ = digest_ * 31 + crc32c(*entry);
    const auto applied = builder.apply(*entry, end());
    expect(applied.has_value(), "an entry cannot be applied");
  }
  auto [after, delta] = builder.take();
  ++coverage_.entries;
  look_at_brokers(*before, *after);
  look_at_topics(*before, *after);
  look_at_names(*after);
  look_at_settings(*before, *after);
  look_at_delta(*before, *after, delta);
  expect(after->next_producer_id() >= before->next_producer_id(), "producer ids go back");
  images_.push_back(std::move(after));
}

void Reference::look_at_brokers(const Image& before, const Image& after) {
  after.for_each_broker([&](const Broker& broker) {
    const Broker* old = before.broker(broker.id);
    const std::pair key(broker.id, broker.epoch);
    if (old == nullptr || old->epoch != broker.epoch) {
      expect(broker.epoch > highest_epoch_, "the epoch of a broker is not a new one");
      expect(old == nullptr || old->incarnation != broker.incarnation,
             "one process has two epochs");
      expect(broker.fenced, "a broker serves as soon as it is registered");
      highest_epoch_ = std::max(highest_epoch_, broker.epoch);
      registered_[key] = end();
      return;
    }
    expect(old->incarnation == broker.incarnation, "two processes have one epoch");
    if (!old->fenced || broker.fenced) return;
    const auto wants = wants_to_serve_.find(key);
    expect(wants != wants_to_serve_.end() && wants->second >= registered_[key],
           "a broker serves that does not know yet that it is registered");
  });
  before.for_each_broker([&](const Broker& broker) {
    if (after.broker(broker.id) == nullptr) {
      expect(unregistered_.contains(broker.id), "a broker is gone, and nobody asked for that");
    }
  });
}

void Reference::look_at_topics(const Image& before, const Image& after) {
  before.for_each_topic([&](const Topic& topic) {
    if (after.topic(topic.id)) return;
    ++coverage_.topics_removed;
    std::int64_t& by_name = removals_wanted_[topic.name];
    std::int64_t& by_id = removals_wanted_by_id_[topic.id];
    expect(by_name > 0 || by_id > 0, "a topic is gone, and nobody asked for that");
    --(by_id > 0 ? by_id : by_name);
  });
  std::size_t partitions = 0;
  after.for_each_topic([&](const Topic& topic) {
    partitions += topic.partitions.size();
    const auto old = before.topic(topic.id);
    if (old) {
      look_at_step(before, after, *old, topic);
    } else {
      ++coverage_.topics_made;
      expect(topics_ever_.insert(topic.id).second, "the id of a topic comes again");
      expect(topics_wanted_[topic.name]-- > 0, "a topic is there that nobody asked for");
    }
    expect(after.topic(topic.name) == after.topic(topic.id), "a topic is not found by its name");
    for (const Partition& partition : topic.partitions) look_at_partition(after, topic, partition);
  });
  expect(partitions == after.partition_count(), "partitions are counted wrongly");
}

// Metrics could not tell them apart.
void Reference::look_at_names(const Image& image) {
  std::set<std::string> names;
  image.for_each_topic([&](const Topic& topic) {
    expect(names.insert(without_dots(topic.name)).second, "names differ by '.' and '_' only");
  });
}

void Reference::look_at_step(const Image& before, const Image& after, const Topic& old,
                             const Topic& topic) {
  if (old == topic) return;
  const std::size_t size = topic.partitions.size();
  expect(size >= old.partitions.size(), "partitions are gone");
  if (size > old.partitions.size()) {
    ++coverage_.topics_extended;
    expect(sizes_wanted_.contains({topic.name, static_cast<std::int32_t>(size)}),
           "a topic has more partitions than anybody asked for");
  }
  for (std::size_t i = 0; i < std::min(size, old.partitions.size()); ++i) {
    look_at_change(before, after, topic, old.partitions[i], topic.partitions[i]);
  }
}

void Reference::look_at_change(const Image& before, const Image& after, const Topic& topic,
                               const Partition& old, const Partition& partition) {
  const std::string name = name_of(topic, partition);
  if (old == partition) return;
  expect(partition.partition_epoch > old.partition_epoch, name + " changes, its epoch does not");
  expect(partition.leader_epoch >= old.leader_epoch, name + " has a leader epoch that was before");
  expect(partition.replicas == old.replicas, name + " has other replicas");
  if (partition.leader != old.leader) {
    ++coverage_.leaders_changed;
    expect(partition.leader_epoch > old.leader_epoch, name + " has another leader in one epoch");
  }
  const bool all_were_in_sync = std::ranges::all_of(
      partition.isr, [&](BrokerId broker) { return contains(old.isr, broker); });
  if (all_were_in_sync) return;
  ++coverage_.unclean_leaders;
  expect(is_unclean_allowed(before, topic.name) || is_unclean_allowed(after, topic.name),
         name + " trusts a replica that is not in sync");
}

void Reference::look_at_partition(const Image& image, const Topic& topic,
                                  const Partition& partition) {
  const std::string name = name_of(topic, partition);
  const auto is_active = [&](BrokerId id) {
    const Broker* broker = image.broker(id);
    return broker != nullptr && broker->is_active();
  };
  expect(!partition.isr.empty(), name + " has nobody in sync");
  for (const BrokerId broker : partition.isr) {
    expect(contains(partition.replicas, broker), name + " has one in sync that is no replica");
    expect(partition.isr.size() == 1 || is_active(broker), name + " has one in sync that is away");
    expect(partition.leader != no_broker || !is_active(broker), name + " could have a leader");
  }
  if (partition.leader == no_broker) return;
  expect(contains(partition.isr, partition.leader), name + " has a leader that is not in sync");
  expect(is_active(partition.leader), name + " has a leader that does not serve");
}

void Reference::look_at_settings(const Image& before, const Image& after) {
  const auto is_wanted = [&](const SettingKey& key, const std::string& name,
                             const std::optional<std::string>& value) {
    const auto wanted = settings_wanted_.find(key);
    return wanted != settings_wanted_.end() && wanted->second.contains({name, value});
  };
  after.for_each_config([&](ConfigKind kind, const std::string& resource, const ConfigMap& now) {
    expect(kind != ConfigKind::topic || after.topic(resource) != nullptr,
           "there are settings of a topic that is gone");
    const ConfigMap* const known = before.config(kind, resource);
    for (const auto& [name, value] : now) {
      if (known != nullptr && known->contains(name) && known->at(name) == value) continue;
      ++coverage_.settings_changed;
      expect(is_wanted({kind, resource}, name, value), name + " is set, and nobody asked for that");
    }
  });
  before.for_each_config([&](ConfigKind kind, const std::string& resource, const ConfigMap& was) {
    const bool stays =
        kind != ConfigKind::topic || (before.topic(resource) && after.topic(resource) &&
                                      before.topic(resource)->id == after.topic(resource)->id);
    if (!stays) return;
    const ConfigMap* const now = after.config(kind, resource);
    for (const auto& [name, value] : was) {
      if (now != nullptr && now->contains(name)) continue;
      expect(
          is_wanted({kind, resource}, name, std::nullopt) || replaced_.contains({kind, resource}),
          name + " is unset, and nobody asked for that");
    }
  });
}

void Reference::compare(const Image& image, const std::string& who) {
  const Image& expected = *image_at(image.offset());
  expect(image.same_cluster(expected), who + " has another image than the log gives");
  // The bytes say the same as the comparison above.
  std::uint64_t digests[2] = {};
  const Image* const images[] = {&image, &expected};
  for (std::size_t i = 0; i < 2; ++i) {
    write_snapshot(*images[i],
                   [&](const OwnedBytes& piece) { digests[i] = digests[i] * 31 + crc32c(piece); });
  }
  expect(digests[0] == digests[1], who + " writes another snapshot than the log gives");
}

void Reference::look_at_delta(const Image& base, const Image& next, const Delta& delta) {
  if (delta.everything) return;
  const auto names = [](const auto& list, const auto& wanted) {
    return std::ranges::find(list, wanted) != list.end();
  };
  next.for_each_topic([&](const Topic& topic) {
    const auto old = base.topic(topic.id);
    if (old && *old == topic) return;
    expect(names(delta.topics, topic.id), "a follower is not told of a topic");
  });
  base.for_each_topic([&](const Topic& topic) {
    if (next.topic(topic.id)) return;
    expect(names(delta.removed_topics, std::pair(topic.name, topic.id)),
           "a follower is not told that a topic is gone");
  });
  const auto look = [&](const Image& one, const Image& other) {
    one.for_each_broker([&](const Broker& broker) {
      const Broker* const same = other.broker(broker.id);
      if (same != nullptr && *same == broker) return;
      expect(names(delta.brokers, broker.id), "a follower is not told of a broker");
    });
    one.for_each_config([&](ConfigKind kind, const std::string& name, const ConfigMap& settings) {
      const ConfigMap* const same = other.config(kind, name);
      if (same != nullptr && *same == settings) return;
      expect(names(delta.configs, std::pair(kind, name)), "a follower is not told of settings");
    });
  };
  look(base, next);
  look(next, base);
}

}  // namespace millrace::metadata::sim
