module;
#include <pthread.h>
#include <unistd.h>

#include <condition_variable>
#include <coroutine>
#include <cstddef>
#include <functional>
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
import millrace.runtime.shard;
import millrace.runtime.streams;
import :quiet_thread;

namespace millrace::client {
namespace {

// The longest name that the system keeps for a thread.
constexpr std::size_t thread_name_bytes_max = 15;

// Attempts that end by their timeouts only: the loop turns until there are none.
struct Attempts {
  std::size_t running = 0;
  bool is_ending = false;
  bool is_over = false;

  void ended() {
    --running;
    is_over = is_ending && running == 0;
  }
};

class CountedNetwork final : public Network {
 public:
  CountedNetwork(ShardLoop& loop, const Logger& logger, Attempts& attempts)
      : network_(loop, logger), attempts_(attempts) {}

  using Network::connect;
  using Network::listen;
  [[nodiscard]] StreamResult<std::unique_ptr<Listener>> listen(
      const SocketAddress& address, const ListenOptions& options) override {
    return network_.listen(address, options);
  }
  [[nodiscard]] Task<StreamResult<std::unique_ptr<ByteStream>>> connect(
      SocketAddress address, SocketOptions options, MonotonicTime deadline) override {
    ++attempts_.running;
    auto stream = co_await network_.connect(address, options, deadline);
    attempts_.ended();
    co_return stream;
  }
  [[nodiscard]] StreamResult<std::unique_ptr<ByteStream>> adopt(
      std::unique_ptr<AcceptedStream> accepted) override {
    return network_.adopt(std::move(accepted));
  }

 private:
  TcpNetwork network_;
  Attempts& attempts_;
};

class CountedResolver final : public Resolver {
 public:
  CountedResolver(EventLoop& loop, Attempts& attempts) : resolver_(loop), attempts_(attempts) {}

  [[nodiscard]] Task<Result<std::vector<SocketAddress>>> resolve(HostPort name,
                                                                 MonotonicTime deadline) override {
    ++attempts_.running;
    auto addresses = co_await resolver_.resolve(std::move(name), deadline);
    attempts_.ended();
    co_return addresses;
  }

 private:
  SystemResolver resolver_;
  Attempts& attempts_;
};

struct Posted : Callback {
  explicit Posted(std::function<void()> given)
      : Callback([](Callback& self) {
          const std::unique_ptr<Posted> posted(static_cast<Posted*>(&self));
          posted->work();
        }),
        work(std::move(given)) {}
  std::function<void()> work;
};

}  // namespace

// Owned by the thread and by the object, so that the thread can end after the object.
struct ClientThread::Running {
  enum class Phase : std::uint8_t { fresh, running, ending, over };

  Running(std::string n, Logger l) : name(std::move(n)), logger(std::move(l)) {}

  const std::string name;
  const Logger logger;
  const SystemClock clock;
  const pid_t process = ::getpid();
  std::unique_ptr<ShardLoop> loop;
  Attempts attempts;
  std::optional<CountedNetwork> network;
  std::optional<CountedResolver> resolver;
  std::thread thread;

  std::mutex mutex;
  std::condition_variable changed;
  Phase phase = Phase::fresh;
  bool lingers = false;  // when it began to end, attempts were under way

  void set_phase(Phase next) {
    const std::lock_guard lock(mutex);
    phase = next;
    changed.notify_all();
  }
  void work() {
    network.emplace(*loop, logger, attempts);
    resolver.emplace(*loop, attempts);
    set_phase(Phase::running);
    loop->turn_until(attempts.is_over);
    loop->drain();
    resolver.reset();
    network.reset();
    loop.reset();
    set_phase(Phase::over);
  }
  // On the thread, after all that was posted before.
  void begin_end() {
    attempts.is_ending = true;
    attempts.is_over = attempts.running == 0;
    const std::lock_guard lock(mutex);
    phase = Phase::ending;
    lingers = !attempts.is_over;
    changed.notify_all();
  }
};

ClientThread::ClientThread(std::string name, Logger logger)
    : running_(std::make_shared<Running>(std::move(name), std::move(logger))) {}

ClientThread::~ClientThread() {
  stop();
}

Result<void> ClientThread::start() {
  check(running_->phase == Running::Phase::fresh, "a client's thread starts once");
  auto loop = ShardLoop::make(running_->clock);
  if (!loop) return failure(loop.error());
  running_->loop = std::move(*loop);
  auto thread = start_quiet_thread([running = running_] { running->work(); });
  if (!thread) {
    running_->loop.reset();
    return failure(thread.error());
  }
  running_->thread = std::move(*thread);
  const std::string name = running_->name.substr(0, thread_name_bytes_max);
  // A name is a help for people; a system that takes none is no failure.
  static_cast<void>(::pthread_setname_np(running_->thread.native_handle(), name.c_str()));
  std::unique_lock lock(running_->mutex);
  running_->changed.wait(lock, [&] { return running_->phase != Running::Phase::fresh; });
  return {};
}

void ClientThread::stop() {
  Running& running = *running_;
  if (!running.thread.joinable()) return;
  // A child of the process has a copy of all this and no thread, which will never let go of what it
  // shares with the object: that stays, and nothing waits.
  if (is_forked()) return;
  check(!is_own_thread(), "a client's thread is stopped by another");
  const bool is_posted = post([&running] { running.begin_end(); });
  check(is_posted, "a thread that runs takes posts");
  std::unique_lock lock(running.mutex);
  running.changed.wait(lock, [&] { return running.phase != Running::Phase::running; });
  const bool lingers = running.lingers;
  lock.unlock();
  if (lingers) {
    running.thread.detach();
  } else {
    running.thread.join();
  }
}

bool ClientThread::is_running() const {
  const std::lock_guard lock(running_->mutex);
  return running_->phase == Running::Phase::running;
}

bool ClientThread::is_own_thread() const {
  return running_->thread.get_id() == std::this_thread::get_id();
}

bool ClientThread::is_forked() const {
  return ::getpid() != running_->process;
}

const Clock& ClientThread::clock() const {
  return running_->clock;
}
Executor& ClientThread::executor() {
  return *running_->loop;
}
Network& ClientThread::network() {
  return *running_->network;
}
Resolver& ClientThread::resolver() {
  return *running_->resolver;
}
Mailbox& ClientThread::mailbox() {
  return running_->loop->mailbox();
}

bool ClientThread::post(std::function<void()> work) {
  if (is_forked()) return false;
  auto posted = std::make_unique<Posted>(std::move(work));
  const std::lock_guard lock(running_->mutex);
  if (running_->phase != Running::Phase::running) return false;
  running_->loop->mailbox().send(*posted.release());
  return true;
}

void ClientThread::post_or_stop(std::function<void()> work) {
  check(!is_own_thread(), "a client's thread does not wait for itself");
  const bool is_posted = post(std::move(work));
  check(is_posted, "run() is for a client's thread that runs");
}

void ClientThread::Gate::open() {
  const std::lock_guard lock(mutex_);
  is_open_ = true;
  opened_.notify_all();
}

void ClientThread::Gate::wait() {
  std::unique_lock lock(mutex_);
  opened_.wait(lock, [&] { return is_open_; });
}

}  // namespace millrace::client
