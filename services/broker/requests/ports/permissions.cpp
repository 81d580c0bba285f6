module;
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

module millrace.broker.requests.ports;

import millrace.security;

namespace millrace::broker {
namespace {

using security::Operation;
using security::ResourceType;

constexpr auto topic_operations = std::to_array<Operation>(
    {Operation::read, Operation::write, Operation::create, Operation::remove, Operation::alter,
     Operation::describe, Operation::describe_configs, Operation::alter_configs});
constexpr auto cluster_operations = std::to_array<Operation>(
    {Operation::create, Operation::alter, Operation::describe, Operation::cluster_action,
     Operation::describe_configs, Operation::alter_configs, Operation::idempotent_write});

std::int32_t bits_of(const Permissions& permissions, std::span<const Operation> operations,
                     ResourceType type, std::string_view name) {
  std::int32_t bits = 0;
  for (const Operation operation : operations) {
    if (permissions.may(operation, type, name)) bits |= 1 << static_cast<int>(operation);
  }
  return bits;
}

}  // namespace

std::int32_t Permissions::operations_on_topic(std::string_view name) const {
  return bits_of(*this, topic_operations, ResourceType::topic, name);
}

std::int32_t Permissions::operations_on_cluster() const {
  return bits_of(*this, cluster_operations, ResourceType::cluster, security::cluster_name);
}

}  // namespace millrace::broker
