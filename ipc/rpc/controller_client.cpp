module;
#include <algorithm>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "session.hpp"
#include "wire.hpp"

module millrace.ipc.rpc;

import millrace.base;
import millrace.runtime;

namespace millrace::rpc {
namespace {

// KJ counts nanoseconds in 64 bits, as we do: from now on this is no overflow.
constexpr Duration timeout_max = std::chrono::hours{24 * 365 * 10};

// One for each method of the schema.
auto start(Remote& remote, const Hello& request) {
  auto call = remote.helloRequest();
  wire::write(request, call.initRequest());
  return call.send();
}
auto start(Remote& remote, const RegisterBroker& request) {
  auto call = remote.registerBrokerRequest();
  wire::write(request, call.initRequest());
  return call.send();
}
auto start(Remote& remote, const Heartbeat& request) {
  auto call = remote.heartbeatRequest();
  wire::write(request, call.initRequest());
  return call.send();
}
auto start(Remote& remote, const FollowMetadata& request) {
  auto call = remote.followMetadataRequest();
  wire::write(request, call.initRequest());
  return call.send();
}
auto start(Remote& remote, const Forward& request) {
  auto call = remote.forwardRequest();
  wire::write(request, call.initRequest());
  return call.send();
}
auto start(Remote& remote, const AllocateProducerIds& request) {
  auto call = remote.allocateProducerIdsRequest();
  wire::write(request, call.initRequest());
  return call.send();
}
auto start(Remote& remote, const DescribeQuorum&) {
  return remote.describeQuorumRequest().send();
}

std::size_t bytes_of_request(const DescribeQuorum&) {
  return 0;
}
template <class Request>
std::size_t bytes_of_request(const Request& request) {
  return wire::bytes_of(request);
}

RpcFault fault_of(CallEnd end) {
  switch (end) {
    case CallEnd::unavailable:
      return RpcFault::unavailable;
    case CallEnd::timed_out:
      return RpcFault::timed_out;
    case CallEnd::broken:
      return RpcFault::broken;
    case CallEnd::refused:
      return RpcFault::refused;
    case CallEnd::closed:
      return RpcFault::closed;
  }
  return RpcFault::refused;
}

SessionAddress session_address(const ControllerAddress& address) {
  return {.id = address.id.value(), .host = address.host, .port = address.port};
}

SessionOptions session_options(const ControllerClientOptions& options) {
  SessionOptions session;
  for (const ControllerAddress& address : options.controllers) {
    session.controllers.push_back(session_address(address));
  }
  session.follow_leader = options.follow_leader;
  session.backoff_min = options.backoff_min;
  session.backoff_max = options.backoff_max;
  session.connect_timeout = connect_timeout;
  session.hello_timeout = hello_timeout;
  session.calls_max = options.calls_max;
  session.waiting_max = options.waiting_max;
  session.silent_calls_max = silent_calls_max;
  session.one_way_max = raft_messages_max;
  session.traversal_words_max = traversal_bytes_max / sizeof(capnp::word);
  session.nesting_max = nesting_max;
  return session;
}

Greeting greeting_of(const HelloReply& reply) {
  Greeting greeting;
  greeting.controller_id = reply.controller_id.value();
  greeting.leader_id = reply.leader_id.value();
  if (reply.leader) greeting.leader = session_address(*reply.leader);
  if (reply.error != ErrorCode::none) {
    greeting.refusal = reply.message.empty()
                           ? formatted("refused: {}", protocol::name_of(reply.error))
                           : reply.message;
    greeting.is_refused_for_good = reply.error == ErrorCode::unsupported_version;
  } else if (reply.rpc_version.major != version_major) {
    greeting.refusal =
        formatted("it speaks version {}.{} of the RPC, this process {}.{}", reply.rpc_version.major,
                  reply.rpc_version.minor, version_major, version_minor);
    greeting.is_refused_for_good = true;
  }
  return greeting;
}

// A callback that calls a function of its owner.
template <class Owner>
struct Step : Callback {
  using Work = void (Owner::*)();
  Step(Owner& o, Work w)
      : Callback([](Callback& self) {
          auto& step = static_cast<Step&>(self);
          (step.owner.*step.work)();
        }),
        owner(o),
        work(w) {}
  Owner& owner;
  Work work;
};

// The session, made on the RPC thread once the client asks for it.
using SessionSlot = std::optional<Session>;

// A call in the frame of the coroutine that awaits it: to the RPC thread and back.
template <class Request>
class Journey final : public PendingCall {
 public:
  using Reply = typename Request::Reply;

