module;
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <coroutine>
#include <csignal>
#include <cstdint>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "kj.hpp"

module millrace.ipc.rpc;

import millrace.base;
import millrace.runtime;
import millrace.runtime.shard;

namespace millrace::rpc {
namespace {

// A thread that is started meanwhile takes no signals: they are the process's to handle.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    check(::pthread_sigmask(SIG_SETMASK, &all, &before_) == 0, "a thread may block signals");
  }
  ~SignalsBlocked() {
    check(::pthread_sigmask(SIG_SETMASK, &before_, nullptr) == 0, "a thread may take signals");
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

class Inbox final : public Mailbox {
 public:
  explicit Inbox(int bell) : bell_(bell) {}
  ~Inbox() override { ::close(bell_); }

  void send(Callback& callback) override {
    if (!arrivals_.push(callback)) return;
    const std::uint64_t one = 1;
    check(::write(bell_, &one, sizeof one) == sizeof one, "an eventfd takes a number");
  }

  // On the thread that receives.
  [[nodiscard]] bool fall_asleep() { return arrivals_.fall_asleep(); }
  void call_all() {
    CallbackQueue queue;
    arrivals_.take_into(queue);
    while (Callback* callback = queue.take()) callback->call();
  }
  // A bell that was rung once can ring again.
  void silence() {
    std::uint64_t rung = 0;
    const auto got = ::read(bell_, &rung, sizeof rung);
    check(got == sizeof rung || errno == EAGAIN, "an eventfd gives a number");
  }
  [[nodiscard]] int bell() const { return bell_; }

 private:
  Arrivals arrivals_;
  int bell_;
};

}  // namespace

struct RpcThread::State {
  explicit State(int bell)
      : inbox(bell), end([](Callback& self) { static_cast<End&>(self).ended = true; }) {}

  struct End : Callback {
    using Callback::Callback;
    bool ended = false;
  };

  void run(std::latch& started);
  void turn(KjContext& own);

  Inbox inbox;
  End end;
  KjContext* context = nullptr;
  std::optional<std::string> problem;  // why the loop did not start
  std::thread thread;
};

void RpcThread::State::run(std::latch& started) {
  try {
    kj::AsyncIoContext io = kj::setupAsyncIo();
    KjContext own{io};
    context = &own;
    started.count_down();
    turn(own);
  } catch (const kj::Exception& exception) {
    check(context == nullptr, exception.getDescription().cStr());
    problem = exception.getDescription().cStr();
    started.count_down();
  }
}

void RpcThread::State::turn(KjContext& own) {
  kj::UnixEventPort::FdObserver observer(own.io.unixEventPort, inbox.bell(),
                                         kj::UnixEventPort::FdObserver::OBSERVE_READ);
  while (!end.ended) {
    // Observed before the inbox falls asleep, so that no ring is missed.
    auto rung = observer.whenBecomesReadable();
    if (inbox.fall_asleep()) {
      rung.wait(own.io.waitScope);
      inbox.silence();
    } else {
      // A flood of callbacks does not keep the sockets waiting.
      own.io.waitScope.poll();
    }
    inbox.call_all();
  }
}

RpcThread::RpcThread(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<RpcThread>> RpcThread::start(const std::string& name) {
  const int bell = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (bell < 0) {
    return failure(ErrorKind::io, formatted("RPC cannot start: eventfd: errno {}", errno));
  }
  auto state = std::make_unique<State>(bell);
  std::latch started{1};
  try {
    const SignalsBlocked blocked;
    state->thread = std::thread([&started, state = state.get()] { state->run(started); });
  } catch (const std::system_error& error) {
    return failure(ErrorKind::io, formatted("RPC cannot start its thread: {}", error.what()));
  }
  ::pthread_setname_np(state->thread.native_handle(), name.c_str());
  started.wait();
  if (state->problem) {
    state->thread.join();
    return failure(ErrorKind::io, formatted("RPC cannot start: {}", *state->problem));
  }
  return std::unique_ptr<RpcThread>(new RpcThread(std::move(state)));
}

RpcThread::~RpcThread() {
  state_->inbox.send(state_->end);
  state_->thread.join();
}

Mailbox& RpcThread::mailbox() {
  return state_->inbox;
}

void* RpcThread::context() {
  return state_->context;
}

}  // namespace millrace::rpc
