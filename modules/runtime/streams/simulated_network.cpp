module;
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

module millrace.runtime.streams;

import millrace.base;
import millrace.runtime;
import :simulated_link;

namespace millrace {
namespace {

using AcceptResult = StreamResult<std::unique_ptr<AcceptedStream>>;
using ConnectResult = StreamResult<std::unique_ptr<ByteStream>>;

constexpr std::uint16_t first_free_port = 40'000;

StreamError error_of(StreamFault fault, const char* operation) {
  return {.fault = fault, .number = 0, .operation = operation};
}

SocketAddress loopback(Port port) {
  return address_from_string("127.0.0.1", port).value();
}

class SimulatedAccepted final : public AcceptedStream {
 public:
  SimulatedAccepted(std::shared_ptr<SimulatedLink> l, const SocketAddress& local,
                    const SocketAddress& peer)
      : link(std::move(l)), local_(local), peer_(peer) {}
  ~SimulatedAccepted() override {
    if (link != nullptr) link->close_end(1);
  }
  [[nodiscard]] const SocketAddress& peer() const override { return peer_; }
  [[nodiscard]] const SocketAddress& local() const { return local_; }

  std::shared_ptr<SimulatedLink> link;

 private:
  SocketAddress local_;
  SocketAddress peer_;
};

}  // namespace

class SimulatedListener final : public Listener {
 public:
  SimulatedListener(SimulatedNetwork& network, const SocketAddress& address, int backlog)
      : network_(network),
        address_(address),
        backlog_(static_cast<std::size_t>(backlog)),
        arrived_(network.executor_) {}
  ~SimulatedListener() override { close(); }

  [[nodiscard]] Task<AcceptResult> accept() override {
    while (!is_closed_) {
      if (!waiting_.empty()) {
        std::unique_ptr<AcceptedStream> accepted = std::move(waiting_.front());
        waiting_.pop_front();
        co_return accepted;
      }
      static_cast<void>(co_await arrived_.wait());
    }
    co_return failure(error_of(StreamFault::closed, "accept"));
  }
  void close() override {
    if (std::exchange(is_closed_, true)) return;
    network_.listeners_.erase(address_);
    waiting_.clear();
    arrived_.set();
  }
  [[nodiscard]] const SocketAddress& address() const override { return address_; }

  // False if the backlog is full.
  [[nodiscard]] bool offer(std::unique_ptr<AcceptedStream> accepted) {
    if (waiting_.size() >= backlog_) return false;
    waiting_.push_back(std::move(accepted));
    arrived_.set();
    return true;
  }

 private:
  SimulatedNetwork& network_;
  SocketAddress address_;
  std::size_t backlog_;
  AsyncSignal arrived_;
  std::deque<std::unique_ptr<AcceptedStream>> waiting_;
  bool is_closed_ = false;
};

SimulatedNetwork::SimulatedNetwork(Executor& executor, const SimulatedNetworkOptions& options)
    : executor_(executor), options_(options), random_(options.seed), last_port_(first_free_port) {}

SimulatedNetwork::~SimulatedNetwork() {
  check(listeners_.empty(), "a network outlives its listeners");
}

Duration SimulatedNetwork::delay() {
  const auto range = static_cast<std::uint64_t>((options_.delay_max - options_.delay_min).count());
  return options_.delay_min + Duration(random_.below(range + 1));
}

Port SimulatedNetwork::next_port() {
  last_port_ =
      last_port_ == UINT16_MAX ? first_free_port : static_cast<std::uint16_t>(last_port_ + 1);
  return Port(last_port_);
}

StreamResult<std::unique_ptr<Listener>> SimulatedNetwork::listen(const SocketAddress& address,
                                                                 const ListenOptions& options) {
  SocketAddress bound = address;
  while (bound.port == Port{0} || (address.port == Port{0} && listeners_.contains(bound))) {
    bound.port = next_port();
  }
  if (listeners_.contains(bound)) {
    return failure(error_of(StreamFault::address_in_use, "listen"));
  }
  auto listener = std::make_unique<SimulatedListener>(*this, bound, options.backlog);
  listeners_.emplace(bound, listener.get());
  return std::unique_ptr<Listener>(std::move(listener));
}

Task<ConnectResult> SimulatedNetwork::connect(SocketAddress address, SocketOptions,
                                              MonotonicTime deadline) {
  const MonotonicTime there = executor_.clock().now() + delay();
  const MonotonicTime back = there + delay();
  if (back > deadline) {
    co_await sleep_until(executor_, deadline);
    co_return failure(error_of(StreamFault::timed_out, "connect"));
  }
  co_await sleep_until(executor_, there);
  const auto found = listeners_.find(address);
  const SocketAddress own = loopback(next_port());
  std::shared_ptr<SimulatedLink> link;
  if (found != listeners_.end()) {
    link = std::make_shared<SimulatedLink>(*this);
    // A full backlog refuses here, where TCP would try again for minutes.
    if (!found->second->offer(std::make_unique<SimulatedAccepted>(link, address, own)))
      link.reset();
  }
  co_await sleep_until(executor_, back);
  if (link == nullptr) co_return failure(error_of(StreamFault::refused, "connect"));
  std::erase_if(links_, [](const auto& gone) { return gone.expired(); });
  links_.push_back(link);
  co_return std::make_unique<SimulatedStream>(executor_, std::move(link), 0, own, address);
}

ConnectResult SimulatedNetwork::adopt(std::unique_ptr<AcceptedStream> accepted) {
  auto* simulated = dynamic_cast<SimulatedAccepted*>(accepted.get());
  check(simulated != nullptr, "a network adopts what a network of its kind accepted");
  return std::make_unique<SimulatedStream>(executor_, std::exchange(simulated->link, nullptr), 1,
                                           simulated->local(), simulated->peer());
}

void SimulatedNetwork::reset_all() {
  for (const auto& weak : links_) {
    if (const auto link = weak.lock()) link->reset();
  }
}

std::size_t SimulatedNetwork::connection_count() const {
  return static_cast<std::size_t>(std::count_if(links_.begin(), links_.end(),
                                                [](const auto& link) { return !link.expired(); }));
}

}  // namespace millrace