  Journey(RpcThread& thread, EventLoop& home, SessionSlot& session, Duration timeout,
          Request request)
      : PendingCall(timeout),
        thread_(thread),
        home_(home),
        session_(session),
        request_(std::move(request)),
        there_(*this, &Journey::arrive),
        back_(*this, &Journey::come_home) {}

  [[nodiscard]] kj::Promise<void> send(Remote& remote) override {
    return start(remote, request_).then([this](auto&& response) {
      reply_ = wire::read<Reply>(response.getReply());
    });
  }
  [[nodiscard]] bool is_misdirected() const override {
    return reply_ && *reply_ && (*reply_)->error == ErrorCode::not_controller;
  }
  void fail(CallEnd how, std::string message) override {
    reply_ = failure(RpcError{fault_of(how), std::move(message)});
  }
  void ended() override { home_.mailbox().send(back_); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    awaiting_ = handle;
    thread_.mailbox().send(there_);
  }
  [[nodiscard]] RpcResult<Reply> await_resume() { return std::move(*reply_); }

 private:
  void arrive() { session_->add(*this); }
  void come_home() { awaiting_.resume(); }

  RpcThread& thread_;
  EventLoop& home_;
  SessionSlot& session_;
  Request request_;
  Step<Journey> there_;
  Step<Journey> back_;
  std::optional<RpcResult<Reply>> reply_;
  std::coroutine_handle<> awaiting_;
};

}  // namespace

class ControllerClient::Implementation final : public SessionOwner {
 public:
  Implementation(RpcThread& thread, EventLoop& home, ControllerClientOptions options,
                 const Logger& log)
      : thread_(thread),
        home_(home),
        options_(std::move(options)),
        session_options_(session_options(options_)),
        log_(log, home.clock()),
        problems_(log, home.clock(), problem_rate),
        random_(options_.seed),
        begin_(*this, &Implementation::begin_session),
        end_(*this, &Implementation::end_session),
        ended_(*this, &Implementation::session_ended) {
    check(!options_.controllers.empty(), "a client of controllers knows at least one");
    thread_.mailbox().send(begin_);
  }
  ~Implementation() noexcept override {
    check(is_stopped_, "a client of controllers is stopped before it ends");
  }

  template <class Request>
  Task<RpcResult<typename Request::Reply>> call(Request request, MonotonicTime deadline) {
    if (is_stopped_) {
      co_return failure(RpcError{RpcFault::closed, "the client of the controllers has stopped"});
    }
    const std::size_t bytes = bytes_of_request(request);
    if (bytes > message_bytes_max) {
      co_return failure(RpcError{
          RpcFault::too_large,
          formatted("a request of {} bytes is over the limit of {}", bytes, message_bytes_max)});
    }
    const Duration timeout =
        std::clamp(deadline - home_.clock().now(), Duration::zero(), timeout_max);
    Journey<Request> journey(thread_, home_, session_, timeout, std::move(request));
    co_return co_await journey;
  }

  void send(RaftMessage message) {
    if (is_stopped_ || message.bytes.size() > message_bytes_max) return;
    // What waits for a busy thread counts as well.
    if (letters_.load(std::memory_order_relaxed) >= raft_messages_max) return;
    letters_.fetch_add(1, std::memory_order_relaxed);
    // Deletes itself.
    thread_.mailbox().send((new Letter(*this, std::move(message)))->there);
  }

  Task<void> stop() {
    if (is_stopped_) co_return;
    is_stopped_ = true;
    struct Awaiter {
      Implementation& owner;
      [[nodiscard]] bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> handle) const {
        owner.stopping_ = handle;
        owner.thread_.mailbox().send(owner.end_);
      }
      void await_resume() const noexcept {}
    };
    co_await Awaiter{*this};
  }

