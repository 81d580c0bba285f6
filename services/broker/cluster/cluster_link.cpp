module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

module millrace.broker.cluster;

import millrace.base;
import millrace.ipc.rpc;
import millrace.metadata;
import millrace.runtime;
import millrace.runtime.streams;
import :answers;

namespace millrace::broker {
class ClusterLink::Implementation {
 public:
  Implementation(Executor& home, rpc::ControllerCalls& controllers, ClusterLinkOptions options,
                 const Logger& log)
      : home_(home),
        controllers_(controllers),
        options_(std::move(options)),
        log_(log),
        problems_(log, home.clock(), outage_rate),
        follower_(options_.broker_id),
        image_(follower_.image()),
        heartbeat_due_(home),
        pause_ended_(home) {}

  Task<Result<rpc::HelloReply>> hello(MonotonicTime deadline) {
    rpc::Hello request{.node_id = rpc::NodeId(options_.broker_id.value()),
                       .kind = rpc::NodeKind::broker,
                       .software_version = options_.software_version};
    auto reply = co_await call_until_answered(std::move(request), deadline);
    if (!reply) co_return failure(ErrorKind::io, reply.error().message);
    if (reply->error != ErrorCode::none) {
      co_return failure(ErrorKind::unsupported, sentence_of(*reply));
    }
    co_return std::move(*reply);
  }

  void on_image(ImageListener listener) {
    check(!is_registered(), "listeners to images are added before the broker registers");
    listeners_.push_back(std::move(listener));
  }

  Task<Result<BrokerEpoch>> register_broker(Registration registration, MonotonicTime deadline) {
    check(!is_registered(), "a broker registers once");
    // While the logs were recovered it was asked to stop.
    if (is_stopping_) {
      co_return failure(ErrorKind::cancelled, "the broker stops before it was registered");
    }
    registration_ = std::move(registration);
    for (;;) {
      auto reply =
          co_await call_until_answered(register_request(options_, registration_), deadline);
      if (!reply) co_return failure(ErrorKind::io, reply.error().message);
      if (reply->error == ErrorCode::none) {
        registered(reply->epoch);
        break;
      }
      if (!may_pass(reply->error) || now() + pause_after_error >= deadline) {
        co_return failure(
            ErrorKind::invalid_argument,
            formatted("the controller does not register this broker: {}", sentence_of(*reply)));
      }
      problems_.warning("the controller does not register this broker yet: {}",
                        sentence_of(*reply));
      if (co_await pause(pause_after_error)) {
        co_return failure(ErrorKind::cancelled, "the broker stops before it was registered");
      }
    }
    loops_.start(heartbeats());
    loops_.start(follow());
    co_return epoch_;
  }

  void ready_to_serve() {
    is_ready_ = true;
    heartbeat_due_.set();
  }
  Task<bool> unfenced() {
    return until([this] { return !is_fenced(); }, no_deadline);
  }
  Task<bool> wait_for(metadata::MetadataOffset offset, MonotonicTime deadline) {
    return until([this, offset] { return image_->offset() >= offset; }, deadline);
  }

  Task<Result<std::vector<std::byte>, ErrorCode>> forward(rpc::Forward request) {
    if (request.timeout <= Duration::zero()) request.timeout = forward_timeout_default;
    const MonotonicTime deadline = now() + request.timeout;
    auto reply = co_await controllers_.call(std::move(request), deadline);
    if (!reply) {
      problems_.warning("a request was not forwarded: {}", reply.error().message);
      co_return failure(code_of(reply.error().fault));
    }
    if (reply->error != ErrorCode::none) {
      log_.debug("the controller refuses a forwarded request: {}", sentence_of(*reply));
      co_return failure(reply->error);
    }
    const metadata::MetadataOffset changed(reply->metadata_offset.value());
    if (changed > image_->offset() && !co_await wait_for(changed, deadline)) {
      problems_.warning("a client hears of its change at {} while this broker is at {}", changed,
                        image_->offset());
    }
    co_return std::move(reply->body);
  }

