module;
#include <algorithm>
#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

module millrace.client.core;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;
import :quiet_thread;

namespace millrace::client {

// One question to the system. Keeps itself alive while it is on its way back to the loop.
struct SystemResolver::Lookup : Callback {
  Lookup()
      : Callback([](Callback& self) {
          Lookup& lookup = static_cast<Lookup&>(self);
          const std::shared_ptr<Lookup> keep = std::exchange(lookup.self, nullptr);
          if (lookup.waiting != nullptr) lookup.waiting->set();
        }) {}

  HostPort name;
  std::optional<Result<std::vector<SocketAddress>>> result;
  std::shared_ptr<Lookup> self;
  AsyncSignal* waiting = nullptr;  // on the loop's thread
};

// Between the loop and the thread that asks; the last of both to end frees it.
struct SystemResolver::Shared {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::shared_ptr<Lookup>> questions;
  Mailbox* mailbox = nullptr;  // null: nobody wants answers any more
  bool is_asking = false;
  std::thread thread;

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return mailbox == nullptr || !questions.empty(); });
      if (mailbox == nullptr) return;
      const std::shared_ptr<Lookup> lookup = std::move(questions.front());
      questions.pop_front();
      is_asking = true;
      lock.unlock();
      auto result = millrace::resolve(lookup->name.host, lookup->name.port);
      lock.lock();
      is_asking = false;
      if (mailbox == nullptr) return;
      if (result && result->empty()) {
        result = failure(ErrorKind::not_found, lookup->name.host + " has no address");
      }
      lookup->result.emplace(std::move(result));
      lookup->self = lookup;
      mailbox->send(*lookup);
    }
  }
};

SystemResolver::SystemResolver(EventLoop& loop) : loop_(loop), shared_(std::make_shared<Shared>()) {
  shared_->mailbox = &loop.mailbox();
}

SystemResolver::~SystemResolver() {
  std::thread thread;
  bool is_asking = false;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->mailbox = nullptr;
    is_asking = shared_->is_asking;
    thread = std::move(shared_->thread);
  }
  shared_->changed.notify_all();
  if (!thread.joinable()) return;
  if (is_asking) {
    thread.detach();
  } else {
    thread.join();
  }
}

Task<Result<std::vector<SocketAddress>>> SystemResolver::resolve(HostPort name,
                                                                 MonotonicTime deadline) {
  if (auto number = address_from_string(name.host, name.port)) {
    co_return std::vector<SocketAddress>{*number};
  }
  const auto lookup = std::make_shared<Lookup>();
  lookup->name = name;
  AsyncSignal answered(loop_);
  lookup->waiting = &answered;
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->questions.size() >= lookups_waiting_max) {
      co_return failure(ErrorKind::limit_exceeded, formatted("{}: {} names wait to be looked up",
                                                             name.host, shared_->questions.size()));
    }
    if (!shared_->thread.joinable()) {
      auto thread = start_quiet_thread([shared = shared_] { shared->work(); });
      if (!thread) {
        co_return failure(ErrorKind::io,
                          formatted("{} is not looked up: {}", name.host, thread.error().message));
      }
      shared_->thread = std::move(*thread);
    }
    shared_->questions.push_back(lookup);
  }
  shared_->changed.notify_one();
  const bool in_time = co_await answered.wait(deadline);
  lookup->waiting = nullptr;
  if (!in_time) {
    const std::lock_guard lock(shared_->mutex);
    std::erase(shared_->questions, lookup);
    co_return failure(ErrorKind::io, name.host + " was not looked up in time");
  }
  co_return std::move(*lookup->result);
}

void FixedResolver::set(std::string host, std::vector<SocketAddress> addresses) {
  known_[std::move(host)] = std::move(addresses);
}

Task<Result<std::vector<SocketAddress>>> FixedResolver::resolve(HostPort name,
                                                                MonotonicTime deadline) {
  if (delay_ > Duration::zero()) {
    const MonotonicTime ready = executor_.clock().now() + delay_;
    co_await sleep_until(executor_, std::min(ready, deadline));
    if (ready > deadline) {
      co_return failure(ErrorKind::io, name.host + " was not looked up in time");
    }
  }
  const auto found = known_.find(name.host);
  if (found != known_.end() && !found->second.empty()) {
    std::vector<SocketAddress> addresses = found->second;
    for (SocketAddress& address : addresses) address.port = name.port;
    co_return addresses;
  }
  if (found == known_.end()) {
    if (auto number = address_from_string(name.host, name.port)) {
      co_return std::vector<SocketAddress>{*number};
    }
  }
  co_return failure(ErrorKind::not_found, name.host + " has no address");
}

}  // namespace millrace::client
