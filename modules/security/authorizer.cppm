// What a principal may do to what.
module;
#include <cstdint>
#include <string_view>

export module millrace.security:authorizer;

import :session;

export namespace millrace::security {

// Kafka's AclOperation, with its codes.
enum class Operation : std::int8_t {
  unknown = 0,
  any = 1,
  all = 2,
  read = 3,
  write = 4,
  create = 5,
  remove = 6,  // DELETE
  alter = 7,
  describe = 8,
  cluster_action = 9,
  describe_configs = 10,
  alter_configs = 11,
  idempotent_write = 12,
  create_tokens = 13,
  describe_tokens = 14,
  two_phase_commit = 15,
};

// Kafka's ResourceType, with its codes.
enum class ResourceType : std::int8_t {
  unknown = 0,
  any = 1,
  topic = 2,
  group = 3,
  cluster = 4,
  transactional_id = 5,
  delegation_token = 6,
  user = 7,
};

// The only resource of type cluster.
inline constexpr std::string_view cluster_name = "kafka-cluster";

// As Kafka writes them: "DESCRIBE_CONFIGS", "TRANSACTIONAL_ID".
[[nodiscard]] std::string_view name_of(Operation operation);
[[nodiscard]] std::string_view name_of(ResourceType type);

// Asked by every request before it does anything. Owned by whoever starts the process, and asked
// from all shards at once: an answer waits for nothing.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  Authorizer(const Authorizer&) = delete;
  Authorizer& operator=(const Authorizer&) = delete;

  [[nodiscard]] virtual bool authorize(const Session& session, Operation operation,
                                       ResourceType type, std::string_view name) = 0;
  // False where everybody may do everything: lists of allowed operations then name all that apply.
  [[nodiscard]] virtual bool restricts() const = 0;

 protected:
  Authorizer() = default;
};

// A cluster without access control.
class AllowAll final : public Authorizer {
 public:
  [[nodiscard]] bool authorize(const Session& session, Operation operation, ResourceType type,
                               std::string_view name) override;
  [[nodiscard]] bool restricts() const override { return false; }
};

}  // namespace millrace::security