  // Of the session, on the RPC thread.
  [[nodiscard]] kj::Promise<Greeting> greet(Remote& remote) override {
    return start(remote, options_.hello).then([](auto&& response) {
      return greeting_of(wire::read<HelloReply>(response.getReply()));
    });
  }
  // Controllers and those who call them start together: what is over soon is no warning.
  void tell_problem(const std::string& sentence) override {
    if (std::exchange(is_away_, true)) {
      problems_.warning("{}", sentence);
    } else {
      problems_.info("{}", sentence);
    }
  }
  void tell_connected(const std::string& sentence) override {
    is_away_ = false;
    log_.info("connected to controller {}", sentence);
  }
  [[nodiscard]] double random_fraction() override { return random_.fraction(); }

 private:
  struct Letter {
    Letter(Implementation& o, RaftMessage m)
        : owner(o), message(std::move(m)), there(*this, &Letter::leave) {}
    void leave() {
      const std::unique_ptr<Letter> self(this);
      owner.letters_.fetch_sub(1, std::memory_order_relaxed);
      if (!owner.session_) return;
      owner.session_->send_one_way([this](Remote& remote) {
        auto call = remote.raftRequest();
        wire::write(message, call.initMessage());
        return call.send().ignoreResult();
      });
    }
    Implementation& owner;
    RaftMessage message;
    Step<Letter> there;
  };

  void begin_session() {
    session_.emplace(*static_cast<KjContext*>(thread_.context()), session_options_, *this);
  }
  void end_session() {
    session_.reset();
    home_.mailbox().send(ended_);
  }
  void session_ended() { stopping_.resume(); }

  RpcThread& thread_;
  EventLoop& home_;
  ControllerClientOptions options_;
  SessionOptions session_options_;
  LimitedLogger log_;       // used on the RPC thread only
  LimitedLogger problems_;  // likewise
  bool is_away_ = false;    // likewise: the last attempt to connect has failed
  Random random_;           // likewise
  SessionSlot session_;     // likewise
  std::atomic<std::size_t> letters_ = 0;
  Step<Implementation> begin_;
  Step<Implementation> end_;
  Step<Implementation> ended_;
  bool is_stopped_ = false;
  std::coroutine_handle<> stopping_;
};

ControllerClient::ControllerClient(RpcThread& thread, EventLoop& home,
                                   ControllerClientOptions options, const Logger& log)
    : implementation_(std::make_unique<Implementation>(thread, home, std::move(options), log)) {}

ControllerClient::~ControllerClient() = default;

Task<RpcResult<HelloReply>> ControllerClient::call(Hello request, MonotonicTime deadline) {
  return implementation_->call(std::move(request), deadline);
}
Task<RpcResult<RegisterBrokerReply>> ControllerClient::call(RegisterBroker request,
                                                            MonotonicTime deadline) {
  return implementation_->call(std::move(request), deadline);
}
Task<RpcResult<HeartbeatReply>> ControllerClient::call(Heartbeat request, MonotonicTime deadline) {
  return implementation_->call(std::move(request), deadline);
}
Task<RpcResult<FollowMetadataReply>> ControllerClient::call(FollowMetadata request,
                                                            MonotonicTime deadline) {
  return implementation_->call(std::move(request), deadline);
}
Task<RpcResult<ForwardReply>> ControllerClient::call(Forward request, MonotonicTime deadline) {
  return implementation_->call(std::move(request), deadline);
}
Task<RpcResult<AllocateProducerIdsReply>> ControllerClient::call(AllocateProducerIds request,
                                                                 MonotonicTime deadline) {
  return implementation_->call(std::move(request), deadline);
}
Task<RpcResult<DescribeQuorumReply>> ControllerClient::call(DescribeQuorum request,
                                                            MonotonicTime deadline) {
  return implementation_->call(request, deadline);
}

void ControllerClient::send(RaftMessage message) {
  implementation_->send(std::move(message));
}

Task<void> ControllerClient::stop() {
  return implementation_->stop();
}

}  // namespace millrace::rpc
