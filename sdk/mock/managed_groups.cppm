// Groups whose broker assigns (KIP-848). Inside this module only.
module;
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

module millrace.mock:managed_groups;

import millrace.base;
import millrace.runtime;
import :faults;

namespace millrace::mock {

// As short as tests like them.
inline constexpr Duration managed_session_timeout = std::chrono::seconds{10};
inline constexpr Duration managed_heartbeat_interval = std::chrono::seconds{1};

inline constexpr std::int32_t epoch_to_join = 0;
inline constexpr std::int32_t epoch_to_leave = -1;
inline constexpr std::int32_t epoch_to_leave_for_a_while = -2;  // of static members

using PlacesById = std::set<std::pair<Uuid, std::int32_t>>;

struct ManagedBeat {
  std::string member_id;
  std::int32_t epoch = epoch_to_join;
  std::optional<std::string> instance_id;
  // What is none is as before.
  std::optional<std::vector<std::string>> topics;
  std::optional<std::string> pattern;
  std::optional<std::string> assignor;
  std::optional<PlacesById> owned;
};
struct ManagedReply {
  ErrorCode error = ErrorCode::none;
  std::string sentence = {};
  std::int32_t epoch = epoch_to_leave;
  std::optional<PlacesById> assignment = {};  // none: as before
};

// What is there to assign.
struct KnownTopic {
  std::string name;
  Uuid id;
  std::int32_t partitions = 0;
};

// All of a cluster. Sessions end when anybody of the group is heard after their time. As Kafka, a
// member is given what another one had when that one has said that it gave it up.
class ManagedGroups {
 public:
  [[nodiscard]] ManagedReply heartbeat(std::string_view group, const ManagedBeat& beat,
                                       const std::vector<KnownTopic>& topics, MonotonicTime now);
  // Whether a member may commit or ask for offsets; none: the group is none of these.
  [[nodiscard]] std::optional<ErrorCode> offsets_allowed(std::string_view group,
                                                         std::string_view member_id,
                                                         std::int32_t epoch) const;

 private:
  struct Member {
    std::optional<std::string> instance_id;
    std::vector<std::string> topics;
    std::string pattern;
    std::int32_t epoch = epoch_to_join;
    std::int32_t epoch_before = epoch_to_join;
    PlacesById target;
    PlacesById assigned;
    PlacesById giving_up;  // was assigned, and is still held
    MonotonicTime heard{};
    bool is_away = false;  // a static one that may come back
  };
  struct Group {
    std::int32_t epoch = 0;
    std::map<std::string, Member, std::less<>> members;
    PlacesById places;  // that were shared out
  };

  static void end_sessions(Group& group, MonotonicTime now);
  [[nodiscard]] static ManagedReply leave(Group& group, const ManagedBeat& beat);
  // The member, or why there is none.
  [[nodiscard]] static Member* admit(Group& group, const ManagedBeat& beat, ManagedReply& refusal);
  [[nodiscard]] static ErrorCode subscribe(Member& member, const ManagedBeat& beat, bool& changed);
  static void share_out(Group& group, const std::vector<KnownTopic>& topics, bool members_changed);
  // Towards its target, as far as others let it.
  static void advance(Group& group, Member& member);

  std::map<std::string, Group, std::less<>> groups_;
};

}  // namespace millrace::mock
