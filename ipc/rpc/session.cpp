#include "session.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::rpc {
namespace {

kj::Duration kj_duration(std::chrono::nanoseconds duration) {
  return duration.count() * kj::NANOSECONDS;
}

std::string text_of(const SessionAddress& address) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

kj::Exception refusal(const std::string& sentence) {
  return {kj::Exception::Type::FAILED, "rpc", 0, kj::str(sentence.c_str())};
}

// What the other side said, without what Cap'n Proto says before it.
std::string sentence_of(const kj::Exception& exception) {
  constexpr std::string_view before = "remote exception: ";
  std::string sentence = exception.getDescription().cStr();
  if (sentence.starts_with(before)) sentence.erase(0, before.size());
  return sentence;
}

}  // namespace

// A connection on which Hello was answered, or is to be.
struct Session::Link {
  Link(kj::Own<kj::AsyncIoStream> s, SessionAddress a, const SessionOptions& options)
      : stream(kj::mv(s)),
        address(std::move(a)),
        network(*stream, capnp::rpc::twoparty::Side::CLIENT,
                reader_options(options.traversal_words_max, options.nesting_max)),
        system(capnp::makeRpcClient(network)),
        remote(bootstrap()) {}

  Remote bootstrap() {
    capnp::MallocMessageBuilder message;
    auto id = message.getRoot<capnp::rpc::twoparty::VatId>();
    id.setSide(capnp::rpc::twoparty::Side::SERVER);
    return system.bootstrap(id).castAs<wire::Controller>();
  }

  kj::Own<kj::AsyncIoStream> stream;
  SessionAddress address;
  capnp::TwoPartyVatNetwork network;
  capnp::RpcSystem<capnp::rpc::twoparty::VatId> system;
  Remote remote;
};

// The promise that a call may try to be sent.
class Session::Place {
 public:
  Place(kj::PromiseFulfiller<void>& f, Session& s) : fulfiller(f), session_(s) {
    session_.places_.push_back(this);
  }
  ~Place() { std::erase(session_.places_, this); }
  KJ_DISALLOW_COPY(Place);

  kj::PromiseFulfiller<void>& fulfiller;

 private:
  Session& session_;
};

Session::Session(KjContext& context, const SessionOptions& options, SessionOwner& owner)
    : context_(context), options_(options), owner_(owner), backoff_(options.backoff_min) {
  tasks_.emplace(static_cast<kj::TaskSet::ErrorHandler&>(*this));
  keeper_ = keep().eagerlyEvaluate(
      [this](kj::Exception&& e) { owner_.tell_problem(e.getDescription().cStr()); });
}

Session::~Session() {
  // No promise of a call is left when the calls end.
  link_ = nullptr;
  tasks_.reset();
  keeper_ = nullptr;
  for (PendingCall* call : calls_) {
    call->fail(CallEnd::closed, "the client of the controllers has stopped");
    call->ended();
  }
}

Remote& Session::remote() {
  return link_->remote;
}

void Session::add(PendingCall& call) {
  if (calls_.size() >= options_.waiting_max) {
    call.fail(CallEnd::unavailable, "too many calls to the controllers wait already");
    call.ended();
    return;
  }
  calls_.insert(&call);
  auto late = context_.timer().afterDelay(kj_duration(call.timeout)).then([this, &call] {
    end_late(call);
  });
  tasks_->add(attempt(call)
                  .exclusiveJoin(kj::mv(late))
                  .catch_([&call](kj::Exception&& e) {
                    call.fail(CallEnd::refused, e.getDescription().cStr());
                  })
                  .then([this, &call] {
                    calls_.erase(&call);
                    call.ended();
                  }));
}

kj::Promise<void> Session::attempt(PendingCall& call) {
  if (link_ != nullptr && sent_ < options_.calls_max) return send(call);
  return kj::newAdaptedPromise<void, Place>(*this).then([this, &call] { return attempt(call); });
}

kj::Promise<void> Session::send(PendingCall& call) {
  call.is_sent = true;
  ++sent_;
  const std::uint64_t link = link_number_;
  return kj::evalNow([&] { return call.send(remote()); })
      .attach(kj::defer([this] {
        --sent_;
        pump();
      }))
      .then([this, &call, link] { return answered(call, link); },
            [this, &call, link](kj::Exception&& e) { return failed(call, link, e); });
}

kj::Promise<void> Session::answered(PendingCall& call, std::uint64_t link) {
  silent_ = 0;
  // Not before: a controller that takes connections and no calls is not to be flooded.
  backoff_ = options_.backoff_min;
  if (!call.is_misdirected() || !options_.follow_leader) return kj::READY_NOW;
  call.is_sent = false;
  if (link == link_number_) lose("it does not lead any more");
  return attempt(call);
}

kj::Promise<void> Session::failed(PendingCall& call, std::uint64_t link,
                                  const kj::Exception& exception) {
  const std::string why = sentence_of(exception);
  switch (exception.getType()) {
    case kj::Exception::Type::DISCONNECTED:
      call.fail(CallEnd::broken, "the connection to the controller broke: " + why);
      if (link == link_number_) lose(why);
      break;
    case kj::Exception::Type::OVERLOADED:
      call.fail(CallEnd::unavailable, why);
      break;
    case kj::Exception::Type::FAILED:
    case kj::Exception::Type::UNIMPLEMENTED:
      call.fail(CallEnd::refused, why);
      break;
  }
  return kj::READY_NOW;
}