  Task<Result<metadata::ProducerIdBlock, ErrorCode>> allocate_producer_ids() {
    const rpc::AllocateProducerIds request{.broker_id = options_.broker_id, .epoch = epoch_};
    const auto reply = co_await controllers_.call(request, now() + answer_timeout);
    if (!reply) {
      problems_.warning("no producer ids: {}", reply.error().message);
      co_return failure(code_of(reply.error().fault));
    }
    if (reply->error != ErrorCode::none) {
      problems_.warning("no producer ids: {}", sentence_of(*reply));
      co_return failure(reply->error);
    }
    co_return metadata::ProducerIdBlock{.first = reply->first, .count = reply->count};
  }

  Task<rpc::RpcResult<rpc::DescribeQuorumReply>> describe_quorum(MonotonicTime deadline) {
    return controllers_.call(rpc::DescribeQuorum{}, deadline);
  }

  void directories_offline(std::vector<Uuid> directories) {
    offline_directories_ = std::move(directories);
    heartbeat_due_.set();
  }

  Task<bool> leave() {
    check(!wants_shut_down_, "a broker leaves its cluster once");
    wants_shut_down_ = true;
    if (is_registered() && options_.controlled_shutdown) co_await say_farewell();
    if (!is_released_) end_waiting();
    co_return is_released_;
  }

  Task<void> stop() {
    check(!is_stopped_, "a link to the controllers is stopped once");
    is_stopped_ = true;
    if (!wants_shut_down_) static_cast<void>(co_await leave());
    end_waiting();
    co_await loops_.wait();
    // Who waited for a change was told, and goes in a later turn.
    while (!waiting_.empty()) co_await yield(home_);
  }

  [[nodiscard]] bool is_fenced() const { return is_fenced_ || !is_active_in_image_; }
  [[nodiscard]] const std::shared_ptr<const metadata::Image>& image() const { return image_; }
  [[nodiscard]] BrokerEpoch epoch() const { return epoch_; }

 private:
  [[nodiscard]] MonotonicTime now() const { return home_.clock().now(); }
  [[nodiscard]] bool is_registered() const { return epoch_ >= BrokerEpoch(0); }
  [[nodiscard]] bool wants_unfence() const { return is_ready_ && is_own_epoch_in_image_; }

  // True if the condition came to hold; false at the deadline, or when the link stops.
  Task<bool> until(std::function<bool()> condition, MonotonicTime deadline) {
    AsyncSignal signal(home_);
    const auto place = waiting_.insert(waiting_.end(), &signal);
    while (!condition() && !is_stopping_) {
      if (!co_await signal.wait(deadline)) break;
    }
    waiting_.erase(place);
    co_return condition();
  }
  Task<void> say_farewell() {
    heartbeat_due_.set();
    const MonotonicTime deadline = now() + options_.controlled_shutdown_max;
    const auto is_over = [this] { return is_released_ || is_abandoned_; };
    // Whatever was under way before: an answer comes soon, or none is waited for.
    co_await until([&] { return is_over() || is_farewell_heard_; }, now() + farewell_timeout);
    if (is_farewell_heard_) co_await until(is_over, deadline);
    if (!is_released_) log_.warning("the broker stops before the controllers let it go");
  }
  // Nothing is waited for any more but the calls that are under way.
  void end_waiting() {
    is_stopping_ = true;
    heartbeat_due_.set();
    pause_ended_.set();
    changed();
  }
  void changed() {
    for (AsyncSignal* signal : waiting_) signal->set();
  }
  // True if the link stops.
  Task<bool> pause(Duration time) {
    if (!is_stopping_) static_cast<void>(co_await pause_ended_.wait(now() + time));
    co_return is_stopping_;
  }

  // Only what may be carried out twice: whether a call was, of which the answer was lost, nobody
  // knows.
  template <class Request>
  Task<rpc::RpcResult<typename Request::Reply>> call_until_answered(Request request,
                                                                    MonotonicTime deadline) {
    for (;;) {
      auto reply = co_await controllers_.call(request, std::min(deadline, now() + answer_timeout));
      if (reply || !may_pass(reply.error().fault)) co_return reply;
      // Of controllers that are not there the client of theirs tells.
      if (reply.error().fault != rpc::RpcFault::unavailable) {
        problems_.warning("{}; this broker asks again", reply.error().message);
      }
      const Duration left = deadline - now();
      if (left > Duration::zero() && co_await pause(std::min(left, pause_after_error))) {
        co_return reply;
      }
      if (now() >= deadline) co_return reply;
    }
  }

