module;
#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

module millrace.ipc.coordination.requests;

import millrace.base;
import millrace.ipc.coordination;
import millrace.protocol.api;

namespace millrace::coordination {
namespace {

// Sorts `places` by what `of` says of a topic, if it is not done yet.
template <class Key, class Of>
std::optional<KnownTopic> found(const std::vector<KnownTopic>& topics,
                                std::vector<const KnownTopic*>& places, const Key& key, Of of) {
  const auto key_of = [of](const KnownTopic* topic) { return Key(std::invoke(of, *topic)); };
  if (places.size() != topics.size()) {
    places.clear();
    for (const KnownTopic& topic : topics) places.push_back(&topic);
    std::ranges::stable_sort(places, {}, key_of);
  }
  const auto place = std::ranges::lower_bound(places, key, {}, key_of);
  if (place == places.end() || key_of(*place) != key) return std::nullopt;
  return **place;
}

}  // namespace

std::optional<KnownTopic> ListedTopics::find(std::string_view name) const {
  return found(topics_, by_name_, name, &KnownTopic::name);
}

std::optional<KnownTopic> ListedTopics::find(const Uuid& id) const {
  return found(topics_, by_id_, id, &KnownTopic::id);
}

bool GroupCall::knows(protocol::ApiKey api) {
  switch (api) {
    case protocol::ApiKey::join_group:
    case protocol::ApiKey::sync_group:
    case protocol::ApiKey::heartbeat:
    case protocol::ApiKey::leave_group:
    case protocol::ApiKey::offset_commit:
    case protocol::ApiKey::offset_fetch:
    case protocol::ApiKey::offset_delete:
    case protocol::ApiKey::describe_groups:
    case protocol::ApiKey::list_groups:
    case protocol::ApiKey::delete_groups:
      return true;
    default:
      return false;
  }
}

bool GroupCall::wants_all_topics() const {
  return api_ == protocol::ApiKey::offset_fetch && version_ >= first_version_with_topic_ids &&
         std::ranges::any_of(wanted_, &Wanted::all);
}

}  // namespace millrace::coordination
