// Ids for idempotent producers.
module;
#include <coroutine>
#include <cstdint>

export module millrace.broker.requests:producer_ids;

import millrace.base;
import millrace.broker.requests.ports;
import millrace.metadata;
import millrace.protocol.api;
import millrace.runtime;
import :surroundings;

export namespace millrace::broker {

// Hands out ids of blocks that the controllers gave this broker, each once in the life of the
// cluster. One a shard, each with blocks of its own; what is left at the end is never used.
class ProducerIds {
 public:
  explicit ProducerIds(ControllerPort& controller) : controller_(controller) {}

  // Waits for the controllers where the block is used up; one asks them, the others wait for it.
  [[nodiscard]] Task<Result<ProducerId, ErrorCode>> next();

 private:
  ControllerPort& controller_;
  AsyncMutex mutex_;
  ProducerId next_;
  ProducerId end_;  // the first that is not ours
};

// Answers InitProducerId. Without transactions: a transactional id is refused with an error that
// clients take as final.
[[nodiscard]] Task<Response> init_producer_id(Request request, ProducerIds& ids,
                                              const HandlerSurroundings& around);

}  // namespace millrace::broker