  void registered(BrokerEpoch epoch) {
    log_.info("registered as broker {} at epoch {}", options_.broker_id, epoch);
    epoch_ = epoch;
    // As long as this process runs, its logs are what they were.
    registration_.previous_epoch = epoch;
    note_image();
  }
  Task<void> register_again(std::string why) {
    is_fenced_ = true;
    if (wants_shut_down_) {
      is_released_ = true;
      changed();
      co_return;
    }
    problems_.warning("registers again: {}", why);
    const auto reply = co_await controllers_.call(register_request(options_, registration_),
                                                  now() + answer_timeout);
    if (!reply) {
      missed(reply.error());
    } else if (reply->error != ErrorCode::none) {
      problems_.error("the controller does not register this broker again: {}",
                      sentence_of(*reply));
    } else {
      registered(reply->epoch);
    }
  }

  Task<void> heartbeats() {
    while (!is_stopping_ && !is_closed_ && !is_released_) {
      const MonotonicTime begun = now();
      const bool was_answered = co_await heartbeat();
      if (is_stopping_) break;
      static_cast<void>(co_await heartbeat_due_.wait(begun + interval(was_answered)));
    }
  }
  [[nodiscard]] Duration interval(bool was_answered) const {
    const bool is_impatient = was_answered && ((is_fenced_ && wants_unfence()) || wants_shut_down_);
    return is_impatient ? std::min(impatient_interval, options_.heartbeat_interval)
                        : options_.heartbeat_interval;
  }
  Task<bool> heartbeat() {
    const bool is_farewell = wants_shut_down_;
    const rpc::Heartbeat request{
        .broker_id = options_.broker_id,
        .epoch = epoch_,
        .metadata_offset = rpc::MetadataOffset(image_->offset().value()),
        .want_fence = !wants_unfence(),
        .want_shut_down = is_farewell,
        .offline_directories = offline_directories_,
    };
    const Duration timeout = is_farewell ? farewell_timeout : options_.heartbeat_interval;
    const auto reply = co_await controllers_.call(request, now() + timeout);
    if (!reply) {
      missed(reply.error());
      is_abandoned_ = is_farewell || is_closed_;
      changed();
      co_return false;
    }
    answered();
    is_farewell_heard_ = is_farewell;
    changed();
    if (reply->error == ErrorCode::broker_id_not_registered ||
        reply->error == ErrorCode::stale_broker_epoch) {
      co_await register_again(sentence_of(*reply));
      co_return true;
    }
    if (reply->error != ErrorCode::none) {
      problems_.warning("the controller refuses a heartbeat: {}", sentence_of(*reply));
      co_return false;
    }
    take(*reply, is_farewell);
    co_return true;
  }
  void take(const rpc::HeartbeatReply& reply, bool is_farewell) {
    if (reply.is_fenced != is_fenced_) {
      log_.info("the controllers {} this broker", reply.is_fenced ? "have fenced" : "count on");
    }
    is_fenced_ = reply.is_fenced;
    is_released_ = is_released_ || (is_farewell && reply.should_shut_down);
    changed();
  }

  Task<void> follow() {
    while (!is_stopping_ && !is_closed_) {
      const MonotonicTime begun = now();
      const MonotonicTime deadline = begun + follow_wait + answer_timeout;
      const auto reply = co_await controllers_.call(follower_.request(follow_wait), deadline);
      if (is_stopping_) break;
      if (!reply) {
        missed(reply.error());
        co_await pause(pause_after_error);
        continue;
      }
      if (reply->error != ErrorCode::none) {
        problems_.warning("the controller does not tell its metadata: {}", sentence_of(*reply));
        co_await pause(pause_after_error);
        continue;
      }
      answered();
      auto change = follower_.take(*reply);
      if (!change) {
        problems_.error("{}; this broker goes on with the metadata as of {}",
                        change.error().message, image_->offset());
        co_await pause(pause_after_error);
      } else if (*change) {
        co_await publish(std::move(**change));
      } else if (!reply->snapshot && now() - begun < impatient_interval) {
        // It has no news and did not wait for any.
        co_await pause(impatient_interval);
      }
    }
  }
  Task<void> publish(MetadataChange change) {
    for (const ImageListener& listener : listeners_) {
      co_await listener(change.image, change.delta);
    }
    image_ = std::move(change.image);
    note_image();
  }
  void note_image() {
    const bool wanted_unfence = wants_unfence();
    const metadata::Broker* self = image_->broker(options_.broker_id);
    is_own_epoch_in_image_ = self != nullptr && self->epoch == epoch_;
    is_active_in_image_ = is_own_epoch_in_image_ && !self->fenced;
    if (wants_unfence() && !wanted_unfence) heartbeat_due_.set();
    changed();
  }

