module;
#include <string_view>

module millrace.security;

namespace millrace::security {

std::string_view name_of(Operation operation) {
  switch (operation) {
    case Operation::unknown:
      return "UNKNOWN";
    case Operation::any:
      return "ANY";
    case Operation::all:
      return "ALL";
    case Operation::read:
      return "READ";
    case Operation::write:
      return "WRITE";
    case Operation::create:
      return "CREATE";
    case Operation::remove:
      return "DELETE";
    case Operation::alter:
      return "ALTER";
    case Operation::describe:
      return "DESCRIBE";
    case Operation::cluster_action:
      return "CLUSTER_ACTION";
    case Operation::describe_configs:
      return "DESCRIBE_CONFIGS";
    case Operation::alter_configs:
      return "ALTER_CONFIGS";
    case Operation::idempotent_write:
      return "IDEMPOTENT_WRITE";
    case Operation::create_tokens:
      return "CREATE_TOKENS";
    case Operation::describe_tokens:
      return "DESCRIBE_TOKENS";
    case Operation::two_phase_commit:
      return "TWO_PHASE_COMMIT";
  }
  return "UNKNOWN";
}

std::string_view name_of(ResourceType type) {
  switch (type) {
    case ResourceType::unknown:
      return "UNKNOWN";
    case ResourceType::any:
      return "ANY";
    case ResourceType::topic:
      return "TOPIC";
    case ResourceType::group:
      return "GROUP";
    case ResourceType::cluster:
      return "CLUSTER";
    case ResourceType::transactional_id:
      return "TRANSACTIONAL_ID";
    case ResourceType::delegation_token:
      return "DELEGATION_TOKEN";
    case ResourceType::user:
      return "USER";
  }
  return "UNKNOWN";
}

bool AllowAll::authorize(const Session& /*session*/, Operation /*operation*/, ResourceType /*type*/,
                         std::string_view /*name*/) {
  return true;
}

}  // namespace millrace::security