void Session::end_late(PendingCall& call) {
  if (!call.is_sent) {
    call.fail(CallEnd::unavailable, "no controller took the call in time: " + trouble_);
    pump();
    return;
  }
  call.fail(CallEnd::timed_out, "the controller did not answer in time");
  if (++silent_ >= options_.silent_calls_max && link_ != nullptr) lose("it does not answer");
}

void Session::pump() {
  if (link_ == nullptr) return;
  std::size_t free = options_.calls_max - std::min(sent_, options_.calls_max);
  for (Place* place : places_) {
    if (free == 0) return;
    // One that was told already may end before it is sent, so its place goes to another one too:
    // whoever then finds none waits on.
    if (!place->fulfiller.isWaiting()) continue;
    place->fulfiller.fulfill();
    --free;
  }
}

kj::Promise<void> Session::keep() {
  return kj::evalNow([this] { return connect_once(); })
      .catch_([this](kj::Exception&& e) {
        trouble_ = e.getDescription().cStr();
        owner_.tell_problem(trouble_);
      })
      .then([this]() -> kj::Promise<void> {
        if (hint_ && !is_hint_used_) return kj::READY_NOW;
        const double share = 0.5 + 0.5 * owner_.random_fraction();
        const auto delay = std::chrono::nanoseconds(
            static_cast<std::int64_t>(share * static_cast<double>(backoff_.count())));
        backoff_ = std::min(backoff_ * 2, options_.backoff_max);
        return context_.timer().afterDelay(kj_duration(delay));
      })
      .then([this] { return keep(); });
}

SessionAddress Session::next_address() {
  if (hint_ && !is_hint_used_) {
    is_hint_used_ = true;
    return *hint_;
  }
  hint_.reset();
  return options_.controllers[next_++ % options_.controllers.size()];
}

kj::Promise<void> Session::connect_once() {
  const SessionAddress address = next_address();
  const std::string name = text_of(address);
  auto connected = context_.io.provider->getNetwork()
                       .parseAddress(address.host.c_str(), address.port)
                       .then([](kj::Own<kj::NetworkAddress> found) {
                         auto stream = found->connect();
                         return stream.attach(kj::mv(found));
                       });
  return context_.timer()
      .timeoutAfter(kj_duration(options_.connect_timeout), kj::mv(connected))
      .then([this, address](kj::Own<kj::AsyncIoStream> stream) {
        auto link = kj::heap<Link>(kj::mv(stream), address, options_);
        auto greeting = context_.timer().timeoutAfter(kj_duration(options_.hello_timeout),
                                                      owner_.greet(link->remote));
        return greeting.then(
            [this, link = kj::mv(link)](Greeting said) mutable { return use(kj::mv(link), said); });
      })
      .catch_([name](kj::Exception&& e) {
        kj::throwFatalException(refusal("controller " + name + ": " + sentence_of(e)));
      });
}

kj::Promise<void> Session::use(kj::Own<Link> link, const Greeting& greeting) {
  if (!greeting.refusal.empty()) {
    if (greeting.is_refused_for_good) {
      // Nobody waits for what does not come.
      for (Place* place : places_) place->fulfiller.reject(refusal(greeting.refusal));
    }
    kj::throwFatalException(refusal(greeting.refusal));
  }
  if (options_.follow_leader && greeting.leader_id != greeting.controller_id) {
    look_elsewhere(greeting);
    return kj::READY_NOW;
  }
  owner_.tell_connected(text_of(link->address));
  hint_.reset();
  silent_ = 0;
  ++link_number_;
  link_ = link.get();
  auto pair = kj::newPromiseAndFulfiller<void>();
  loss_ = kj::mv(pair.fulfiller);
  pump();
  return link->network.onDisconnect()
      .then([this] { trouble_ = "the connection was closed by the controller"; })
      .exclusiveJoin(kj::mv(pair.promise))
      .attach(kj::defer([this, mine = link.get()] {
                if (link_ == mine) link_ = nullptr;
              }),
              kj::mv(link));
}

void Session::look_elsewhere(const Greeting& greeting) {
  trouble_ = greeting.leader_id < 0 ? "the controllers elect a leader"
                                    : "the controller that leads is not reached yet";
  std::optional<SessionAddress> leader = greeting.leader;
  for (const SessionAddress& known : options_.controllers) {
    if (!leader && greeting.leader_id >= 0 && known.id == greeting.leader_id) leader = known;
  }
  // A hint that led to another hint waits, lest two controllers send us to and fro.
  if (leader && !hint_) {
    hint_ = leader;
    is_hint_used_ = false;
  } else {
    hint_.reset();
  }
}

void Session::lose(const std::string& why) {
  trouble_ = why;
  if (link_ == nullptr) return;
  link_ = nullptr;
  loss_->fulfill();
}

void Session::taskFailed(kj::Exception&&) {}

}  // namespace millrace::rpc