  void missed(const rpc::RpcError& error) {
    is_closed_ = error.fault == rpc::RpcFault::closed;
    if (is_closed_) return;
    problems_.warning("{}; this broker goes on with the metadata as of {}", error.message,
                      image_->offset());
    is_away_ = true;
  }
  void answered() {
    if (!is_away_) return;
    log_.info("the controllers answer again");
    is_away_ = false;
  }

  Executor& home_;
  rpc::ControllerCalls& controllers_;
  ClusterLinkOptions options_;
  Logger log_;
  LimitedLogger problems_;
  std::vector<ImageListener> listeners_;
  Registration registration_;
  BrokerEpoch epoch_{-1};

  MetadataFollower follower_;
  std::shared_ptr<const metadata::Image> image_;
  bool is_own_epoch_in_image_ = false;
  bool is_active_in_image_ = false;

  bool is_ready_ = false;
  bool is_fenced_ = true;
  bool is_away_ = false;  // no controller answered the last call
  std::vector<Uuid> offline_directories_;
  bool wants_shut_down_ = false;
  bool is_farewell_heard_ = false;  // the controllers know that the broker leaves
  bool is_released_ = false;        // they let it go
  bool is_abandoned_ = false;       // nobody is there to let it go
  bool is_closed_ = false;          // the calls to the controllers
  bool is_stopping_ = false;
  bool is_stopped_ = false;  // stop() was called

  AsyncSignal heartbeat_due_;
  AsyncSignal pause_ended_;
  std::list<AsyncSignal*> waiting_;
  TaskGroup loops_;
};

ClusterLink::ClusterLink(Executor& home, rpc::ControllerCalls& controllers,
                         ClusterLinkOptions options, const Logger& log)
    : implementation_(
          std::make_unique<Implementation>(home, controllers, std::move(options), log)) {}

ClusterLink::~ClusterLink() = default;

Task<Result<rpc::HelloReply>> ClusterLink::hello(MonotonicTime deadline) {
  return implementation_->hello(deadline);
}
void ClusterLink::on_image(ImageListener listener) {
  implementation_->on_image(std::move(listener));
}
Task<Result<BrokerEpoch>> ClusterLink::register_broker(Registration registration,
                                                       MonotonicTime deadline) {
  return implementation_->register_broker(std::move(registration), deadline);
}
void ClusterLink::ready_to_serve() {
  implementation_->ready_to_serve();
}
Task<bool> ClusterLink::unfenced() {
  return implementation_->unfenced();
}
bool ClusterLink::is_fenced() const {
  return implementation_->is_fenced();
}
std::shared_ptr<const metadata::Image> ClusterLink::image() const {
  return implementation_->image();
}
Task<bool> ClusterLink::wait_for(metadata::MetadataOffset offset, MonotonicTime deadline) {
  return implementation_->wait_for(offset, deadline);
}
BrokerEpoch ClusterLink::epoch() const {
  return implementation_->epoch();
}
Task<Result<std::vector<std::byte>, ErrorCode>> ClusterLink::forward(rpc::Forward request) {
  return implementation_->forward(std::move(request));
}
Task<Result<metadata::ProducerIdBlock, ErrorCode>> ClusterLink::allocate_producer_ids() {
  return implementation_->allocate_producer_ids();
}
Task<rpc::RpcResult<rpc::DescribeQuorumReply>> ClusterLink::describe_quorum(
    MonotonicTime deadline) {
  return implementation_->describe_quorum(deadline);
}
void ClusterLink::directories_offline(std::vector<Uuid> directories) {
  implementation_->directories_offline(std::move(directories));
}
Task<bool> ClusterLink::leave() {
  return implementation_->leave();
}
Task<void> ClusterLink::stop() {
  return implementation_->stop();
}

}  // namespace millrace::broker
