// Fetch requests: from the request of a client to the answer.
module;
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

export module millrace.broker.fetching:requests;

import millrace.base;
import millrace.broker.connections;
import millrace.broker.partitions;
import millrace.protocol.api;
import millrace.protocol.fetch;
import millrace.protocol.wire;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.security;
import :answer;
import :fetch;
import :part;
import :session;
import :session_cache;

export namespace millrace::broker {

// What fetching stands on; outlives it.
struct FetchContext {
  Shard& here;
  const FetchGrounds& grounds;
  BufferPool& buffers;
  security::Authorizer& authorizer;
  security::Quotas& quotas;
  // fetch.max.bytes, max.incremental.fetch.session.cache.slots
  std::uint64_t bytes_max = 0;
  std::size_t sessions_max = 0;
  std::uint64_t seed = 0;  // of session ids
};

// Answers the fetch requests of the connections of one shard, whose partitions live on any shard.
// Records travel as parts of files or of memory: what they rest on is held by the response. A
// request waits as long as it says for as many bytes as it says; changes of its partitions wake it,
// and only what has changed is read again. stop() comes before the end, and all responses are gone
// by then.
class FetchRequests {
 public:
  explicit FetchRequests(const FetchContext& context);
  FetchRequests(const FetchRequests&) = delete;
  FetchRequests& operator=(const FetchRequests&) = delete;
  ~FetchRequests();

  [[nodiscard]] Task<Response> fetch(Request request);

  // Nobody is there any more to be answered: its requests do not wait any longer.
  void connection_closing(ConnectionId connection);
  // Requests that wait are answered with what there is, and later ones do not wait.
  void stop_waiting();
  // After the last response is gone.
  [[nodiscard]] Task<void> stop();
  [[nodiscard]] SessionCacheFigures sessions() const { return sessions_.figures(); }

 private:
  friend class Fetch;
  friend class FetchHold;

  FetchContext context_;
  FetchSessionCache sessions_;
  // Of the request that is being decoded: what is needed for longer is copied out of it.
  protocol::Arena arena_;
  FetchAnswer answer_;  // the one that is being made
  Fetch* first_ = nullptr;
  bool stopped_ = false;
  TaskGroup releases_;  // of what lies on other shards
};

}  // namespace millrace::broker
