module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "counted_messages.hpp"
#include "paced_stream.hpp"
#include "sockets.hpp"
#include "wire.hpp"

module millrace.ipc.rpc;

import millrace.base;
import millrace.runtime;

namespace millrace::rpc {
namespace {

// What the server's shard and its RPC thread have in common.
struct Common {
  RpcThread& thread;
  EventLoop& home;
  ControllerService& service;
  ControllerServerOptions options;
  Logger log;
  std::uint16_t port = 0;
  TaskGroup calls{};  // on the home shard
};

kj::Exception refusal(kj::Exception::Type type, const std::string& sentence) {
  return {type, "rpc", 0, kj::str(sentence.c_str())};
}

// A message has no answer besides that it was taken.
struct RaftCall {
  using Reply = bool;
  RaftMessage message;
};
Task<bool> serve_call(ControllerService& service, RaftCall call) {
  service.on(std::move(call.message));
  co_return true;
}
template <class Request>
Task<typename Request::Reply> serve_call(ControllerService& service, Request request) {
  return service.on(std::move(request));
}

// A call on its way: from the RPC thread, where it is made and deleted, to the home shard and back.
template <class Request>
class Visit {
 public:
  using Reply = typename Request::Reply;

  Visit(Common& common, Request request, kj::Own<kj::PromiseFulfiller<Reply>> fulfiller)
      : common_(common),
        request_(std::move(request)),
        fulfiller_(kj::mv(fulfiller)),
        arrival_([](Callback& self) { static_cast<Arrival&>(self).arrive(); }, *this),
        back_([](Callback& self) { static_cast<Back&>(self).answer(); }, *this) {
    common.home.mailbox().send(arrival_);
  }

 private:
  struct Leg : Callback {
    Leg(Function function, Visit& v) : Callback(function), visit(v) {}
    Visit& visit;
  };
  struct Arrival : Leg {
    using Leg::Leg;
    void arrive() { this->visit.common_.calls.start(this->visit.serve()); }
  };
  struct Back : Leg {
    using Leg::Leg;
    // Nobody is told if the client is gone.
    void answer() {
      const std::unique_ptr<Visit> ended(&this->visit);
      ended->fulfiller_->fulfill(std::move(*ended->reply_));
    }
  };

  Task<void> serve() {
    reply_.emplace(co_await serve_call(common_.service, std::move(request_)));
    common_.thread.mailbox().send(back_);
  }

  Common& common_;
  Request request_;
  std::optional<Reply> reply_;
  kj::Own<kj::PromiseFulfiller<Reply>> fulfiller_;
  Arrival arrival_;
  Back back_;
};

// What is known of one connection. On the RPC thread.
struct Peer : kj::Refcounted {
  Peer(Common& c, LimitedLogger& l, const std::string& a)
      : common(c), log(l), address(a), name(a) {}

  Common& common;
  LimitedLogger& log;
  std::string address;
  std::string name;  // with what it said about itself
  bool is_greeted = false;
  std::size_t calls = 0;
  std::size_t unread_bytes = 0;  // of answers that are not written yet
  // Kept here: an answer may come when the server is gone.
  std::size_t unread_bytes_max = common.options.unread_bytes_max;
  kj::Own<kj::PromiseFulfiller<void>> given_up{};

  void give_up(const std::string& why) {
    if (!given_up->isWaiting()) return;
    log.warning("{}: closed, {}", name, why);
    given_up->fulfill();
  }
};

// The object that a client calls. On the RPC thread, one for each connection.
class CallTarget final : public wire::Controller::Server {
 private:
  // Held until the call has ended, also when the connection breaks before.
  auto take_place() {
    if (peer_->calls >= peer_->common.options.calls_per_connection_max) {
      peer_->log.warning("{}: more than {} calls at once", peer_->name,
                         peer_->common.options.calls_per_connection_max);
      kj::throwFatalException(
          refusal(kj::Exception::Type::OVERLOADED, "too many calls at once on one connection"));
    }
    ++peer_->calls;
    return kj::defer([peer = kj::addRef(*peer_)]() mutable { --peer->calls; });
  }

