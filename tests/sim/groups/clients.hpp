// The clients of a run: members of groups in their ways, and what goes wrong with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "world.hpp"

namespace millrace::groups::sim {

struct Client {
  std::string group;
  std::optional<std::string> instance;  // of a static member
  bool asks_for_id = false;             // knows the round in which a new member is told its id
  bool skips_assignment = false;        // knows that a static leader need not assign again
  std::vector<Protocol> protocols;

  enum class State { away, joining, syncing, stable };
  State state = State::away;
  bool stands_still = false;
  double is_busy = 0;         // how often it has other things to do than to join or to fetch
  Duration busy_until{};      // while it heartbeats
  std::uint64_t attempt = 0;  // what belongs to an earlier one is not heard
  std::uint64_t met = 0;      // the newest coordinator that it has reached
  std::string member;
  Generation generation = no_generation;
  std::vector<std::string> members;  // as a leader was told
  OwnedBytes assignment;
};

// Does what Kafka's clients do: joins until it has an assignment, heartbeats, commits, and joins
// again when it is told to.
class Clients {
 public:
  explicit Clients(World& world) : world_(world) {}

  Client& add(Client client);
  // A new process: it knows nothing of the one before.
  void start(Client& client);
  void die(Client& client);
  void leave(Client& client);
  void commit(Client& client);
  [[nodiscard]] const std::vector<std::unique_ptr<Client>>& all() const { return clients_; }
  [[nodiscard]] Client& any() { return *clients_[world_.random().below(clients_.size())]; }

 private:
  void join(Client& client);
  void join_after(Client& client, Duration delay);
  void sync(Client& client);
  void heartbeat(Client& client);
  void on(Client& client, const JoinReply& reply);
  void on(Client& client, const SyncReply& reply);
  void on(Client& client, ErrorCode error);
  // Sends, and hands over the answer if nothing else was begun before it comes.
  template <class OneReply, class OneRequest>
  void ask(Client& client, OneRequest request);

  World& world_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::uint64_t tokens_ = 0;
};

[[nodiscard]] JoinRequest join_of(const Client& client, Random& random);
// A ConsumerProtocolSubscription of version 0 to the topic of all.
[[nodiscard]] OwnedBytes subscription();

}  // namespace millrace::groups::sim
