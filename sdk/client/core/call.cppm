// One request to a broker, from the question to its end.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

export module millrace.client.core:call;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :answers;
import :error;

export namespace millrace::client {

// What the arrays of one decoded answer may take in memory.
inline constexpr std::size_t answer_arena_bytes_max = 64 * mebibyte;

// Each broker has two connections, each made when it is first used: a request that waits at the
// broker, such as a fetch or the join of a group, holds up those behind it on the same connection.
enum class Lane : std::uint8_t { data, coordination };
inline constexpr std::size_t lane_count = 2;

struct CallOptions {
  // Of the whole call, waiting for a connection included.
  MonotonicTime deadline = no_deadline;
  // How long the answer may take once the request is under way; request.timeout.ms unless given.
  std::optional<Duration> timeout = {};
  std::int16_t version_min = 0;
  std::int16_t version_max = std::numeric_limits<std::int16_t>::max();
  Lane lane = Lane::data;
  // False: fails at once with Failure::disconnected when the connection is not there; it is then
  // being made.
  bool may_wait_for_connection = true;
};

// An answer as it came.
struct AnsweredCall {
  protocol::Frame frame;
  protocol::Bytes body;
  std::int16_t version = 0;
  BrokerId broker = no_broker;
  std::uint64_t connection = 0;  // which one, of all that Brokers ever made
};

// A decoded answer with the frame and the arena that its views point into. Moves; ends on the
// thread of its Brokers and before them.
template <class Response>
class Reply {
 public:
  struct Body {
    protocol::Frame frame;
    protocol::Arena arena{answer_arena_bytes_max};
    Response message;
  };
  Reply(std::unique_ptr<Body> body, std::int16_t answered_version, BrokerId answered_by)
      : body_(std::move(body)),
        message(body_->message),
        version(answered_version),
        broker(answered_by) {}

 private:
  std::unique_ptr<Body> body_;

 public:
  const Response& message;
  std::int16_t version;
  BrokerId broker;
};

// In the frame of the coroutine that awaits the call; the part that does not know the message. For
// Brokers and its connections, on their thread.
class CallOperation : public Callback {
 public:
  CallOperation(protocol::ApiKey api, bool is_answered, BrokerId broker,
                const CallOptions& options);
  virtual ~CallOperation() = default;

  // The frame of the request. Called once at most for each connection that is tried.
  [[nodiscard]] virtual Result<protocol::OutgoingFrame, protocol::EncodeError> encode(
      BufferPool& pool, CorrelationId correlation_id, protocol::String client_id,
      std::int16_t version) const = 0;

  // Ends the call; the coroutine resumes in a later turn.
  void end(Executor& executor, ClientResult<AnsweredCall> result);
  [[nodiscard]] bool ended() const { return outcome_.has_value(); }

  const protocol::ApiKey api;
  const bool is_answered;  // false: ended when it is written
  BrokerId broker;         // call_any() sets it
  const CallOptions options;

  // For the connection that holds it.
  struct Late : Timer {
    explicit Late(CallOperation& o);
    CallOperation& operation;
  };
  enum class Stage : std::uint8_t { waiting, being_written, written };
  void (*on_late)(CallOperation&, void* owner) = nullptr;
  void* owner = nullptr;
  Late late{*this};
  Stage stage = Stage::waiting;
  MonotonicTime answer_until = no_deadline;
  bool is_late = false;                      // its answer is: the connection ends
  std::optional<AnsweredCall> early_answer;  // came before all of the request was written
  // Of call_any(): takes over when no connection came about; and who was asked already.
  void (*on_unconnected)(CallOperation&, void* owner, ClientError error) = nullptr;
  void* any_owner = nullptr;
  std::vector<BrokerId> tried;
  CallOperation* before = nullptr;
  CallOperation* after = nullptr;

 protected:
  std::optional<ClientResult<AnsweredCall>> outcome_;
  std::coroutine_handle<> awaiting_;
};

template <class Request>
class RequestOperation final : public CallOperation {
 public:
  RequestOperation(const Request& request, bool is_answered, BrokerId broker,
                   const CallOptions& options)
      : CallOperation(Request::api_key, is_answered, broker, options), request_(request) {}

  [[nodiscard]] Result<protocol::OutgoingFrame, protocol::EncodeError> encode(
      BufferPool& pool, CorrelationId correlation_id, protocol::String client_id,
      std::int16_t version) const override {
    return protocol::encode_request(pool, correlation_id, client_id, request_, version);
  }

  // `begin(operation)` hands it to Brokers.
  template <class Begin>
  [[nodiscard]] auto run(Begin begin) {
    struct Awaiter {
      RequestOperation& operation;
      Begin begin;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) {
        operation.awaiting_ = handle;
        begin(operation);
      }
      [[nodiscard]] ClientResult<AnsweredCall> await_resume() {
        return std::move(*operation.outcome_);
      }
    };
    return Awaiter{*this, std::move(begin)};
  }

 private:
  const Request& request_;
};

}  // namespace millrace::client
