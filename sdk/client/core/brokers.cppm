// The connections of a client to its brokers, and calls on them.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

export module millrace.client.core:brokers;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :answers;
import :backoff;
import :call;
import :error;
import :metrics;
import :resolver;
import :settings;

export namespace millrace::client {

// Answers that one connection may owe us; further requests wait for their turn.
inline constexpr std::size_t requests_in_flight_max = 64;
// Requests that wait for a connection, or for their turn on it.
inline constexpr std::size_t requests_waiting_max = 4096;
// What a broker may ask us to pause after an answer; more is taken as this.
inline constexpr Duration throttle_max = std::chrono::minutes{1};
// Bootstrap servers have ids of their own, below no_broker: -2, -3, ...
inline constexpr std::int32_t first_bootstrap_id = -2;

struct BrokerEndpoint {
  BrokerId id = no_broker;
  HostPort address;

  friend bool operator==(const BrokerEndpoint&, const BrokerEndpoint&) = default;
};

// What a broker said that it speaks, when its connection was made.
struct BrokerVersions {
  struct Api {
    std::int16_t key = 0;
    std::int16_t min = 0;
    std::int16_t max = 0;
  };
  struct Feature {
    std::string name;
    std::int16_t level = 0;
  };
  std::vector<Api> apis;          // in the order of the keys
  std::vector<Feature> features;  // finalized
  std::int64_t features_epoch = -1;

  // The highest version that the broker and this client know, within the range; none: there is no
  // common one.
  [[nodiscard]] std::optional<std::int16_t> highest(
      protocol::ApiKey api, std::int16_t lowest = 0,
      std::int16_t limit = std::numeric_limits<std::int16_t>::max()) const;
  // 0 where the cluster has not finalized it.
  [[nodiscard]] std::int16_t feature_level(std::string_view name) const;
};

struct BrokersCounters {
  std::uint64_t connections_made = 0;
  std::uint64_t connections_failed = 0;  // never became usable
  std::uint64_t connections_lost = 0;    // broke while in use
  std::uint64_t connections_closed_idle = 0;
  std::uint64_t requests = 0;
  std::uint64_t answers = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t bytes_in = 0;
};

// All connections of one client. Belongs to the thread of its executor; ends after close() has, and
// after the replies that it gave. What it is given outlives it.
//
// Calls to one broker on one lane are sent in the order in which they began, and several are under
// way at once. A connection is made when it is needed; its first exchange finds out which versions
// the broker speaks. A broken connection, an answer that cannot be read, or one that is late ends
// all calls on it with Failure::disconnected (the late one with timed_out); what was under way may
// have been done. Nothing is sent twice: who calls decides. A broker that could not be reached is
// tried again after a pause that grows (reconnect.backoff.ms); calls wait for that.
class Brokers {
 public:
  Brokers(Executor& executor, Network& network, Resolver& resolver, const CommonSettings& settings,
          Logger logger, Random random = Random(0));
  ~Brokers();
  Brokers(const Brokers&) = delete;
  Brokers& operator=(const Brokers&) = delete;

  // In the highest version that both sides know within the options' range. The request, and what it
  // views, stays in place until the call ends.
  template <class Request>
  [[nodiscard]] Task<ClientResult<Reply<AnswerOf<Request>>>> call(BrokerId broker,
                                                                  const Request& request,
                                                                  CallOptions options = {}) {
    RequestOperation<Request> operation(request, true, broker, options);
    ClientResult<AnsweredCall> answered =
        co_await operation.run([this](CallOperation& begun) { begin(begun); });
    if (!answered) co_return failure(std::move(answered.error()));
    co_return read<AnswerOf<Request>>(*answered);
  }