 public:
  explicit CallTarget(kj::Own<Peer> peer) : peer_(kj::mv(peer)) {}

  kj::Promise<void> hello(HelloContext context) override {
    auto request = wire::read<Hello>(context.getParams().getRequest());
    if (request.rpc_version.major != version_major) {
      HelloReply reply;
      reply.error = protocol::ErrorCode::unsupported_version;
      reply.message = formatted(
          "this controller speaks version {}.{} of the RPC, the {} {} speaks {}.{}: both must be "
          "of the same major version",
          version_major, version_minor, name_of(request.kind), request.node_id,
          request.rpc_version.major, request.rpc_version.minor);
      peer_->log.warning("{}: {}", peer_->name, reply.message);
      wire::write(reply, context.initResults().initReply());
      return kj::READY_NOW;
    }
    peer_->name = formatted("{} ({} {})", peer_->address, name_of(request.kind), request.node_id);
    return visit(std::move(request), context,
                 [peer = kj::addRef(*peer_)](const HelloReply& reply) mutable {
                   peer->is_greeted = peer->is_greeted || reply.error == protocol::ErrorCode::none;
                 });
  }
  kj::Promise<void> registerBroker(RegisterBrokerContext context) override {
    return answer<RegisterBroker>(context);
  }
  kj::Promise<void> heartbeat(HeartbeatContext context) override {
    return answer<Heartbeat>(context);
  }
  kj::Promise<void> followMetadata(FollowMetadataContext context) override {
    return answer<FollowMetadata>(context);
  }
  kj::Promise<void> forward(ForwardContext context) override { return answer<Forward>(context); }
  kj::Promise<void> allocateProducerIds(AllocateProducerIdsContext context) override {
    return answer<AllocateProducerIds>(context);
  }
  kj::Promise<void> describeQuorum(DescribeQuorumContext context) override {
    require_greeting();
    return visit(DescribeQuorum{}, context, [](const DescribeQuorumReply&) {});
  }
  kj::Promise<void> raft(RaftContext context) override {
    require_greeting();
    auto place = take_place();
    auto pair = kj::newPromiseAndFulfiller<bool>();
    new Visit<RaftCall>(peer_->common, {wire::read<RaftMessage>(context.getParams().getMessage())},
                        kj::mv(pair.fulfiller));
    return pair.promise.ignoreResult().attach(kj::mv(place));
  }

 private:
  void require_greeting() {
    if (peer_->is_greeted) return;
    kj::throwFatalException(
        refusal(kj::Exception::Type::FAILED, "the first call on a connection is hello"));
  }

  template <class Request, class Context>
  kj::Promise<void> answer(Context context) {
    require_greeting();
    return visit(wire::read<Request>(context.getParams().getRequest()), context,
                 [](const typename Request::Reply&) {});
  }

  template <class Request, class Context, class Before>
  kj::Promise<void> visit(Request request, Context context, Before before) {
    using Reply = typename Request::Reply;
    auto place = take_place();
    context.releaseParams();
    auto pair = kj::newPromiseAndFulfiller<Reply>();
    // Deletes itself, here, when it is back.
    new Visit<Request>(peer_->common, std::move(request), kj::mv(pair.fulfiller));
    return pair.promise
        .then([context, before = kj::mv(before), peer = kj::addRef(*peer_)](Reply reply) mutable {
          before(reply);
          find_room(*peer, wire::bytes_of(reply));
          auto results = context.initResults();
          wire::write(reply, results.initReply());
          peer->unread_bytes += results.totalSize().wordCount * sizeof(capnp::word);
        })
        .attach(kj::mv(place));
  }

