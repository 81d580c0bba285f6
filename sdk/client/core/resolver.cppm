// From the names of brokers to their addresses.
module;
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

export module millrace.client.core:resolver;

import millrace.base;
import millrace.runtime;
import millrace.runtime.streams;
import :settings;

export namespace millrace::client {

// Looks names up for one executor, on its thread. Outlives the tasks that it gave.
class Resolver {
 public:
  virtual ~Resolver() = default;

  // At least one address, in the order in which they are to be tried; or why there is none. Not
  // later than the deadline.
  [[nodiscard]] virtual Task<Result<std::vector<SocketAddress>>> resolve(
      HostPort name, MonotonicTime deadline) = 0;

 protected:
  Resolver() = default;
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
};

// Lookups that wait for one that the system does not answer are refused above this number.
inline constexpr std::size_t lookups_waiting_max = 256;

// Asks the system, on a thread of its own: a lookup may take as long as the system likes, and the
// loop goes on. Addresses that are numbers are answered at once. On the thread of the loop, which
// outlives it; ends after its tasks. A lookup that the system has not ended by then is left to end
// by itself.
class SystemResolver final : public Resolver {
 public:
  explicit SystemResolver(EventLoop& loop);
  ~SystemResolver() override;

  [[nodiscard]] Task<Result<std::vector<SocketAddress>>> resolve(HostPort name,
                                                                 MonotonicTime deadline) override;

 private:
  struct Shared;
  struct Lookup;

  EventLoop& loop_;
  std::shared_ptr<Shared> shared_;
};

// Knows what it was told: for tests and simulations.
class FixedResolver final : public Resolver {
 public:
  explicit FixedResolver(Executor& executor) : executor_(executor) {}

  // From now on `host` has these addresses (with the port that is asked for); none: it is unknown.
  void set(std::string host, std::vector<SocketAddress> addresses);
  // How long a lookup takes from now on.
  void set_delay(Duration delay) { delay_ = delay; }

  [[nodiscard]] Task<Result<std::vector<SocketAddress>>> resolve(HostPort name,
                                                                 MonotonicTime deadline) override;

 private:
  Executor& executor_;
  std::map<std::string, std::vector<SocketAddress>> known_;
  Duration delay_{};
};

}  // namespace millrace::client
