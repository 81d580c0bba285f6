// One member of a group of the classic protocol, as a state machine: it is told events and the
// time, and says what to send and what the application must be told.
module;
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

export module millrace.client.consumer.groups:member;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import :assignor;
import :consumer_protocol;
import :types;

export namespace millrace::client {

struct MemberOptions {
  std::string group_id;
  std::optional<std::string> instance_id;  // of a static member
  std::optional<std::string> rack;
  std::vector<AssignorKind> strategies;  // in the order of preference; at least one
  Duration session_timeout = std::chrono::seconds{45};
  Duration heartbeat_interval = std::chrono::seconds{3};
  Duration max_poll_interval = std::chrono::minutes{5};
  BackoffRange backoff{std::chrono::milliseconds{100}, std::chrono::seconds{1}};
};

// --- What is to be done next. ---

// Nothing before that time, unless something happens.
struct Rest {
  MonotonicTime until{};
};
struct FindCoordinator {};
struct Join {
  std::string member_id;  // empty: it has none yet
  std::vector<std::pair<AssignorKind, OwnedBytes>> protocols;
  std::string reason;  // for the coordinator's log
};
// This member leads: it shares out the partitions, and says how by shared().
struct ShareOut {
  AssignorKind strategy = AssignorKind::range;
  std::vector<Subscriber> members;
};
struct Sync {
  Generation generation = no_generation;
  std::string member_id;
  AssignorKind strategy = AssignorKind::range;
  std::vector<std::pair<std::string, OwnedBytes>> assignments;  // of the leader only
};
struct Heartbeat {
  Generation generation = no_generation;
  std::string member_id;
};
struct Leave {
  std::string member_id;
  std::string reason;
};
using MemberStep = std::variant<Rest, FindCoordinator, Join, ShareOut, Sync, Heartbeat, Leave>;

// --- What was answered. ---

struct JoinAnswer {
  struct Member {
    std::string member_id;
    std::optional<std::string> instance_id;
    OwnedBytes metadata;
  };
  ErrorCode error = ErrorCode::none;
  Generation generation = no_generation;
  std::string protocol_name;
  std::string leader;
  std::string member_id;
  bool skip_assignment = false;  // it leads, and the assignment is there already
  std::vector<Member> members;   // for the leader
};
struct SyncAnswer {
  ErrorCode error = ErrorCode::none;
  OwnedBytes assignment;
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

// Owned by whoever sends its requests: asks next(), does it, tells the answer, and asks again; one
// request at a time. The application's side calls polled(), and then change() and told() until
// there is no change. What is told takes effect with told(). One thread, no clock, no I/O.
//
// It claims, joins and gives up as its strategies ask: with cooperative ones only, members keep
// what they hold while they join; else all is revoked before. No partition that it held goes on
// being held after the coordinator could have given it to another: when the membership ends without
// its doing, everything is lost.
class GroupMember {
 public:
  GroupMember(MemberOptions options, Random random);

  // --- From the application. ---
  // Takes part, or goes on with other topics. Sorted or not; each once.
  void subscribe(std::vector<std::string> topics, MonotonicTime now);
  // Out of the group: gives what to send, if anything. What it held is to be revoked before.
  [[nodiscard]] std::optional<Leave> leave(std::string_view reason);
  // True: there is something to do that was not there before.
  bool polled(MonotonicTime now);
  // What must be told next; null while one is being told.
  [[nodiscard]] std::optional<MembershipChange> change() const;
  void telling() { is_telling_ = true; }
  void told(const MembershipChange& change, MonotonicTime now);
  // What went wrong since the last call. It tries again after that, if that can help.
  [[nodiscard]] std::optional<MemberProblem> take_problem(MonotonicTime now);
  // Another rebalance is wanted: topics have more partitions, say.
  void request_rejoin(std::string_view reason);

  // --- For who sends. ---
  [[nodiscard]] MemberStep next(MonotonicTime now);
  void found_coordinator(ErrorCode error, MonotonicTime now);
  void joined(const JoinAnswer& answer, MonotonicTime now);
  void shared(const Assignments& assignments);
  // It could not be shared out now: joins again.
  void sharing_failed(std::string_view why, MonotonicTime now);
  void synced(const SyncAnswer& answer, MonotonicTime now);
  void heartbeat_answered(ErrorCode error, MonotonicTime now);
  void left();
  // What a commit that was sent in that generation says about the membership.
  void commit_answered(ErrorCode error, Generation generation, MonotonicTime now);
  // The request that is under way got no answer, for a reason that lies between.
  void unanswered(MonotonicTime now);

  // --- What is known. ---
  [[nodiscard]] bool has_problem() const { return problem_.has_value(); }
  [[nodiscard]] MemberPhase phase() const { return phase_; }
  [[nodiscard]] bool is_stable() const { return phase_ == MemberPhase::stable && !rejoin_; }
  [[nodiscard]] bool is_leader() const { return is_leader_; }
  [[nodiscard]] bool needs_coordinator() const { return !coordinator_known_; }
  [[nodiscard]] Generation generation() const { return generation_; }
  [[nodiscard]] const std::string& member_id() const { return member_id_; }
  // What the application was told to hold. Sorted.
  [[nodiscard]] const Partitions& owned() const { return owned_; }
  [[nodiscard]] const std::vector<std::string>& topics() const { return topics_; }
  [[nodiscard]] const MemberOptions& options() const { return options_; }

 private:
  [[nodiscard]] bool wants_join() const;
  [[nodiscard]] Partitions to_give_up_before_joining() const;
  [[nodiscard]] MemberStep join(MonotonicTime now);
  [[nodiscard]] MemberStep while_stable(MonotonicTime now);
  [[nodiscard]] bool has_poll_expired(MonotonicTime now) const;
  [[nodiscard]] bool take_answer();
  void lead(const JoinAnswer& answer, AssignorKind strategy);
  void adopt(Partitions assignment, MonotonicTime now);
  void membership_error(ErrorCode error, MonotonicTime now);
  void lose_membership();
  void coordinator_lost(MonotonicTime now);
  void back_off(MonotonicTime now);
  void fail(ErrorCode code, std::string sentence);

  MemberOptions options_;
  Backoff backoff_;
  bool cooperative_;
  MemberPhase phase_ = MemberPhase::out;
  std::vector<std::string> topics_;  // sorted

  std::string member_id_;
  Generation generation_ = no_generation;
  AssignorKind strategy_ = AssignorKind::range;
  bool is_leader_ = false;
  bool coordinator_known_ = false;
  bool rejoin_ = false;
  std::string rejoin_reason_;
  bool under_way_ = false;
  bool ignore_answer_ = false;  // it was asked by who left since
  std::optional<ShareOut> share_out_;
  std::vector<std::pair<std::string, OwnedBytes>> shares_;

  Partitions owned_;
  std::optional<Partitions> target_;  // assigned, and not told yet
  bool is_lost_ = false;              // what it owns, others may own
  bool is_telling_ = false;
  // For strategies that forget nothing: what it had, in which generation.
  Partitions remembered_;
  Generation remembered_generation_ = no_generation;

  MonotonicTime not_before_{};
  MonotonicTime last_poll_{};
  MonotonicTime heartbeat_due_{};
  MonotonicTime heard_{};
  std::optional<MemberProblem> problem_;
};

}  // namespace millrace::client
