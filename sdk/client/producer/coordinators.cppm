// Which broker coordinates a transactional id, and which a group.
module;
#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

export module millrace.client.producer:coordinators;

import millrace.base;
import millrace.client.core;
import millrace.runtime;

export namespace millrace::client {

enum class CoordinatorKind : std::uint8_t { group, transaction };

// Remembers the last one of each kind. On the client's thread; the brokers outlive it.
class Coordinators {
 public:
  explicit Coordinators(Brokers& brokers) : brokers_(brokers) {}

  // What is remembered; else asks once.
  [[nodiscard]] Task<ClientResult<BrokerId>> find(CoordinatorKind kind, std::string key,
                                                  MonotonicTime deadline);
  // It is another one, or cannot be reached.
  void lose(CoordinatorKind kind) { known_[static_cast<std::size_t>(kind)].reset(); }
  [[nodiscard]] std::optional<BrokerId> known(CoordinatorKind kind) const;

 private:
  struct Known {
    std::string key;
    BrokerId broker = no_broker;
  };

  Brokers& brokers_;
  std::array<std::optional<Known>, 2> known_;
};

}  // namespace millrace::client
