// What must hold in every run, whatever the coordinators do.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "coverage.hpp"

import millrace.base;
import millrace.groups;

namespace millrace::groups::sim {

inline constexpr std::string_view topic_of_all = "orders";

// As the leaders of this simulation write them: who assigned, and which partitions.
struct Assignment {
  std::uint64_t token = 0;  // not used twice
  std::vector<std::int32_t> partitions;
};
[[nodiscard]] OwnedBytes written(const Assignment& assignment);
[[nodiscard]] std::optional<Assignment> read_assignment(const OwnedBytes& bytes);

// What was known of a request when a coordinator got it.
struct Delivery {
  std::uint64_t coordinator = 0;  // counts them
  bool is_fenced = false;         // another coordinator follows, and may know more
  Request request;
  bool has_group = false;
  bool is_member = false;
  bool leads = false;
  GroupState state = GroupState::dead;
  Generation generation = no_generation;
  // Of the group's offsets: what was known to be committed, and how often each was deleted.
  std::map<PartitionIndex, std::pair<Offset, std::uint64_t>> floors;
};

// Knows what is in the log and what was answered. The first thing that is wrong ends the run.
class Reference {
 public:
  explicit Reference(Coverage& coverage) : coverage_(coverage) {}

  [[nodiscard]] Delivery delivered(std::uint64_t coordinator, bool is_fenced,
                                   const Coordinator& state, const Request& request) const;
  void committed(const Record& record);
  void answered(const Delivery& delivery, const Reply& reply);
  // Before its answer leaves; `deleted`: the group whose deletion was asked for in this event.
  void appended(const Coordinator& state, const Record& record, const std::string& deleted,
                Timestamp now, Milliseconds retention);
  // After each event. `now` is the time at which all timers up to now have fired.
  void look_at(std::uint64_t coordinator, const Coordinator& state, MonotonicTime now);
  // A group that is made anew counts its generations anew.
  void forget(std::uint64_t coordinator, const Coordinator& state);
  // Who knows only the records has the same offsets, and of settled groups all that is stored.
  void compare(const Coordinator& state, const Coordinator& replayed);
  // A member was heard; a coordinator has loaded.
  void heard(const std::string& member, MonotonicTime now) { heard_[member] = now; }
  void loaded(MonotonicTime now) { loaded_ = now; }

  [[nodiscard]] const std::optional<std::string>& problem() const { return problem_; }
  void fail(std::string problem) {
    if (!problem_) problem_ = std::move(problem);
  }
  void expect(bool holds, const std::string& what) {
    if (!holds) fail(what);
  }
  [[nodiscard]] std::uint64_t digest() const { return digest_; }

 private:
  using Key = std::pair<std::string, PartitionIndex>;
  using GroupGeneration = std::pair<std::string, Generation>;

  // What members of one generation were told by one coordinator.
  struct Told {
    std::optional<std::string> protocol;
    std::string leader;  // who was told to assign
    std::set<std::string> members;
  };
  // One that was written.
  struct Written {
    std::set<std::pair<std::string, OwnedBytes>> assignments;
    std::uint64_t token = 0;
    std::map<std::int32_t, std::string> owners;
  };
  struct Stage {
    GroupState state = GroupState::empty;
    Generation generation;
    MonotonicTime since;
  };

  void on(const Delivery& delivery, const JoinRequest& request, const JoinReply& reply);
  void on(const Delivery& delivery, const SyncRequest& request, const SyncReply& reply);
  void on(const Delivery& delivery, const HeartbeatRequest& request, const HeartbeatReply& reply);
  void on(const Delivery& delivery, const CommitRequest& request, const CommitReply& reply);
  void on(const Delivery& delivery, const FetchRequest& request, const FetchReply& reply);
  void on(const Delivery& delivery, const DeleteRequest& request, const DeleteReply& reply);
  void raise_floor(const Key& key, Offset offset);
  void look_at_members(std::uint64_t coordinator, const Group& group, MonotonicTime now);
  void look_at_stage(std::uint64_t coordinator, const Group& group, MonotonicTime now);

  Coverage& coverage_;
  std::map<std::pair<std::uint64_t, GroupGeneration>, Told> told_;
  std::map<std::string, std::map<Generation, Written>> written_;  // since the group was made
  std::map<Key, Offset> floors_;
  std::map<Key, std::uint64_t> deletions_;
  std::map<Key, CommittedOffset> offsets_;  // as the log says
  std::set<std::int64_t> values_;           // of offsets that are in the log
  std::map<std::string, MonotonicTime> heard_;
  MonotonicTime loaded_;
  std::map<std::pair<std::uint64_t, std::string>, Stage> stages_;
  std::map<RequestId, MonotonicTime> waiting_;  // joins, and since when
  std::uint64_t digest_ = 0;
  std::optional<std::string> problem_;
};

// Of all clients of a run.
inline constexpr Milliseconds session_timeout{6'000};
inline constexpr Milliseconds rebalance_timeout{8'000};

}  // namespace millrace::groups::sim
