// What every member of a group is to the application's side, whoever assigns: the leader among the
// members (classic_member.cppm), or the broker (managed_member.cppm).
module;
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.client.consumer.groups:group_member;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import :types;

export namespace millrace::client {

// --- What is to be done next, in each protocol. ---

// Nothing before that time, unless something happens.
struct Rest {
  MonotonicTime until{};
};
struct FindCoordinator {};
struct Leave {
  std::string member_id;
  std::string reason;
};
// --- What the application is told, one after the other. ---

struct MembershipChange {
  enum class Kind : std::uint8_t {
    revoked,   // it still holds them: what was done can be committed
    lost,      // others may hold them already
    assigned,  // it holds them from the end of this call on
  };
  Kind kind = Kind::assigned;
  Partitions partitions;

  friend bool operator==(const MembershipChange&, const MembershipChange&) = default;
};

struct MemberProblem {
  ErrorCode code = ErrorCode::none;
  bool is_fatal = false;  // it stays out until it subscribes anew
  std::string sentence;
};

enum class MemberPhase : std::uint8_t {
  out,       // subscribes to nothing
  unjoined,  // about to join
  joining,   // asked, not answered
  sharing,   // leads, and has not shared out yet
  syncing,   // has the generation, not the assignment
  stable,    // has both
  too_slow,  // left because the application did not poll
  failed,    // a problem that only subscribing anew can end
};
[[nodiscard]] std::string_view name_of(MemberPhase phase);

// The application's side calls polled(), and then change() and told() until there is no change.
// What is told takes effect with told(). One thread, no clock, no I/O.
class GroupMember {
 public:
  virtual ~GroupMember() = default;

  // Takes part, or goes on with other topics. Sorted or not; each once.
  virtual void subscribe(std::vector<std::string> topics, MonotonicTime now) = 0;
  // The same with those that the broker finds; false: the protocol has no such subscriptions.
  [[nodiscard]] virtual bool subscribe_to_matching(const std::string& pattern, MonotonicTime now);
  // Out of the group: gives what to send, if anything. What it held is to be revoked before.
  [[nodiscard]] virtual std::optional<Leave> leave(std::string_view reason) = 0;
  // True: there is something to do that was not there before.
  virtual bool polled(MonotonicTime now) = 0;
  // What must be told next; null while one is being told.
  [[nodiscard]] virtual std::optional<MembershipChange> change() const = 0;
  virtual void telling() = 0;
  virtual void told(const MembershipChange& change, MonotonicTime now) = 0;
  // What went wrong since the last call. It tries again after that, if that can help.
  [[nodiscard]] virtual std::optional<MemberProblem> take_problem(MonotonicTime now) = 0;
  // What a commit that was sent in that generation says about the membership.
  virtual void commit_answered(ErrorCode error, Generation generation, MonotonicTime now) = 0;

  [[nodiscard]] virtual bool has_problem() const = 0;
  [[nodiscard]] virtual MemberPhase phase() const = 0;
  [[nodiscard]] virtual Generation generation() const = 0;
  // How many memberships have ended; a commit goes on in none but its own.
  [[nodiscard]] virtual std::uint64_t times_ended() const = 0;
  // Empty while it is nobody.
  [[nodiscard]] virtual std::string_view member_id() const = 0;
  // What the application was told to hold. Sorted.
  [[nodiscard]] virtual const Partitions& owned() const = 0;

 protected:
  GroupMember() = default;
  GroupMember(const GroupMember&) = default;
  GroupMember& operator=(const GroupMember&) = default;
};

}  // namespace millrace::client

namespace millrace::client {

// Both sorted.
[[nodiscard]] Partitions without(const Partitions& all, const Partitions& some);
// What an application is told whose membership was given up because it did not poll.
[[nodiscard]] MemberProblem polled_too_late(const std::string& group_id, Duration allowed);

}  // namespace millrace::client
