// One group: its members, what they agree on, its offsets.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.groups:group;

import millrace.base;
import :member;
import :offsets;
import :requests;
import :types;

export namespace millrace::groups {

// The protocol type of consumers: their metadata says to which topics they subscribe.
inline constexpr std::string_view consumer_protocol_type = "consumer";

// Holds together what belongs together: members, their votes, the leader, the state. When it
// changes, and who is told, is the coordinator's business, to which it belongs. Naming a member
// that is not there is a broken invariant.
class Group {
 public:
  using Members = std::map<std::string, Member, std::less<>>;

  explicit Group(std::string id) : id_(std::move(id)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] GroupState state() const { return state_; }
  [[nodiscard]] bool is(GroupState state) const { return state_ == state; }
  [[nodiscard]] Generation generation() const { return generation_; }
  [[nodiscard]] const std::optional<std::string>& protocol_type() const { return protocol_type_; }
  [[nodiscard]] const std::optional<std::string>& protocol_name() const { return protocol_name_; }
  [[nodiscard]] const std::optional<std::string>& leader() const { return leader_; }
  [[nodiscard]] bool is_leader(std::string_view member) const { return leader_ == member; }
  [[nodiscard]] std::optional<Timestamp> state_since() const { return state_since_; }

  // --- Members. ---
  [[nodiscard]] const Members& members() const { return members_; }
  [[nodiscard]] Member* find(std::string_view member);
  [[nodiscard]] Member& member(std::string_view member);
  [[nodiscard]] const std::string* static_member(const std::optional<std::string>& instance) const;
  [[nodiscard]] const std::set<std::string, std::less<>>& pending() const { return pending_; }
  [[nodiscard]] bool is_pending(std::string_view member) const { return pending_.contains(member); }

  Member& add(Member member, std::string_view protocol_type);
  // A member, or one that is pending, or nobody.
  void remove(std::string_view member);
  void add_pending(std::string member);
  void update(Member& member, const JoinRequest& request);
  // The static member goes on under another id. Nothing of it waits any more.
  Member& replace(std::string_view old_id, std::string new_id);
  void assign(Member& member, OwnedBytes assignment);
  // The request that waits now; the one before it, if there was one.
  std::optional<RequestId> exchange_join(Member& member, std::optional<RequestId> request);
  void set_pending_sync(Member& member, bool pending);

  // What is wrong with one who says to be this member.
  [[nodiscard]] ErrorCode validate(std::string_view member,
                                   const std::optional<std::string>& instance) const;

  // --- Agreement. ---
  [[nodiscard]] bool supports(std::string_view type, const std::vector<Protocol>& protocols) const;
  // What most members like best among what all know. Needs members.
  [[nodiscard]] std::string selected_protocol() const;
  [[nodiscard]] std::size_t awaiting_join() const { return awaiting_join_; }
  [[nodiscard]] bool all_have_joined() const {
    return awaiting_join_ == members_.size() && pending_.empty();
  }
  [[nodiscard]] bool any_pending_sync() const { return pending_sync_ != 0; }
  [[nodiscard]] Milliseconds rebalance_timeout() const;  // the longest of its members
  // Whether there is a leader that has joined, after another was chosen if need be: the one who
  // came first.
  bool elect_joined_leader();
  void begin_generation(Timestamp now);
  void enter(GroupState state, Timestamp now);
  // What a leader needs to assign.
  [[nodiscard]] std::vector<JoinedMember> joined_members() const;

  // --- Topics of consumers. ---
  [[nodiscard]] bool is_consumer_group() const { return protocol_type_ == consumer_protocol_type; }
  [[nodiscard]] bool knows_subscriptions() const { return subscribed_.has_value(); }
  // When subscriptions cannot be read, a consumer group counts as subscribed to all topics.
  [[nodiscard]] bool is_subscribed_to(std::string_view topic) const;

  // As it was stored.
  void restore(Generation generation, std::optional<std::string> protocol_type,
               std::optional<std::string> protocol_name, std::optional<std::string> leader,
               std::optional<Timestamp> state_since, std::vector<Member> members);

  [[nodiscard]] std::size_t bytes() const;  // that it takes, about

  OffsetTable offsets;

  // --- The coordinator's notes. ---
  bool is_stored = false;  // there is a record of it, offsets apart
  Ticket written;          // the last append that changed it
  GroupState rebalancing_from = GroupState::empty;
  bool newcomer = false;            // since the delay of the first rebalance began
  Milliseconds delay_remaining{0};  // of the first rebalance, at most
  std::size_t counted_bytes = 0;    // in the sum of all groups
  std::size_t counted_offsets = 0;

 private:
  void read_subscriptions();
  void remove_pending(std::string_view member);
  void count_protocols(const Member& member);
  void discount_protocols(const Member& member);

  std::string id_;
  GroupState state_ = GroupState::empty;
  Generation generation_{0};
  std::optional<std::string> protocol_type_;
  std::optional<std::string> protocol_name_;
  std::optional<std::string> leader_;
  std::optional<Timestamp> state_since_;
  Members members_;
  std::map<std::uint64_t, std::string> by_order_;                   // in which they came
  std::map<std::string, std::string, std::less<>> static_members_;  // instance to member
  std::set<std::string, std::less<>> pending_;
  std::optional<std::set<std::string, std::less<>>> subscribed_;
  std::map<std::string, std::size_t, std::less<>> known_by_;  // protocol to number of members
  std::size_t member_bytes_ = 0;                              // and those of pending ids
  std::size_t awaiting_join_ = 0;
  std::size_t pending_sync_ = 0;
  std::uint64_t order_ = 0;
};

// The topics that a consumer's metadata names; nothing when it is not of that protocol.
[[nodiscard]] std::optional<std::vector<std::string>> subscribed_topics(ByteView metadata);

}  // namespace millrace::groups
