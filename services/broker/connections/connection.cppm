// One connection of a client.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

export module millrace.broker.connections:connection;

import millrace.base;
import millrace.protocol.framing;
import millrace.runtime;
import millrace.runtime.memory;
import millrace.runtime.streams;
import millrace.security;
import :answer_line;
import :limits;
import :metrics;
import :options;
import :outbox;
import :request;
import :request_memory;

export namespace millrace::broker {

// What all connections of a shard share. Owned by the shard's Connections, which outlives them.
struct ConnectionSurroundings {
  Executor& executor;
  BufferPool& pool;
  LocalRequestMemory& memory;
  FileSystem& files;  // descriptors as handles
  RequestHandler& handler;
  ConnectionMetrics& metrics;
  const ConnectionOptions& options;
  const LimitedLogger& peer_log;  // what peers can cause as often as they like
  const LimitedLogger& slow_log;
};

// Reads requests from a stream, starts the handler for each in the order of arrival, and sends the
// responses in that order. Belongs to its shard; ends after run() has. Its failures end the
// connection, with one line in the log, and nothing else.
class Connection {
 public:
  Connection(ConnectionSurroundings surroundings, ConnectionId id,
             std::unique_ptr<ByteStream> stream, std::string listener,
             security::SecurityProtocol protocol);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // From the beginning to the end: when it returns, every request has ended.
  [[nodiscard]] Task<void> run();

  // Begins no further request, answers what has begun, then closes.
  void drain();
  // Ends it at once; what is under way is not answered. `why` is a sentence for the log.
  void close(CloseReason reason, std::string_view why);

  [[nodiscard]] ConnectionId id() const { return id_; }
  [[nodiscard]] const SocketAddress& peer() const { return stream_->peer(); }
  [[nodiscard]] const std::string& listener() const { return session().listener; }

 private:
  struct IdleTimer : Timer {
    explicit IdleTimer(Connection& c)
        : Timer([](Timer& self) { static_cast<IdleTimer&>(self).connection.look_at_idleness(); }),
          connection(c) {}
    Connection& connection;
  };

  [[nodiscard]] inline MonotonicTime now() const { return around_.executor.clock().now(); }
  [[nodiscard]] const security::Session& session() const { return *authentication_.session(); }
  [[nodiscard]] inline bool is_closed() const { return is_closed_; }

  // Reading.
  Task<void> read_all();
  // What the claim lacks for what the splitter holds.
  [[nodiscard]] std::size_t missing_memory();
  // False when the connection is closed.
  [[nodiscard]] bool memory_came(Grown grown, MonotonicTime began);
  // When the read that comes next has to end.
  [[nodiscard]] MonotonicTime read_deadline();
  void reading_ended_by(const StreamResult<std::size_t>& count);
  // The next one that has come whole; none if there is none, or if what came is no request.
  [[nodiscard]] std::optional<protocol::ReceivedRequest> next_request(protocol::Frame& frame);
  [[nodiscard]] bool must_wait(const protocol::ReceivedRequest& request) const;
  void begin(const protocol::ReceivedRequest& received, protocol::Frame frame);
  // What came is no request: said once the requests before it are answered.
  void refuse_input(std::string reason);
  task_detail::Detached answer(Place& place, Task<Response> response);

  // Sending.
  Task<void> send_all();
  // Puts the first answers that are there into the outbox; gives their number.
  [[nodiscard]] std::size_t gather_answers();
  void close_as(const Place& place);
  void sending_failed(const StreamError& error);
  // The first ones leave the line.
  void finish_answers(std::size_t count);
  void note_slowness(const Place& place, MonotonicTime sent);

  void look_at_idleness();
  void arm_idle_timer(MonotonicTime when);

  ConnectionSurroundings around_;
  ConnectionId id_;
  std::unique_ptr<ByteStream> stream_;
  security::AuthenticationMachine authentication_;
  std::string client_id_;  // of the last request that named one

  protocol::FrameSplitter splitter_;
  std::optional<MemoryClaim> claim_;             // for what the splitter holds
  std::optional<MonotonicTime> frame_deadline_;  // of the frame that has begun to come
  MonotonicTime received_{};                     // when bytes came last
  MonotonicTime last_activity_{};
  bool runs_alone_ = false;  // the last request that was begun

  AnswerLine line_;
  Outbox outbox_;
  AsyncSignal answered_;  // the first in line is answered, or nothing more comes
  AsyncSignal room_;      // there may be room for another request
  bool waits_for_room_ = false;
  TaskGroup sender_;
  IdleTimer idle_timer_{*this};

  bool input_refused_ = false;
  bool reading_ended_ = false;
  bool is_draining_ = false;
  bool is_closed_ = false;
  CloseReason close_reason_ = CloseReason::peer;
};

}  // namespace millrace::broker
