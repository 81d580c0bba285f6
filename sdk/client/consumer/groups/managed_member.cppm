// One member of a group whose broker assigns (group.protocol=consumer, KIP-848), as a state
// machine: it is told events and the time, and says what to send and what the application must be
// told.
module;
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

export module millrace.client.consumer.groups:managed_member;

import millrace.base;
import millrace.client.core;
import millrace.runtime;
import :group_member;
import :types;

export namespace millrace::client {

// Epochs of a member with which it joins and leaves; a static one may come back to what it had.
inline constexpr Generation joining_epoch{0};
inline constexpr Generation leaving_epoch{-1};
inline constexpr Generation leaving_static_epoch{-2};
// However short an interval the broker asks for, heartbeats are no closer than this.
inline constexpr Duration managed_heartbeat_interval_min = std::chrono::milliseconds{50};

struct ManagedOptions {
  std::string group_id;
  std::optional<std::string> instance_id;  // of a static member
  std::optional<std::string> rack;
  std::optional<std::string> assignor;  // of the broker; none: its own choice
  Duration max_poll_interval = std::chrono::minutes{5};
  BackoffRange backoff{std::chrono::milliseconds{100}, std::chrono::seconds{1}};
};

// As the broker names partitions. Each once, ascending.
using PartitionsById = std::map<Uuid, std::vector<PartitionIndex>>;
// The name of a topic, where it is known.
using TopicNames = std::function<std::optional<std::string>(const Uuid& id)>;

// --- What is to be done next, and what was answered. ---

// What is none has not changed since the broker took it.
struct GroupHeartbeat {
  Generation epoch = joining_epoch;
  std::string member_id;
  std::optional<std::string> rack;
  std::optional<Duration> rebalance_timeout;
  std::optional<std::vector<std::string>> topics;
  std::optional<std::string> pattern;
  std::optional<std::string> assignor;
  std::optional<PartitionsById> owned;
};
// Topics were assigned whose names are not known: the metadata is to be asked for, then know().
struct FindNames {};
using ManagedStep = std::variant<Rest, FindCoordinator, FindNames, GroupHeartbeat, Leave>;

struct GroupHeartbeatAnswer {
  ErrorCode error = ErrorCode::none;
  std::string sentence = {};  // the broker's, with an error
  Generation epoch = no_generation;
  Duration interval{};
  std::optional<PartitionsById> assignment = {};  // none: as before
};

// Owned by whoever sends its requests: asks next(), does it, tells the answer, and asks again; one
// request at a time. One thread, no clock, no I/O.
//
// The broker says what this member may hold; what others still hold is not among it. The member
// gives up the rest, takes what is new, and then acknowledges with what it holds: only that lets
// others have what it gave up. Heartbeats go on meanwhile. When the broker does not know it any
// more, everything is lost, and it joins again. The id is its own, for as long as it lives.
class ManagedMember final : public GroupMember {
 public:
  ManagedMember(ManagedOptions options, Random random);

  // --- From the application. ---
  void subscribe(std::vector<std::string> topics, MonotonicTime now) override;
  [[nodiscard]] bool subscribe_to_matching(const std::string& pattern, MonotonicTime now) override;
  [[nodiscard]] std::optional<Leave> leave(std::string_view reason) override;
  bool polled(MonotonicTime now) override;
  [[nodiscard]] std::optional<MembershipChange> change() const override;
  void telling() override;
  void told(const MembershipChange& change, MonotonicTime now) override;
  [[nodiscard]] std::optional<MemberProblem> take_problem(MonotonicTime now) override;
  void commit_answered(ErrorCode error, Generation generation, MonotonicTime now) override;

  // --- For who sends. ---
  [[nodiscard]] ManagedStep next(MonotonicTime now);
  void found_coordinator(ErrorCode error, MonotonicTime now);
  void heartbeat_answered(const GroupHeartbeatAnswer& answer, const TopicNames& names,
                          MonotonicTime now);
  void left();
  // The request that is under way got no answer, for a reason that lies between.
  void unanswered(MonotonicTime now);
  // The broker does not have this protocol.
  void not_offered();
  // More topics may be known.
  void know(const TopicNames& names);

  // --- What is known. ---
  [[nodiscard]] bool has_problem() const override { return problem_.has_value(); }
  [[nodiscard]] MemberPhase phase() const override { return phase_; }
  // The epoch.
  [[nodiscard]] Generation generation() const override { return epoch_; }
  [[nodiscard]] std::uint64_t times_ended() const override { return times_ended_; }
  [[nodiscard]] std::string_view member_id() const override;
  [[nodiscard]] const Partitions& owned() const override { return owned_; }
  // It holds what it was assigned, and the broker knows.
  [[nodiscard]] bool is_settled() const;

 private:
  struct NamedPartitions {
    Partitions partitions;               // sorted
    std::map<std::string, Uuid> topics;  // their ids
  };

  void begin(MonotonicTime now);
  [[nodiscard]] bool has_poll_expired(MonotonicTime now) const;
  [[nodiscard]] std::optional<Leave> give_up_for_not_polling();
  [[nodiscard]] GroupHeartbeat heartbeat(MonotonicTime now);
  [[nodiscard]] PartitionsById owned_by_id() const;
  [[nodiscard]] Partitions to_give_up() const;
  [[nodiscard]] bool take_answer();
  void refused(const GroupHeartbeatAnswer& answer, bool was_joining, MonotonicTime now);
  void lose_membership();
  void coordinator_lost(MonotonicTime now);
  void back_off(MonotonicTime now);
  void fail(ErrorCode code, std::string_view why, std::string_view said);
  [[nodiscard]] std::string new_id();

  ManagedOptions options_;
  Random random_;
  Backoff backoff_;
  MemberPhase phase_ = MemberPhase::out;
  std::vector<std::string> topics_;  // sorted
  std::optional<std::string> pattern_;

  std::string id_;
  Generation epoch_ = no_generation;
  std::uint64_t times_ended_ = 0;
  bool coordinator_known_ = false;
  bool under_way_ = false;
  bool ignore_answer_ = false;  // it was asked by who left since
  bool may_be_known_ = false;   // to the broker: it has asked to join
  bool tells_all_ = true;       // the broker may have missed what it was told
  bool tells_topics_ = false;   // they have changed
  bool must_acknowledge_ = false;

  NamedPartitions target_;      // of what was assigned, all whose topics have a name
  NamedPartitions being_told_;  // what it was when the application began to be told
  PartitionsById assigned_;     // as the broker said
  bool names_missing_ = false;
  bool is_changed_ = false;  // the target is not told yet
  std::uint64_t target_version_ = 0;
  std::uint64_t told_version_ = 0;
  Partitions owned_;
  std::map<std::string, Uuid> owned_topics_;
  bool is_lost_ = false;  // what it owns, others may own
  bool is_telling_ = false;
  bool is_void_ = false;  // what is being told: it has left since

  MonotonicTime not_before_{};
  MonotonicTime names_due_{};
  MonotonicTime last_poll_{};
  MonotonicTime heartbeat_due_{};
  Duration interval_ = std::chrono::seconds{5};
  std::optional<MemberProblem> problem_;
};

}  // namespace millrace::client