  // For an answer; throws what its caller is told where there is none.
  static void find_room(Peer& peer, std::size_t bytes) {
    if (bytes > message_bytes_max) {
      const std::string sentence =
          formatted("an answer of {} bytes is over the limit of {}", bytes, message_bytes_max);
      peer.log.error("{}: {}", peer.name, sentence);
      kj::throwFatalException(refusal(kj::Exception::Type::FAILED, sentence));
    }
    if (peer.unread_bytes <= peer.unread_bytes_max) return;
    peer.give_up(formatted("it leaves {} bytes of answers unread", peer.unread_bytes));
    kj::throwFatalException(refusal(kj::Exception::Type::DISCONNECTED, "answers are not read"));
  }

  kj::Own<Peer> peer_;
};

struct Connection {
  Connection(kj::Own<kj::AsyncIoStream> s, kj::Own<Peer> p)
      : stream(kj::heap<PacedStream>(kj::mv(s),
                                     [p = kj::addRef(*p)](std::size_t bytes) mutable {
                                       p->unread_bytes -= std::min(p->unread_bytes, bytes);
                                     })),
        peer(kj::mv(p)),
        messages(*stream, open_answers_max,
                 [this] { peer->give_up("it does not finish its calls"); }),
        network(messages, capnp::rpc::twoparty::Side::SERVER,
                reader_options(traversal_bytes_max / sizeof(capnp::word), nesting_max)),
        system(capnp::makeRpcServer(network, kj::heap<CallTarget>(kj::addRef(*peer)))) {
    system.setFlowLimit(traversal_bytes_max / sizeof(capnp::word));
  }

  kj::Own<kj::AsyncIoStream> stream;
  kj::Own<Peer> peer;
  CountedMessages messages;
  capnp::TwoPartyVatNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
};

// What lives on the RPC thread: made there, ended there.
class Acceptor final : public kj::TaskSet::ErrorHandler {
 public:
  Acceptor(Common& common, int listening)
      : common_(common),
        context_(*static_cast<KjContext*>(common.thread.context())),
        log_(common.log, common.home.clock()),
        receiver_(context_.io.lowLevelProvider->wrapListenSocketFd(
            listening, kj::LowLevelAsyncIoProvider::TAKE_OWNERSHIP |
                           kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC |
                           kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK)),
        tasks_(*this) {
    tasks_.add(accept());
  }

 private:
  // Without descriptors accepting fails again and again: it waits a little in between.
  static constexpr kj::Duration pause_after_failure = 100 * kj::MILLISECONDS;

  kj::Promise<void> accept() {
    return receiver_->accept().then(
        [this](kj::Own<kj::AsyncIoStream> stream) {
          take(kj::mv(stream));
          return accept();
        },
        [this](kj::Exception&& exception) -> kj::Promise<void> {
          log_.warning("no connection can be accepted: {}", exception.getDescription().cStr());
          return context_.timer().afterDelay(pause_after_failure).then([this] { return accept(); });
        });
  }

  void take(kj::Own<kj::AsyncIoStream> stream) {
    // The peer may be gone already.
    KJ_IF_MAYBE (gone, kj::runCatchingExceptions([&] { serve(kj::mv(stream)); })) {
      log_.debug("a connection broke at once: {}", gone->getDescription().cStr());
    }
  }

  void serve(kj::Own<kj::AsyncIoStream> stream) {
    const std::string name = peer_name(*stream);
    if (connections_ >= common_.options.connections_max) {
      log_.warning("{}: closed, {} connections are open", name, connections_);
      return;
    }
    prepare_connection(*stream);

    ++connections_;
    auto peer = kj::refcounted<Peer>(common_, log_, name);
    auto given_up = kj::newPromiseAndFulfiller<void>();
    peer->given_up = kj::mv(given_up.fulfiller);
    auto connection = kj::heap<Connection>(kj::mv(stream), kj::addRef(*peer));
    auto ended = connection->network.onDisconnect();
    tasks_.add(ended.exclusiveJoin(silent(*peer))
                   .exclusiveJoin(kj::mv(given_up.promise))
                   .attach(kj::mv(connection), kj::defer([this] { --connections_; })));
  }

