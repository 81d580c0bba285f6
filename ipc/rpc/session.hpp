// The connection of a client to the controller that leads, and the calls on it: all that happens on
// the RPC thread, in words that need no import. What is ours is behind PendingCall and
// SessionOwner.
#pragma once
#include "kj.hpp"
// kj.hpp comes before all other headers of Cap'n Proto.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "schema/controller.capnp.h"

namespace millrace::rpc {

using Remote = wire::Controller::Client;

enum class CallEnd : std::uint8_t { unavailable, timed_out, broken, refused, closed };

// A call of another thread. It lies there; the session ends it exactly once, by ended(), and then
// does not touch it any more.
class PendingCall {
 public:
  explicit PendingCall(std::chrono::nanoseconds t) : timeout(t) {}
  virtual ~PendingCall() = default;

  // Sends it, and keeps the answer. The promise fails when the call fails.
  [[nodiscard]] virtual kj::Promise<void> send(Remote& remote) = 0;
  // Whether the answer is that another controller leads.
  [[nodiscard]] virtual bool is_misdirected() const = 0;
  virtual void fail(CallEnd how, std::string message) = 0;
  virtual void ended() = 0;

  std::chrono::nanoseconds timeout;
  bool is_sent = false;  // the controller may have it

 protected:
  PendingCall(const PendingCall&) = delete;
  PendingCall& operator=(const PendingCall&) = delete;
};

struct SessionAddress {
  std::int32_t id = -1;
  std::string host;
  std::uint16_t port = 0;
};

// What a controller said to Hello.
struct Greeting {
  std::string refusal;               // not empty: it does not want us
  bool is_refused_for_good = false;  // and will not
  std::int32_t controller_id = -1;
  std::int32_t leader_id = -1;
  std::optional<SessionAddress> leader;
};

class SessionOwner {
 public:
  virtual ~SessionOwner() = default;
  [[nodiscard]] virtual kj::Promise<Greeting> greet(Remote& remote) = 0;
  virtual void tell_problem(const std::string& sentence) = 0;
  virtual void tell_connected(const std::string& sentence) = 0;
  // From 0 to 1.
  [[nodiscard]] virtual double random_fraction() = 0;
};

struct SessionOptions {
  std::vector<SessionAddress> controllers;
  bool follow_leader = true;
  std::chrono::nanoseconds backoff_min{};
  std::chrono::nanoseconds backoff_max{};
  std::chrono::nanoseconds connect_timeout{};
  std::chrono::nanoseconds hello_timeout{};
  std::size_t calls_max = 0;
  std::size_t waiting_max = 0;
  std::size_t silent_calls_max = 0;
  std::size_t one_way_max = 0;
  std::uint64_t traversal_words_max = 0;
  int nesting_max = 0;
};

// Made and destroyed on the RPC thread, by the client. Owner and options outlive it.
class Session final : private kj::TaskSet::ErrorHandler {
 public:
  Session(KjContext& context, const SessionOptions& options, SessionOwner& owner);
  // Ends all calls with `closed`.
  ~Session();
  KJ_DISALLOW_COPY(Session);

  void add(PendingCall& call);
  // Not answered; dropped when there is no connection or too many are on their way. `send` gives
  // the promise of the call.
  template <class Send>
  void send_one_way(Send&& send) {
    if (link_ == nullptr || one_way_ >= options_.one_way_max) return;
    ++one_way_;
    tasks_->add(send(remote()).attach(kj::defer([this] { --one_way_; })));
  }

 private:
  struct Link;
  class Place;

  [[nodiscard]] Remote& remote();
  [[nodiscard]] kj::Promise<void> attempt(PendingCall& call);
  [[nodiscard]] kj::Promise<void> send(PendingCall& call);
  [[nodiscard]] kj::Promise<void> answered(PendingCall& call, std::uint64_t link);
  [[nodiscard]] kj::Promise<void> failed(PendingCall& call, std::uint64_t link,
                                         const kj::Exception& exception);
  void end_late(PendingCall& call);
  void pump();

  [[nodiscard]] kj::Promise<void> keep();
  [[nodiscard]] kj::Promise<void> connect_once();
  [[nodiscard]] kj::Promise<void> use(kj::Own<Link> link, const Greeting& greeting);
  [[nodiscard]] SessionAddress next_address();
  void look_elsewhere(const Greeting& greeting);
  // The connection is given up: calls on it break.
  void lose(const std::string& why);
  void taskFailed(kj::Exception&& exception) override;

  KjContext& context_;
  const SessionOptions& options_;
  SessionOwner& owner_;

  std::unordered_set<PendingCall*> calls_;
  std::vector<Place*> places_;  // calls that wait for a connection or for others to end
  std::size_t sent_ = 0;
  std::size_t silent_ = 0;
  std::size_t one_way_ = 0;
  std::string trouble_ = "no controller was reached yet";

  Link* link_ = nullptr;  // null: none is ready; owned by keeper_
  std::uint64_t link_number_ = 0;
  kj::Own<kj::PromiseFulfiller<void>> loss_;
  std::size_t next_ = 0;
  std::optional<SessionAddress> hint_;
  bool is_hint_used_ = false;
  std::chrono::nanoseconds backoff_;

  std::optional<kj::TaskSet> tasks_;
  kj::Promise<void> keeper_ = nullptr;
};

}  // namespace millrace::rpc
