// What the session of a request may do.
module;
#include <cstdint>
#include <limits>
#include <string_view>

export module millrace.broker.requests.ports:permissions;

import millrace.security;

export namespace millrace::broker {

// Allowed operations are a set of bits, or this where nobody asked for them.
inline constexpr std::int32_t operations_not_asked = std::numeric_limits<std::int32_t>::min();

// The authoriser, asked for one session. Both outlive it.
class Permissions {
 public:
  Permissions(security::Authorizer& authorizer, const security::Session& session)
      : authorizer_(&authorizer), session_(&session) {}

  [[nodiscard]] inline bool may(security::Operation operation, security::ResourceType type,
                                std::string_view name) const {
    return authorizer_->authorize(*session_, operation, type, name);
  }
  [[nodiscard]] bool may_on_cluster(security::Operation operation) const {
    return may(operation, security::ResourceType::cluster, security::cluster_name);
  }
  // Whoever may make topics in the cluster may make any.
  [[nodiscard]] bool may_create_topic(std::string_view name) const {
    return may_on_cluster(security::Operation::create) ||
           may(security::Operation::create, security::ResourceType::topic, name);
  }

  // Of the operations that apply to such a resource, a bit for each that is allowed.
  [[nodiscard]] std::int32_t operations_on_topic(std::string_view name) const;
  [[nodiscard]] std::int32_t operations_on_cluster() const;

 private:
  security::Authorizer* authorizer_;
  const security::Session* session_;
};

}  // namespace millrace::broker