  // Ends if the peer has not said Hello in time.
  kj::Promise<void> silent(Peer& peer) {
    const auto timeout = common_.options.hello_timeout.count() * kj::NANOSECONDS;
    return context_.timer().afterDelay(timeout).then([peer = kj::addRef(peer)]() mutable {
      if (peer->is_greeted) return kj::Promise<void>(kj::NEVER_DONE);
      peer->log.warning("{}: closed, it did not say hello", peer->name);
      return kj::Promise<void>(kj::READY_NOW);
    });
  }

  void taskFailed(kj::Exception&& exception) override {
    log_.warning("a connection ended: {}", exception.getDescription().cStr());
  }

  Common& common_;
  KjContext& context_;
  LimitedLogger log_;
  kj::Own<kj::ConnectionReceiver> receiver_;
  std::size_t connections_ = 0;
  kj::TaskSet tasks_;
};

}  // namespace

class ControllerServer::Implementation {
 public:
  Implementation(RpcThread& thread, EventLoop& home, ControllerService& service,
                 ControllerServerOptions options, const Logger& log, const Listening& listening)
      : common_{.thread = thread,
                .home = home,
                .service = service,
                .options = std::move(options),
                .log = log,
                .port = listening.port},
        descriptor_(listening.descriptor),
        begin_(*this) {
    thread.mailbox().send(begin_);
  }
  ~Implementation() { check(is_stopped_, "a controller's server is stopped before it ends"); }

  [[nodiscard]] std::uint16_t port() const { return common_.port; }

  Task<void> stop() {
    if (is_stopped_) co_return;
    is_stopped_ = true;
    // No call arrives any more, and connections are closed.
    co_await Detour(*this);
    co_await common_.calls.wait();
    // What was answered has come back to the thread.
    co_await Detour(*this);
  }

 private:
  struct Begin : Callback {
    explicit Begin(Implementation& o)
        : Callback([](Callback& self) {
            Implementation& owner = static_cast<Begin&>(self).owner;
            owner.acceptor_.emplace(owner.common_, owner.descriptor_);
          }),
          owner(o) {}
    Implementation& owner;
  };
  // To the RPC thread and back: ends the acceptor there.
  struct Detour {
    struct Leg : Callback {
      Leg(Function function, Detour& d) : Callback(function), detour(d) {}
      Detour& detour;
    };
    explicit Detour(Implementation& o)
        : owner(o),
          there([](Callback& self) { static_cast<Leg&>(self).detour.end_acceptor(); }, *this),
          home([](Callback& self) { static_cast<Leg&>(self).detour.awaiting.resume(); }, *this) {}
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      awaiting = handle;
      owner.common_.thread.mailbox().send(there);
    }
    void await_resume() const noexcept {}
    void end_acceptor() {
      owner.acceptor_.reset();
      owner.common_.home.mailbox().send(home);
    }

    Implementation& owner;
    Leg there;
    Leg home;
    std::coroutine_handle<> awaiting;
  };

  Common common_;
  int descriptor_;
  Begin begin_;
  bool is_stopped_ = false;
  std::optional<Acceptor> acceptor_;  // on the RPC thread
};

ControllerServer::ControllerServer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

ControllerServer::~ControllerServer() = default;

Result<std::unique_ptr<ControllerServer>> ControllerServer::start(RpcThread& thread,
                                                                  EventLoop& home,
                                                                  ControllerService& service,
                                                                  ControllerServerOptions options,
                                                                  const Logger& log) {
  const Listening listening = listen_on(options.host, options.port);
  if (listening.descriptor < 0) return failure(ErrorKind::io, listening.problem);
  return std::unique_ptr<ControllerServer>(new ControllerServer(
      std::make_unique<Implementation>(thread, home, service, std::move(options), log, listening)));
}

std::uint16_t ControllerServer::port() const {
  return implementation_->port();
}

Task<void> ControllerServer::stop() {
  return implementation_->stop();
}

}  // namespace millrace::rpc
