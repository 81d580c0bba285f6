// What clients ask for and what they are answered, free of the versions of the wire. Whoever
// decodes a request says here what its version means; whoever encodes a reply leaves out what the
// version has no field for.
module;
#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

export module millrace.groups:requests;

import millrace.base;
import :types;

export namespace millrace::groups {

// --- Membership. ---

struct JoinRequest {
  std::string group;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  Milliseconds session_timeout{0};
  Milliseconds rebalance_timeout{0};  // the session timeout in versions that lack it
  std::string protocol_type;
  std::vector<Protocol> protocols;
  bool member_id_required = false;   // from version 4: a new member is told its id first
  bool may_skip_assignment = false;  // from version 9
  Uuid random;                       // fresh; for the id of a new member
};
struct JoinedMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  OwnedBytes metadata;

  friend bool operator==(const JoinedMember&, const JoinedMember&) = default;
};
struct JoinReply {
  ErrorCode error = ErrorCode::none;
  Generation generation = no_generation;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::string leader;
  bool skip_assignment = false;
  std::string member_id;
  std::vector<JoinedMember> members;  // for the leader only

  friend bool operator==(const JoinReply&, const JoinReply&) = default;
};

struct MemberAssignment {
  std::string member_id;
  OwnedBytes assignment;
};
struct SyncRequest {
  std::string group;
  Generation generation;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  std::vector<MemberAssignment> assignments;  // from the leader only
};
struct SyncReply {
  ErrorCode error = ErrorCode::none;
  std::optional<std::string> protocol_type;
  std::optional<std::string> protocol_name;
  OwnedBytes assignment;

  friend bool operator==(const SyncReply&, const SyncReply&) = default;
};

struct HeartbeatRequest {
  std::string group;
  Generation generation;
  std::string member_id;
  std::optional<std::string> instance_id;
};
struct HeartbeatReply {
  ErrorCode error = ErrorCode::none;
};

struct LeavingMember {
  std::string member_id;  // may be empty when the instance is named
  std::optional<std::string> instance_id;
};
struct LeaveRequest {
  std::string group;
  std::vector<LeavingMember> members;
};
struct LeftMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  ErrorCode error = ErrorCode::none;
};
struct LeaveReply {
  ErrorCode error = ErrorCode::none;
  std::vector<LeftMember> members;
};

// --- Offsets. Topics are known to exist: who decodes the request has refused the others. ---

struct CommittedPartition {
  PartitionIndex partition;
  Offset offset;
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::string metadata;
};
struct CommittedTopic {
  std::string name;
  Uuid topic_id;  // zero when the request had none
  std::vector<CommittedPartition> partitions;
};
struct CommitRequest {
  std::string group;
  Generation generation = no_generation;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::optional<Milliseconds> retention;  // versions 2 to 4
  bool may_lack_group = false;            // from version 9: knows GROUP_ID_NOT_FOUND
  std::vector<CommittedTopic> topics;
};
struct PartitionError {
  PartitionIndex partition;
  ErrorCode error = ErrorCode::none;
};
struct TopicErrors {
  std::string name;
  Uuid topic_id;
  std::vector<PartitionError> partitions;
};
// An error above the topics counts for all partitions of the request.
struct CommitReply {
  ErrorCode error = ErrorCode::none;
  std::vector<TopicErrors> topics;
};

struct WantedTopic {
  std::string name;
  Uuid topic_id;
  std::vector<PartitionIndex> partitions;
};
struct FetchRequest {
  std::string group;
  std::optional<std::vector<WantedTopic>> topics;  // nothing: all that are committed
  bool require_stable = false;
};
struct FetchedPartition {
  PartitionIndex partition;
  Offset offset = no_offset;
  LeaderEpoch leader_epoch = no_leader_epoch;
  std::string metadata;
  ErrorCode error = ErrorCode::none;
};
struct FetchedTopic {
  std::string name;
  Uuid topic_id;
  std::vector<FetchedPartition> partitions;
};
// More than fits into an answer is INVALID_REQUEST.
struct FetchReply {
  ErrorCode error = ErrorCode::none;
  std::vector<FetchedTopic> topics;
  std::size_t bytes = 0;  // that the topics take of an answer in any version, at most
};

struct OffsetDeleteRequest {
  std::string group;
  std::vector<WantedTopic> topics;
};
struct OffsetDeleteReply {
  ErrorCode error = ErrorCode::none;
  std::vector<TopicErrors> topics;
};

// --- For operators. An error above the groups counts for each of them. ---

struct DescribeRequest {
  std::vector<std::string> groups;
  bool unknown_is_error = false;  // from version 6
};
struct DescribedMember {
  std::string member_id;
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  OwnedBytes metadata;
  OwnedBytes assignment;
};
struct DescribedGroup {
  std::string group;
  ErrorCode error = ErrorCode::none;
  std::optional<std::string> error_message;
  GroupState state = GroupState::dead;
  std::string protocol_type;
  std::string protocol_name;
  std::vector<DescribedMember> members;
};
struct DescribeReply {
  ErrorCode error = ErrorCode::none;
  std::vector<DescribedGroup> groups;
};

struct ListRequest {
  std::vector<std::string> states;  // none: all; in any case
  std::vector<std::string> types;   // none: all; in any case
};
struct ListedGroup {
  std::string group;
  std::string protocol_type;
  GroupState state = GroupState::empty;
  std::string type;
};
struct ListReply {
  ErrorCode error = ErrorCode::none;
  std::vector<ListedGroup> groups;
};

struct DeleteRequest {
  std::vector<std::string> groups;
};
struct DeletedGroup {
  std::string group;
  ErrorCode error = ErrorCode::none;
};
struct DeleteReply {
  ErrorCode error = ErrorCode::none;
  std::vector<DeletedGroup> groups;
};

// The reply to a request has its place in the list.
using Request =
    std::variant<JoinRequest, SyncRequest, HeartbeatRequest, LeaveRequest, CommitRequest,
                 FetchRequest, OffsetDeleteRequest, DescribeRequest, ListRequest, DeleteRequest>;
using Reply = std::variant<JoinReply, SyncReply, HeartbeatReply, LeaveReply, CommitReply,
                           FetchReply, OffsetDeleteReply, DescribeReply, ListReply, DeleteReply>;
static_assert(std::variant_size_v<Request> == std::variant_size_v<Reply>);

// The reply to the request of that index that says nothing but what went wrong.
[[nodiscard]] Reply error_reply(std::size_t request_index, ErrorCode error);

}  // namespace millrace::groups
