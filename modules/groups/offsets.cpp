module;
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>

module millrace.groups;

import millrace.base;

namespace millrace::groups {
namespace {

// A node of the tree, about.
constexpr std::size_t node_bytes = 64;
// What the key of an offset has besides names: its type, two lengths, and the partition.
constexpr std::size_t key_bytes = 2 + 2 + 2 + 4;

std::size_t bytes_of(const CommittedOffset& offset) {
  return node_bytes + sizeof(CommittedOffset) + offset.metadata.size();
}
std::size_t bytes_of_topic(std::string_view name) {
  return node_bytes + sizeof(OffsetTable::Partitions) + sizeof(std::string) + name.size();
}

}  // namespace

void OffsetTable::set(std::string_view topic, PartitionIndex partition, CommittedOffset offset) {
  auto place = topics_.find(topic);
  if (place == topics_.end()) {
    place = topics_.emplace(topic, Partitions{}).first;
    bytes_ += bytes_of_topic(topic);
  }
  const auto [entry, inserted] = place->second.try_emplace(partition);
  if (inserted) {
    ++size_;
    name_bytes_ += topic.size();
  } else {
    bytes_ -= bytes_of(entry->second);
  }
  bytes_ += bytes_of(offset);
  entry->second = std::move(offset);
}

bool OffsetTable::erase(std::string_view topic, PartitionIndex partition) {
  const auto place = topics_.find(topic);
  if (place == topics_.end()) return false;
  const auto entry = place->second.find(partition);
  if (entry == place->second.end()) return false;
  bytes_ -= bytes_of(entry->second);
  --size_;
  name_bytes_ -= topic.size();
  place->second.erase(entry);
  if (place->second.empty()) {
    bytes_ -= bytes_of_topic(topic);
    topics_.erase(place);
  }
  return true;
}

std::size_t OffsetTable::erasure_bytes(std::size_t group_name_bytes) const {
  return name_bytes_ + size_ * (group_name_bytes + key_bytes + record_framing_bytes_max);
}

const CommittedOffset* OffsetTable::find(std::string_view topic, PartitionIndex partition) const {
  const auto place = topics_.find(topic);
  if (place == topics_.end()) return nullptr;
  const auto entry = place->second.find(partition);
  return entry == place->second.end() ? nullptr : &entry->second;
}

}  // namespace millrace::groups
