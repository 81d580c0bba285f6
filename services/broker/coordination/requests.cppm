// Group requests of the connections of one shard.
module;
#include <coroutine>
#include <cstdint>

export module millrace.broker.coordination:requests;

import millrace.base;
import millrace.broker.connections;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.security;
import :gateway;

export namespace millrace::broker {

// One for each shard; used there. Takes requests to the home shard, where the gateway is, and
// brings answers back. Gateway and quotas outlive it, and so does the pool, which is that of the
// shard.
class GroupRequests {
 public:
  GroupRequests(Shard& here, ShardIndex home, GroupGateway& gateway, security::Quotas& quotas,
                BufferPool& pool)
      : here_(here), home_(home), gateway_(gateway), quotas_(quotas), pool_(pool) {}

  // For the APIs that GroupGateway names.
  [[nodiscard]] Task<Response> handle(Request request);
  // What the connection waits for ends.
  [[nodiscard]] Task<void> connection_closing(ConnectionId connection);

 private:
  Shard& here_;
  ShardIndex home_;
  GroupGateway& gateway_;
  security::Quotas& quotas_;
  BufferPool& pool_;
};

}  // namespace millrace::broker
