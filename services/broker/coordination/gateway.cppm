// Passes what clients ask about groups to the coordinator, and carries out what that asks of the
// log.
module;
#include <compare>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.broker.coordination:gateway;

import millrace.base;
import millrace.broker.connections;
import millrace.ipc.channel;
import millrace.ipc.coordination;
import millrace.ipc.coordination.requests;
import millrace.protocol.api;
import millrace.runtime;
import millrace.security;
import :group_access;
import :metrics;
import :state_store;

export namespace millrace::broker {

struct GatewayOptions {
  BrokerId broker = no_broker;
  Uuid cluster = {};
  // Requests that wait for their answer, and the bytes of what they say.
  std::size_t requests_max = 100'000;
  std::size_t request_bytes_max = 128 * mebibyte;
  // Appends of one partition that are not below the high watermark.
  std::size_t appends_max = coordination::appends_under_way_max;
};

// A connection, whichever shard it belongs to.
struct AskingConnection {
  std::uint32_t shard = 0;
  ConnectionId id;

  friend auto operator<=>(const AskingConnection&, const AskingConnection&) = default;
};

// What a client asks, and how that ends, free of connections. It has bytes of its own: an answer
// may take minutes, and what was received is not held meanwhile. The session lives until the ask
// ends.
struct GroupAsk {
  protocol::ApiKey api = protocol::ApiKey::heartbeat;
  std::int16_t version = 0;
  const security::Session* session = nullptr;
  std::string client_id;
  std::string client_host;
  coordination::OwnedBytes body;
  AskingConnection connection;
};
struct GroupAnswer {
  bool close = false;
  std::string reason;  // where the connection is to be closed
  std::vector<std::byte> body;
  Duration used{};  // of the home shard's time
};

// The broker's end of its coordinator. Belongs to the home shard; executor, topics, store and
// authoriser outlive it. What a session may not do or see is refused here, see GroupAccess. One
// coordinator at a time: a new one replaces the one before it. A coordinator that ends, breaks the
// protocol or says nothing for a second is down: what waits for it is answered
// COORDINATOR_NOT_AVAILABLE in the form of its API and version, and what it asked of the log before
// is settled before the next one reads. Appends name session, leader epoch and load; others are
// refused, and after one that failed all others of its load are. stop() comes before the end.
class GroupGateway {
 public:
  GroupGateway(Executor& executor, const GroupTopics& topics, StateStore& store,
               security::Authorizer& authorizer, GatewayMetrics metrics,
               const GatewayOptions& options, Logger log);
  GroupGateway(const GroupGateway&) = delete;
  GroupGateway& operator=(const GroupGateway&) = delete;
  ~GroupGateway();

  // Takes coordinators that connect, until stop(). The listener ends with it.
  [[nodiscard]] Task<void> run(std::unique_ptr<ipc::ChannelListener> listener);
  // One coordinator, until its channel ends.
  [[nodiscard]] Task<void> serve(std::unique_ptr<ipc::Channel> channel);

  // JoinGroup, SyncGroup, Heartbeat, LeaveGroup, OffsetCommit, OffsetFetch, OffsetDelete,
  // DescribeGroups, ListGroups, DeleteGroups. Ends with the answer, or when the connection closes.
  [[nodiscard]] Task<GroupAnswer> ask(GroupAsk ask);
  // What it waits for is of no use any more.
  void connection_closing(const AskingConnection& connection);

  // Of __consumer_offsets. Epochs of one partition only go up.
  void partition_led(PartitionIndex partition, LeaderEpoch epoch);
  void partition_lost(PartitionIndex partition);

  // Closes listener and channel, answers what waits, and ends when all that was begun has ended.
  [[nodiscard]] Task<void> stop();

  // Whether a coordinator is there.
  [[nodiscard]] bool is_up() const { return session_ != nullptr; }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }
  [[nodiscard]] const GatewayMetrics& metrics() const { return metrics_; }

 private:
  struct Waiting;
  struct Session;
  struct StatePartition;

  // --- gateway.cpp: clients ---
  [[nodiscard]] Task<GroupAnswer> ask_coordinator(const GroupAsk& ask,
                                                  coordination::OwnedBytes body);
  [[nodiscard]] bool has_room_for(std::size_t bytes) const;
  [[nodiscard]] bool leads_any(const coordination::GroupCall& call, std::int32_t count) const;
  [[nodiscard]] GroupAnswer unavailable(const coordination::GroupCall& call);
  void take(coordination::ClientAnswer message);
  void fail_waiting();
  void end(Waiting& waiting, GroupAnswer answer);

  // --- session.cpp: the coordinator ---
  void greet();
  [[nodiscard]] Task<void> keep_alive(Session& session);
  [[nodiscard]] Result<void> take(Session& session, ByteView bytes);
  void close(Session& session, std::string_view why, LogLevel level = LogLevel::warning);
  // To the coordinator that is there; false: there is none, or it is too slow and was given up.
  bool send(const coordination::ToCoordinator& message);

  // --- appending.cpp: the log ---
  void take(const coordination::Read& message);
  void take(coordination::Append message);
  void begin(StatePartition& partition, const coordination::Read& message);
  [[nodiscard]] Task<void> carry_out(StatePartition& partition, coordination::Read message);
  [[nodiscard]] Task<void> carry_out(StatePartition& partition, coordination::Append message);
  void settle(StatePartition& partition);
  void fail(StatePartition& partition, protocol::ErrorCode error);
  [[nodiscard]] bool leads(PartitionIndex partition, LeaderEpoch epoch) const;
  [[nodiscard]] bool is_current(coordination::SessionId session) const;

  Executor& executor_;
  const GroupTopics& topics_;
  StateStore& store_;
  security::Authorizer& authorizer_;
  GatewayMetrics metrics_;
  GatewayOptions options_;
  Logger log_;
  std::map<PartitionIndex, LeaderEpoch> led_;
  std::map<PartitionIndex, std::unique_ptr<StatePartition>> partitions_;
  std::map<coordination::RequestNumber, Waiting*> waiting_;
  std::set<std::pair<AskingConnection, coordination::RequestNumber>> waiting_of_;
  std::size_t waiting_bytes_ = 0;
  coordination::RequestNumber last_number_;
  coordination::SessionId last_session_;
  Session* session_ = nullptr;  // that of the coordinator that is there
  ipc::ChannelListener* listener_ = nullptr;
  bool stopped_ = false;
  TaskGroup tasks_;
};

}  // namespace millrace::broker
