// What a session may do with groups.
module;
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.broker.coordination:group_access;

import millrace.base;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.security;

export namespace millrace::broker {

// Of one group request: asks the authoriser as Kafka does, before anything else is done with it.
// screen() comes first and says what is left of the body; complete() then puts what was refused
// into the answer, and takes out what may not be seen. A value for the time of the request; what it
// was given outlives it.
class GroupAccess {
 public:
  using Body = std::vector<std::byte>;

  GroupAccess(security::Authorizer& authorizer, const security::Session& session,
              const coordination::TopicLookup& topics, protocol::ApiKey api, std::int16_t version)
      : authorizer_(authorizer), session_(session), topics_(topics), api_(api), version_(version) {}

  struct Screened {
    std::optional<Body> answer;  // the request is refused as a whole
    std::optional<Body> body;    // what may be asked, where it is less than what was
  };
  // Fails for a body that cannot be read: its connection is to be closed.
  [[nodiscard]] Result<Screened> screen(ByteView body);
  // The answer to what screen() left. Fails where the whole cannot be written.
  [[nodiscard]] Result<Body> complete(Body answer) const;

 private:
  friend struct GroupRequestScreen;
  friend struct GroupAnswerCompletion;
  struct DeniedTopic {
    std::string name;
    Uuid id;
    std::vector<std::int32_t> partitions;
  };
  struct Group {
    std::string name;
    bool is_denied = false;
    bool fetches_all = false;  // an OffsetFetch that names no topics
    std::vector<DeniedTopic> topics;
  };

  [[nodiscard]] bool may(security::Operation operation, security::ResourceType type,
                         std::string_view name) const {
    return authorizer_.authorize(session_, operation, type, name);
  }
  [[nodiscard]] bool may_group(security::Operation operation, std::string_view group) const {
    return may(operation, security::ResourceType::group, group);
  }
  [[nodiscard]] bool may_topic(security::Operation operation, std::string_view topic) const {
    return may(operation, security::ResourceType::topic, topic);
  }
  [[nodiscard]] bool has_denied() const;
  // Whether the answer may stay as it is.
  [[nodiscard]] bool is_complete() const;

  security::Authorizer& authorizer_;
  const security::Session& session_;
  const coordination::TopicLookup& topics_;
  protocol::ApiKey api_;
  std::int16_t version_;
  // In the order of the request; one where the API is about one.
  std::vector<Group> groups_;
  bool wants_operations_ = false;
  bool sees_all_groups_ = true;
};

}  // namespace millrace::broker
