// A cluster from inside: its brokers' listeners and connections. Inside this module only.
module;
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

module millrace.mock:insides;

import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.streams;
import :asked;
import :cluster;
import :faults;
import :group_desk;
import :handlers;
import :options;
import :state;
import :transaction_desk;
import :waiting;

namespace millrace::mock {

// What the answers to one request may take; a test that passes it asks for more than tests do.
inline constexpr std::size_t arena_bytes_max = 1024 * mebibyte;

// One client's connection, in the frame of the coroutine that serves it.
struct Connection {
  Connection(Executor& executor, std::unique_ptr<ByteStream> s, BrokerId b, std::uint64_t n)
      : stream(std::move(s)), waiting(executor), broker(b), number(n) {}

  // Whoever waits for it goes on, and finds it closed.
  void end() {
    waiting.end();
    stream->close();
  }

  std::unique_ptr<ByteStream> stream;
  Waiting waiting;
  BrokerId broker;
  std::uint64_t number;
  protocol::Arena arena{arena_bytes_max};
};

struct Cluster::Insides {
  Insides(Executor& e, Network& n, const Options& options);

  // Takes no connections yet.
  [[nodiscard]] Result<std::unique_ptr<Listener>> listen(Broker& broker);
  void start(Broker& broker, std::unique_ptr<Listener> listener);
  void stop(BrokerId broker);
  // Who waits for something looks again.
  void wake();

  // --- serving.cpp ---
  [[nodiscard]] Task<void> accept(std::unique_ptr<Listener> listener, BrokerId broker);
  [[nodiscard]] Task<void> serve(std::unique_ptr<ByteStream> stream, BrokerId broker);
  // False: the connection is to end.
  [[nodiscard]] Task<bool> handle(Connection& connection, protocol::Bytes frame);
  [[nodiscard]] Task<bool> hold(Connection& connection, Duration by);
  [[nodiscard]] Task<bool> send(Connection& connection, std::vector<std::byte> frame,
                                FaultKind fault);
  [[nodiscard]] Task<Answer> dispatch(Asked& asked);
  [[nodiscard]] bool offers(const protocol::ReceivedRequest& request) const;
  void note(const Connection& connection, const protocol::ReceivedRequest& request);

  [[nodiscard]] Result<Partition*> find(std::string_view topic, PartitionIndex partition) const;

  Executor& executor;
  Network& network;
  State state;
  GroupDesk groups;
  TransactionDesk transactions;
  Faults faults;
  std::vector<Spoken> offered;
  BufferPool pool;
  std::deque<LoggedRequest> requests;
  std::size_t logged_bytes = 0;
  std::set<Connection*> connections;
  std::map<BrokerId, Listener*> listeners;
  std::uint64_t connections_made = 0;
  TaskGroup tasks;
};

}  // namespace millrace::mock
