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

export module millrace.client.consumer.groups:classic_member;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import :assignor;
import :consumer_protocol;
import :group_member;
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

// Owned by whoever sends its requests: asks next(), does it, tells the answer, and asks again; one
// request at a time. One thread, no clock, no I/O.
//
// It claims, joins and gives up as its strategies ask: with cooperative ones only, members keep
// what they hold while they join; else all is revoked before. No partition that it held goes on
// being held after the coordinator could have given it to another: when the membership ends without
// its doing, everything is lost.
class ClassicMember final : public GroupMember {
 public:
  ClassicMember(MemberOptions options, Random random);

  // --- From the application. ---
  void subscribe(std::vector<std::string> topics, MonotonicTime now) override;
  [[nodiscard]] std::optional<Leave> leave(std::string_view reason) override;
  bool polled(MonotonicTime now) override;
  [[nodiscard]] std::optional<MembershipChange> change() const override;
  void telling() override { is_telling_ = true; }
  void told(const MembershipChange& change, MonotonicTime now) override;
  [[nodiscard]] std::optional<MemberProblem> take_problem(MonotonicTime now) override;
  void commit_answered(ErrorCode error, Generation generation, MonotonicTime now) override;
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
  // The request that is under way got no answer, for a reason that lies between.
  void unanswered(MonotonicTime now);

  // --- What is known. ---
  [[nodiscard]] bool has_problem() const override { return problem_.has_value(); }
  [[nodiscard]] MemberPhase phase() const override { return phase_; }
  [[nodiscard]] bool is_stable() const { return phase_ == MemberPhase::stable && !rejoin_; }
  [[nodiscard]] bool is_leader() const { return is_leader_; }
  [[nodiscard]] bool needs_coordinator() const { return !coordinator_known_; }
  [[nodiscard]] Generation generation() const override { return generation_; }
  [[nodiscard]] std::uint64_t times_ended() const override { return times_ended_; }
  // An id without a generation is good for joining only.
  [[nodiscard]] std::string_view member_id() const override {
    return generation_ == no_generation ? std::string_view() : std::string_view(member_id_);
  }
  [[nodiscard]] const Partitions& owned() const override { return owned_; }
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
  std::uint64_t times_ended_ = 0;
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
  bool is_void_ = false;  // what is being told: it has left since
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
