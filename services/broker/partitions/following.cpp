module;
#include <algorithm>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.partitions;

import millrace.metadata;
import millrace.storage.manager;
import :partition;
import :settings;
import :shard_partitions;

// How the partitions of a shard follow the metadata.
namespace millrace::broker {

using storage::Novelty;
using storage::TopicPartition;

// What an image asks for that takes time.
struct Partitions::Work {
  struct Making {
    TopicPartition partition;
    Novelty novelty = Novelty::is_new;
  };
  struct Removal {
    TopicPartition partition;
    bool keeps_files = false;  // as stray
  };
  std::vector<Removal> removals;
  std::vector<Making> makings;
  std::size_t next_removal = 0;
  std::size_t next_making = 0;
  Applied applied;
  std::size_t told_failures = 0;
};

namespace {

[[nodiscard]] bool has_replica(const metadata::Partition& partition, BrokerId broker) {
  return std::ranges::find(partition.replicas, broker) != partition.replicas.end();
}

}  // namespace

Task<Applied> Partitions::apply(std::shared_ptr<const metadata::Image> image,
                                const metadata::Delta& delta) {
  const auto guard = co_await following_.lock();
  Work work;
  if (stopped_) co_return work.applied;
  image_ = std::move(image);
  // A name may be used again: what had it goes first.
  if (delta.everything) forget_other_topics(work);
  for (const auto& [name, id] : delta.removed_topics) {
    if (const auto found = topics_by_id_.find(id); found != topics_by_id_.end()) {
      forget_topic(*found->second, work);
    }
  }
  std::size_t looked_at = 0;
  if (delta.everything) {
    std::vector<std::shared_ptr<const metadata::Topic>> topics;
    topics.reserve(image_->topic_count());
    image_->for_each_topic(
        [&](const metadata::Topic& topic) { topics.push_back(image_->topic(topic.id)); });
    for (const auto& topic : topics) {
      follow_settings(topic->name);
      follow_topic(*topic, work);
      if (++looked_at % topics_per_slice == 0) co_await yield(context_.executor);
    }
  } else {
    for (const auto& [kind, name] : delta.configs) {
      if (kind == metadata::ConfigKind::topic) follow_settings(name);
    }
    for (const Uuid& id : delta.topics) {
      if (const auto topic = image_->topic(id)) follow_topic(*topic, work);
      if (++looked_at % topics_per_slice == 0) co_await yield(context_.executor);
    }
  }
  co_await do_all(work);
  co_return work.applied;
}

// Topics that are not in the image.
void Partitions::forget_other_topics(Work& work) {
  std::vector<HostedTopic*> gone;
  for (const auto& [id, topic] : topics_by_id_) {
    if (image_->topic(id) == nullptr) gone.push_back(topic);
  }
  for (HostedTopic* topic : gone) forget_topic(*topic, work);
}

void Partitions::forget_topic(HostedTopic& topic, Work& work) {
  for (auto& partition : topic.partitions) {
    if (partition) remove_partition(partition, work);
  }
  // Those that could not be made may still lie on the disk.
  const TopicPartition first{topic.name, PartitionIndex(0)};
  for (auto at = failed_.lower_bound(first); at != failed_.end() && at->topic == topic.name;) {
    if (manager_.topic_id_of(*at) == topic.id) work.removals.push_back({*at});
    at = failed_.erase(at);
  }
  topics_by_id_.erase(topic.id);
  topics_.erase(topics_.find(topic.name));
}

Partitions::HostedTopic& Partitions::hosted(const metadata::Topic& topic) {
  std::unique_ptr<HostedTopic>& place = topics_[topic.name];
  if (!place) {
    place = std::make_unique<HostedTopic>();
    place->name = topic.name;
    place->id = topic.id;
    place->settings = settings_for(topic.name);
    topics_by_id_[topic.id] = place.get();
  }
  if (place->partitions.size() < topic.partitions.size()) {
    place->partitions.resize(topic.partitions.size());
  }
  return *place;
}

void Partitions::follow_topic(const metadata::Topic& topic, Work& work) {
  // The one that had the name before, if its end was not told of.
  if (const auto found = topics_.find(topic.name);
      found != topics_.end() && found->second->id != topic.id) {
    forget_topic(*found->second, work);
  }
  for (const metadata::Partition& partition : topic.partitions) {
    if (shard_of(topic.name, partition.index, shard_count_) != shard_) continue;
    follow_partition(hosted(topic), partition, work);
  }
}

void Partitions::follow_partition(HostedTopic& topic, const metadata::Partition& partition,
                                  Work& work) {
  auto& here = topic.partitions[static_cast<std::size_t>(partition.index.value())];
  if (!has_replica(partition, self_)) {
    if (failed_.erase({topic.name, partition.index}) != 0 &&
        manager_.topic_id_of({topic.name, partition.index}) == topic.id) {
      work.removals.push_back({{topic.name, partition.index}});
    }
    if (here) remove_partition(here, work);
    return;
  }
  if (!here) {
    TopicPartition missing{topic.name, partition.index};
    // One that could not be opened is no newer because the metadata name it again.
    const bool is_new = caught_up_ && !failed_.contains(missing);
    work.makings.push_back({std::move(missing), is_new ? Novelty::is_new : Novelty::may_be_here});
    return;
  }
  const bool was_leader = here->is_leader();
  if (here->follow(partition, self_)) {
    tell(*here, here->leader_epoch());
  } else if (was_leader && !here->is_leader()) {
    tell(*here, std::nullopt);
  }
}

void Partitions::remove_partition(std::shared_ptr<Partition>& place, Work& work) {
  const std::shared_ptr<Partition> gone = std::exchange(place, nullptr);
  if (gone->is_leader()) tell(*gone, std::nullopt);
  gone->end();
  --count_;
  work.removals.push_back({{gone->topic(), gone->index()}});
}

void Partitions::tell(const Partition& partition, std::optional<LeaderEpoch> led) {
  if (!on_leadership_ || !storage::is_internal_topic(partition.topic())) return;
  on_leadership_({partition.topic(), partition.index(), led});
}

// --- What takes time ---

Task<void> Partitions::do_all(Work& work) {
  TaskGroup workers;
  for (std::size_t i = 0; i < std::min(changes_at_a_time_max, work.removals.size()); ++i) {
    workers.start(remove_next(work));
  }
  co_await workers.wait();
  for (std::size_t i = 0; i < std::min(changes_at_a_time_max, work.makings.size()); ++i) {
    workers.start(make_next(work));
  }
  co_await workers.wait();
  if (work.told_failures > told_failures_max) {
    log_.error("{} more partitions cannot be used", work.told_failures - told_failures_max);
  }
}

Task<void> Partitions::remove_next(Work& work) {
  while (work.next_removal < work.removals.size()) {
    const Work::Removal removal = work.removals[work.next_removal++];
    const auto done = removal.keeps_files ? co_await manager_.set_aside(removal.partition)
                                          : co_await manager_.remove(removal.partition);
    if (done) {
      ++work.applied.removed;
      continue;
    }
    if (done.error().fault == storage::StorageFault::not_found) continue;
    ++work.applied.failed;
    log_.warning("{} is gone, and its files stay: {}", to_string(removal.partition),
                 done.error().message);
  }
}

Task<void> Partitions::make_next(Work& work) {
  while (!stopped_ && work.next_making < work.makings.size()) {
    const Work::Making making = work.makings[work.next_making++];
    co_await make(making.partition, making.novelty, work);
  }
}

// Following is locked: the image stays as it is meanwhile.
Task<void> Partitions::make(TopicPartition partition, Novelty novelty, Work& work) {
  const auto topic = image_->topic(partition.topic);
  check(topic != nullptr, "a partition is made while its topic is in the image");
  HostedTopic& place = hosted(*topic);
  const auto settings = place.settings;
  auto log = co_await manager_.create(partition, topic->id, settings->log, novelty);
  if (stopped_) co_return;
  if (!log) {
    note_failure(partition, log.error(), work);
    co_return;
  }
  if (place.settings != settings) {
    static_cast<void>(manager_.set_config(partition, place.settings->log));
  }
  // What was recovered is shown when it is on the disk.
  if (settings->log.flush_records && (*log)->flushed_end() < (*log)->end()) {
    if (const auto flushed = co_await (*log)->flush(); !flushed) {
      note_failure(partition, flushed.error(), work);
      co_return;
    }
    if (stopped_) co_return;
  }
  if (failed_.erase(partition) != 0) log_.info("{} can be used now", to_string(partition));
  const auto position = static_cast<std::size_t>(partition.partition.value());
  auto made = std::make_shared<Partition>(context_, topic->name, topic->id, partition.partition,
                                          std::move(*log), place.settings);
  place.partitions[position] = made;
  ++count_;
  ++work.applied.made;
  if (made->follow(topic->partitions[position], self_)) tell(*made, made->leader_epoch());
}

void Partitions::note_failure(const TopicPartition& partition, const storage::StorageError& error,
                              Work& work) {
  ++work.applied.failed;
  // Once, and not with each attempt.
  if (!failed_.insert(partition).second) return;
  if (++work.told_failures > told_failures_max) return;
  log_.error("{} cannot be used, and is tried again every few seconds: {}", to_string(partition),
             error.message);
}

Task<void> Partitions::try_failed_again() {
  while (co_await retries_.next()) {
    if (failed_.empty()) continue;
    const auto guard = co_await following_.lock();
    if (stopped_) break;
    Work work;
    for (const TopicPartition& partition : failed_) {
      work.makings.push_back({partition, Novelty::may_be_here});
    }
    co_await do_all(work);
  }
}

// --- Start and end ---

Task<Applied> Partitions::caught_up() {
  const auto guard = co_await following_.lock();
  Work work;
  if (stopped_ || caught_up_) co_return work.applied;
  caught_up_ = true;
  for (const storage::LogDescription& found : manager_.describe()) {
    const auto topic = image_->topic(found.partition.topic);
    const auto position =
        static_cast<std::size_t>(static_cast<std::uint32_t>(found.partition.partition.value()));
    // One of another topic with this name makes way when the partition is made.
    if (topic != nullptr && position < topic->partitions.size() &&
        has_replica(topic->partitions[position], self_)) {
      continue;
    }
    log_.warning(
        "{} is on disk, topic id {}, and is not in the metadata: its directory is kept with the "
        "suffix -stray and not used",
        to_string(found.partition), to_string(found.topic_id));
    work.removals.push_back({found.partition, true});
  }
  co_await do_all(work);
  co_return work.applied;
}

Task<void> Partitions::stop() {
  stopped_ = true;
  retries_.stop();
  {
    const auto guard = co_await following_.lock();
  }
  co_await tasks_.wait();
  for (const auto& [name, topic] : topics_) {
    for (const auto& partition : topic->partitions) {
      if (partition) partition->end();
    }
  }
  topics_by_id_.clear();
  topics_.clear();
  count_ = 0;
}

}  // namespace millrace::broker
