// Names of what an admin client is asked and answers.
#include <string>
#include <string_view>

#include "millrace/admin.hpp"

namespace millrace::inline v1 {

namespace {

// Of a number that a newer broker sent.
constexpr std::string_view unknown = "UNKNOWN";

}  // namespace

std::string_view to_string(AclResource resource) {
  switch (resource) {
    case AclResource::unknown:
      return unknown;
    case AclResource::any:
      return "ANY";
    case AclResource::topic:
      return "TOPIC";
    case AclResource::group:
      return "GROUP";
    case AclResource::cluster:
      return "CLUSTER";
    case AclResource::transactional_id:
      return "TRANSACTIONAL_ID";
    case AclResource::delegation_token:
      return "DELEGATION_TOKEN";
    case AclResource::user:
      return "USER";
  }
  return unknown;
}

std::string_view to_string(AclPattern pattern) {
  switch (pattern) {
    case AclPattern::unknown:
      return unknown;
    case AclPattern::any:
      return "ANY";
    case AclPattern::match:
      return "MATCH";
    case AclPattern::literal:
      return "LITERAL";
    case AclPattern::prefixed:
      return "PREFIXED";
  }
  return unknown;
}

std::string_view to_string(AclOperation operation) {
  switch (operation) {
    case AclOperation::unknown:
      return unknown;
    case AclOperation::any:
      return "ANY";
    case AclOperation::all:
      return "ALL";
    case AclOperation::read:
      return "READ";
    case AclOperation::write:
      return "WRITE";
    case AclOperation::create:
      return "CREATE";
    case AclOperation::remove:
      return "DELETE";
    case AclOperation::alter:
      return "ALTER";
    case AclOperation::describe:
      return "DESCRIBE";
    case AclOperation::cluster_action:
      return "CLUSTER_ACTION";
    case AclOperation::describe_configs:
      return "DESCRIBE_CONFIGS";
    case AclOperation::alter_configs:
      return "ALTER_CONFIGS";
    case AclOperation::idempotent_write:
      return "IDEMPOTENT_WRITE";
    case AclOperation::create_tokens:
      return "CREATE_TOKENS";
    case AclOperation::describe_tokens:
      return "DESCRIBE_TOKENS";
    case AclOperation::two_phase_commit:
      return "TWO_PHASE_COMMIT";
  }
  return unknown;
}

std::string_view to_string(AclPermission permission) {
  switch (permission) {
    case AclPermission::unknown:
      return unknown;
    case AclPermission::any:
      return "ANY";
    case AclPermission::deny:
      return "DENY";
    case AclPermission::allow:
      return "ALLOW";
  }
  return unknown;
}

std::string to_string(const AclBinding& binding) {
  std::string text = binding.principal;
  text += binding.permission == AclPermission::deny ? " may not " : " may ";
  text += to_string(binding.operation);
  text += ' ';
  text += to_string(binding.resource);
  text += ' ';
  text += binding.name;
  if (binding.pattern == AclPattern::prefixed) text += '*';
  text += " from ";
  text += binding.host;
  return text;
}

std::string to_string(const QuotaEntity& entity) {
  std::string text;
  for (const QuotaPart& part : entity) {
    if (!text.empty()) text += ',';
    text += part.type;
    text += '=';
    text += part.name.value_or("<default>");
  }
  return text;
}

std::string_view to_string(ScramMechanism mechanism) {
  switch (mechanism) {
    case ScramMechanism::unknown:
      return unknown;
    case ScramMechanism::sha_256:
      return "SCRAM-SHA-256";
    case ScramMechanism::sha_512:
      return "SCRAM-SHA-512";
  }
  return unknown;
}

std::string_view to_string(Election election) {
  switch (election) {
    case Election::preferred:
      return "PREFERRED";
    case Election::unclean:
      return "UNCLEAN";
  }
  return unknown;
}

std::string_view to_string(ResourceType type) {
  switch (type) {
    case ResourceType::topic:
      return "TOPIC";
    case ResourceType::broker:
      return "BROKER";
    case ResourceType::broker_logger:
      return "BROKER_LOGGER";
    case ResourceType::client_metrics:
      return "CLIENT_METRICS";
    case ResourceType::group:
      return "GROUP";
  }
  return unknown;
}

std::string_view to_string(ConfigSource source) {
  switch (source) {
    case ConfigSource::unknown:
      return unknown;
    case ConfigSource::topic:
      return "DYNAMIC_TOPIC_CONFIG";
    case ConfigSource::dynamic_broker:
      return "DYNAMIC_BROKER_CONFIG";
    case ConfigSource::dynamic_broker_default:
      return "DYNAMIC_DEFAULT_BROKER_CONFIG";
    case ConfigSource::static_broker:
      return "STATIC_BROKER_CONFIG";
    case ConfigSource::default_value:
      return "DEFAULT_CONFIG";
    case ConfigSource::dynamic_broker_logger:
      return "DYNAMIC_BROKER_LOGGER_CONFIG";
    case ConfigSource::client_metrics:
      return "DYNAMIC_CLIENT_METRICS_CONFIG";
    case ConfigSource::group:
      return "DYNAMIC_GROUP_CONFIG";
  }
  return unknown;
}

std::string_view to_string(ConfigOperation operation) {
  switch (operation) {
    case ConfigOperation::set:
      return "SET";
    case ConfigOperation::remove:
      return "DELETE";
    case ConfigOperation::append:
      return "APPEND";
    case ConfigOperation::subtract:
      return "SUBTRACT";
  }
  return unknown;
}

std::string_view to_string(FeatureChange change) {
  switch (change) {
    case FeatureChange::upgrade:
      return "UPGRADE";
    case FeatureChange::safe_downgrade:
      return "SAFE_DOWNGRADE";
    case FeatureChange::unsafe_downgrade:
      return "UNSAFE_DOWNGRADE";
  }
  return unknown;
}

}  // namespace millrace::inline v1
