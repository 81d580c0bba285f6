// The coordinator of the groups of one state partition.
module;
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.groups:coordinator;

import millrace.base;
import :effects;
import :group;
import :member;
import :options;
import :records;
import :requests;
import :timers;
import :types;

export namespace millrace::groups {

enum class Phase : std::uint8_t {
  loading,  // the records of the state partition are replayed
  active,
  unloaded,  // for good: who leads again makes a new one
};

// Decides for all groups whose state lies in one partition: takes what happened and the time,
// returns what is to be done. It has no thread, socket, file, clock or randomness of its own: the
// same events give the same effects. Its owner calls it from one thread, hands it every record of
// the state partition in order, then calls loaded(). From then on it carries out the effects of
// each event: appends in the order of their tickets, under the leader epoch under which it loaded.
// A change counts here as soon as it is emitted; its answer leaves once its append is known to be
// committed. When an append is refused the owner calls append_failed(): what was open is answered,
// and the partition is loaded anew by another object, from what is committed. Requests never fail:
// what is wrong with them is in their answer.
class Coordinator {
 public:
  // `options` are valid.
  explicit Coordinator(Options options);

  // --- Loading. ---
  // Fails for a record that cannot be read; then this object is of no further use.
  [[nodiscard]] Result<void> replay(ByteView key, std::optional<ByteView> value);
  // Members have a full session from now: a restart is no reason for a rebalance.
  [[nodiscard]] Effects loaded(Now now);

  // What other coordinators of the same owner hold: it counts against state_bytes_max, too.
  void others_hold(std::size_t bytes) { others_bytes_ = bytes; }

  // --- Events. `now` never goes back by its monotonic clock. ---
  [[nodiscard]] Effects request(RequestId id, Request request, Now now);
  // This append and those before it are below the high watermark.
  [[nodiscard]] Effects committed(Ticket ticket, Now now);
  [[nodiscard]] Effects append_failed();
  // Harmless when too early.
  [[nodiscard]] Effects tick(Now now);
  // The partition is led elsewhere, or the process stops.
  [[nodiscard]] Effects unload(ErrorCode error = ErrorCode::not_coordinator);

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] const std::map<std::string, Group, std::less<>>& groups() const { return groups_; }
  [[nodiscard]] std::size_t state_bytes() const { return state_bytes_; }
  // Of large answers that are not given yet, because they rest on an append.
  [[nodiscard]] std::size_t waiting_bytes() const { return outbox_.waiting_bytes(); }
  // Of records that are written and not known to be committed.
  [[nodiscard]] std::size_t uncommitted_bytes() const { return outbox_.uncommitted_bytes(); }
  [[nodiscard]] std::size_t offsets() const { return offsets_; }
  [[nodiscard]] std::size_t open_requests() const { return outbox_.open_count(); }
  // Records of other kinds that were replayed and are not acted on.
  [[nodiscard]] std::uint64_t skipped_records() const { return skipped_records_; }

 private:
  // --- coordinator.cpp: events, groups, and the end of a step ---
  [[nodiscard]] Effects finish();
  void fire_due();
  void fire(const TimerKey& timer);
  [[nodiscard]] Group* find(std::string_view group);
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] bool has_room_for_group() const;
  Group& create(const std::string& group);
  void erase(Group& group);
  void settle(Group& group);
  void answer(RequestId request, Reply reply);  // about no group, or none that exists
  void answer(const Group& group, RequestId request, Reply reply);
  void answer_now(RequestId request, Reply reply);
  void append(Group& group, std::vector<Record> records);
  [[nodiscard]] bool store(Group& group);
  [[nodiscard]] bool has_many_appends() const;
  [[nodiscard]] bool timers_wait() const;
  [[nodiscard]] ErrorCode overloaded() const;

  // --- loading.cpp ---
  void restore(StoredGroup stored);
  void restore(StoredOffset stored);

  // --- joining.cpp ---
  void on(RequestId id, JoinRequest& request);
  [[nodiscard]] ErrorCode refusal_of(const JoinRequest& request) const;
  [[nodiscard]] bool accepts(Group& group, const JoinRequest& request) const;
  void join_new(Group& group, RequestId id, const JoinRequest& request);
  void join_again(Group& group, RequestId id, const JoinRequest& request);
  void rejoin_static(Group& group, RequestId id, const JoinRequest& request,
                     const std::string& old_id, std::string new_id);
  void add_member(Group& group, RequestId id, const JoinRequest& request, std::string member_id);
  void update_member(Group& group, Member& member, RequestId id, const JoinRequest& request);
  void await_join(Group& group, Member& member, RequestId id);
  [[nodiscard]] static JoinReply joined(const Group& group, const Member& member);

  // --- rebalance.cpp ---
  void rebalance(Group& group);
  void prepare_rebalance(Group& group);
  void extend_first_rebalance(Group& group);
  void complete_join_if_all_joined(Group& group);
  void complete_join(Group& group);
  void expire_pending_sync(Group& group);
  void expire_session(Group& group, const std::string& member);
  void remove_member(Group& group, Member& member);
  void start_session(const Group& group, const Member& member);
  void set_timer(const Group& group, TimerKind kind, const std::string& member, Milliseconds in);

  // --- syncing.cpp: fetching assignments, heartbeats ---
  void on(RequestId id, SyncRequest& request);
  void on(RequestId id, HeartbeatRequest& request);
  [[nodiscard]] ErrorCode refusal_of(const Group& group, const SyncRequest& request) const;
  void take_assignments(Group& group, SyncRequest& request);
  void answer_syncs(Group& group, ErrorCode error);

  // --- leaving.cpp ---
  void on(RequestId id, LeaveRequest& request);
  [[nodiscard]] ErrorCode leave(Group& group, const LeavingMember& leaving);

  // --- committing.cpp ---
  void on(RequestId id, CommitRequest& request);
  void on(RequestId id, FetchRequest& request);
  void on(RequestId id, OffsetDeleteRequest& request);
  [[nodiscard]] ErrorCode refusal_of(const Group& group, const CommitRequest& request) const;
  [[nodiscard]] ErrorCode commit(Group& group, const CommitRequest& request,
                                 const CommittedTopic& topic, const CommittedPartition& partition,
                                 std::vector<Record>& records);

  // --- expiry.cpp ---
  void expire_slice();
  void expire_offsets(Group& group);
  void erase_stored(Group& group, std::vector<Record> records);

  // --- admin.cpp ---
  void on(RequestId id, DescribeRequest& request);
  void on(RequestId id, ListRequest& request);
  void on(RequestId id, DeleteRequest& request);

  Options options_;
  Phase phase_ = Phase::loading;
  Now now_;
  std::map<std::string, Group, std::less<>> groups_;
  Timers timers_;
  Outbox outbox_;
  Ticket group_erased_;  // the last append that erased a group
  std::string expiry_cursor_;
  std::size_t state_bytes_ = 0;
  std::size_t others_bytes_ = 0;
  std::size_t offsets_ = 0;
  std::uint64_t skipped_records_ = 0;
};

}  // namespace millrace::groups
