// One connection of a client to a broker, made again when it is needed. Inside this module only.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

export module millrace.client.core:connection;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.metadata;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :backoff;
import :brokers;
import :call;
import :error;
import :metrics;
import :resolver;
import :settings;

export namespace millrace::client {

// What a broker may answer before it is known to speak our protocol.
inline constexpr std::size_t handshake_answer_bytes_max = mebibyte;

// Attempts to connect that nobody waits for any more: they end by their timeouts.
struct Strays {
  explicit Strays(Executor& executor) : ended(executor) {}
  std::size_t running = 0;
  AsyncSignal ended;  // set with each end
};

// What the connections of one client share.
struct ConnectionGround {
  Executor& executor;
  Network& network;
  Resolver& resolver;
  CommonSettings settings;
  LimitedLogger logger;
  Random random;
  std::shared_ptr<Strays> strays;
  BufferPool pool;
  BrokersCounters counters;
  NetworkMeters meters;
  std::uint64_t last_connection = 0;
  bool is_closing = false;
  TaskGroup tasks;

  [[nodiscard]] MonotonicTime now() const { return executor.clock().now(); }
  // `from` and then this long; no_deadline where that is further than time goes.
  [[nodiscard]] static MonotonicTime after(MonotonicTime from, Duration duration);
};

// Calls in the order in which they began. Owns none of them.
class CallList {
 public:
  void add(CallOperation& operation);
  void remove(CallOperation& operation);
  [[nodiscard]] CallOperation* first() const { return first_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return first_ == nullptr; }

 private:
  CallOperation* first_ = nullptr;
  CallOperation* last_ = nullptr;
  std::size_t size_ = 0;
};

// To one broker on one lane: at most one connection at a time. Belongs to the thread of its ground,
// which outlives it; ends after the ground's tasks have. Calls end with an error, never with the
// connection gone and nobody told.
class Connection {
 public:
  Connection(ConnectionGround& ground, BrokerId broker, HostPort address, Lane lane);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void begin(CallOperation& operation);
  // From the next attempt on.
  void set_address(const HostPort& address);
  // Ends what is there; calls that were under way or wait fail with this.
  void end_all(const ClientError& why);
  // If it is this one, of all that there ever were.
  void end_if(std::uint64_t connection, const ClientError& why);
  void pause_until(std::uint64_t connection, MonotonicTime until);

  [[nodiscard]] bool is_ready() const { return phase_ == Phase::ready; }
  [[nodiscard]] bool is_unused() const { return phase_ == Phase::down && waiting_.empty(); }
  [[nodiscard]] MonotonicTime not_before() const { return not_before_; }
  [[nodiscard]] std::size_t load() const {
    return waiting_.size() + writing_.size() + unanswered_.size();
  }
  [[nodiscard]] const std::shared_ptr<const BrokerVersions>& versions() const { return versions_; }

 private:
  enum class Phase : std::uint8_t { down, pausing, connecting, ready };
  // Written, or being written, in this order.
  struct Outgoing {
    protocol::OutgoingFrame frame;
    CallOperation* operation;
  };
  // A request whose answer is awaited; nobody waits for it after its caller's deadline.
  struct Slot {
    CorrelationId correlation_id;
    protocol::ApiKey api = protocol::ApiKey::produce;
    std::int16_t version = 0;
    MonotonicTime begun{};
    MonotonicTime answer_until = no_deadline;
    CallOperation* operation = nullptr;
  };
  // Resolves and connects; shared with the coroutine that does it.
  struct Attempt {
    explicit Attempt(Executor& executor) : ended(executor) {}
    AsyncSignal ended;
    bool is_abandoned = false;
    std::optional<ClientResult<std::unique_ptr<ByteStream>>> result;
  };

  // connection.cpp: calls on their way through the queues.
  void pump();
  [[nodiscard]] bool start_next();
  void arm_late(CallOperation& operation);
  void late(CallOperation& operation);
  void end_call(CallOperation& operation, ClientResult<AnsweredCall> result);
  void fail_waiting(const ClientError& error);
  void fail_under_way();
  [[nodiscard]] bool take_answer(protocol::Frame frame);
  void break_off(ClientError why);
  void note_activity();
  void close_if_idle();
  void watch_abandoned();
  [[nodiscard]] ClientError error(Failure failure, std::string_view what,
                                  Persistence persistence = Persistence::not_persisted) const;
  [[nodiscard]] CorrelationId take_number();

  // connection_life.cpp: from the first attempt to the end.
  void wake_up();
  Task<void> live();
  [[nodiscard]] Task<bool> pause();
  [[nodiscard]] Task<ClientResult<void>> connect();
  static task_detail::Detached attempt(std::shared_ptr<Attempt> attempt,
                                       std::shared_ptr<Strays> strays, Executor& executor,
                                       Network& network, Resolver& resolver, HostPort address,
                                       SocketOptions options, Duration timeout);
  [[nodiscard]] Task<ClientResult<void>> negotiate();
  [[nodiscard]] Task<ClientResult<protocol::Frame>> exchange(std::int16_t version,
                                                             MonotonicTime deadline);
  [[nodiscard]] ClientResult<std::optional<std::int16_t>> take_versions(protocol::Bytes frame,
                                                                        std::int16_t version);
  Task<void> serve();
  Task<void> read_all();
  Task<void> write_all();

  ConnectionGround& ground_;
  BrokerId broker_;
  HostPort address_;
  Lane lane_;
  Phase phase_ = Phase::down;
  std::shared_ptr<const BrokerVersions> versions_;

  CallList waiting_;
  std::deque<Outgoing> writing_;
  std::deque<Slot> unanswered_;
  std::int32_t next_number_ = 0;

  std::unique_ptr<ByteStream> stream_;
  std::unique_ptr<protocol::FrameSplitter> splitter_;
  std::shared_ptr<Attempt> attempt_;
  std::uint64_t connection_ = 0;
  std::optional<ClientError> broken_;  // why this connection ends
  bool is_closed_idle_ = false;

  Backoff reconnect_;
  MonotonicTime not_before_{};
  MonotonicTime paused_until_{};
  MonotonicTime active_{};
  AsyncSignal to_write_;
  AsyncSignal pause_ended_;

  struct OwnTimer : Timer {
    OwnTimer(Connection& c, Function function) : Timer(function), connection(c) {}
    Connection& connection;
  };
  OwnTimer idle_timer_;
  OwnTimer pause_timer_;
};

}  // namespace millrace::client