  // Of the broker with the least to do; those of the cluster, or the bootstrap servers while none
  // of these is known or can be reached. Tries others when one cannot be reached, each once.
  template <class Request>
  [[nodiscard]] Task<ClientResult<Reply<AnswerOf<Request>>>> call_any(const Request& request,
                                                                      CallOptions options = {}) {
    RequestOperation<Request> operation(request, true, no_broker, options);
    ClientResult<AnsweredCall> answered =
        co_await operation.run([this](CallOperation& begun) { begin_any(begun); });
    if (!answered) co_return failure(std::move(answered.error()));
    co_return read<AnswerOf<Request>>(*answered);
  }

  // For requests that brokers do not answer (Produce with acks=0): ends when it is written.
  template <class Request>
  [[nodiscard]] Task<ClientResult<void>> call_without_answer(BrokerId broker,
                                                             const Request& request,
                                                             CallOptions options = {}) {
    RequestOperation<Request> operation(request, false, broker, options);
    ClientResult<AnsweredCall> written =
        co_await operation.run([this](CallOperation& begun) { begin(begun); });
    if (!written) co_return failure(std::move(written.error()));
    co_return ClientResult<void>();
  }

  // What the broker speaks: waits for a connection if there is none.
  [[nodiscard]] Task<ClientResult<std::shared_ptr<const BrokerVersions>>> versions(
      BrokerId broker, CallOptions options = {});
  // The same if it is known from an earlier connection, else null.
  [[nodiscard]] std::shared_ptr<const BrokerVersions> known_versions(BrokerId broker) const;

  // The brokers of the cluster are these, from now on. Others go when they have nothing under way;
  // one that has moved is reached at its new address once its connection ends.
  void update(std::span<const BrokerEndpoint> brokers);
  // One more that somebody told of: a coordinator, a new leader.
  void learn(const BrokerEndpoint& broker);
  [[nodiscard]] bool knows(BrokerId broker) const;

  [[nodiscard]] bool is_connected(BrokerId broker, Lane lane = Lane::data) const;
  // Until when no connection is tried, after failures; no earlier than now if one may be.
  [[nodiscard]] MonotonicTime not_before(BrokerId broker, Lane lane = Lane::data) const;
  // Requests without an answer yet, waiting ones included.
  [[nodiscard]] std::size_t in_flight(BrokerId broker, Lane lane = Lane::data) const;
  [[nodiscard]] const BrokersCounters& counters() const;
  // In the groups of this kind of client: "producer", "consumer", "admin-client".
  void list_metrics(std::string_view kind, MetricList& to) const;

  // Ends the broker's connections, both lanes, and what is under way on them.
  void disconnect(BrokerId broker, std::string_view why);
  // The cluster's brokers are no longer asked by call_any(), but the bootstrap servers, until the
  // next update().
  void rebootstrap();
  // Ends all; calls that are under way and later ones fail with Failure::closed. An attempt to
  // connect ends by its own timeout: this waits for that until the deadline. What is left then
  // needs executor, network and resolver, not this.
  [[nodiscard]] Task<void> close(MonotonicTime deadline = no_deadline);

 private:
  struct State;

  void begin(CallOperation& operation);
  void begin_any(CallOperation& operation);
  // The broker's answer cannot be read: its connection is closed.
  [[nodiscard]] ClientError malformed(const AnsweredCall& answered, std::string_view message,
                                      const protocol::DecodeError& error);
  void throttled(const AnsweredCall& answered, std::int32_t milliseconds);

  template <class Response>
  [[nodiscard]] ClientResult<Reply<Response>> read(AnsweredCall& answered) {
    auto body = std::make_unique<typename Reply<Response>::Body>();
    body->frame = std::move(answered.frame);
    const protocol::DecodeResult decoded =
        decode(body->message, answered.body, answered.version, body->arena);
    if (!decoded) {
      return failure(malformed(answered, Response::message_name, decoded.error()));
    }
    if constexpr (requires { body->message.throttle_time_ms; }) {
      if (body->message.throttle_time_ms > 0) throttled(answered, body->message.throttle_time_ms);
    }
    return Reply<Response>(std::move(body), answered.version, answered.broker);
  }

  std::unique_ptr<State> state_;
};

}  // namespace millrace::client
