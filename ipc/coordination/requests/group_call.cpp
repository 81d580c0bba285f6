module;
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

module millrace.ipc.coordination.requests;

import millrace.base;
import millrace.ipc.coordination;
import millrace.protocol.api;

namespace millrace::coordination {
namespace {

std::optional<KnownTopic> copied(const std::vector<KnownTopic>& topics,
                                 std::vector<KnownTopic>::const_iterator place) {
  if (place == topics.end()) return std::nullopt;
  return *place;
}

}  // namespace

std::optional<KnownTopic> ListedTopics::find(std::string_view name) const {
  return copied(topics_, std::ranges::find(topics_, name, &KnownTopic::name));
}

std::optional<KnownTopic> ListedTopics::find(const Uuid& id) const {
  return copied(topics_, std::ranges::find(topics_, id, &KnownTopic::id));
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
