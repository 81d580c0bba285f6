// By which id brokers that collect metrics of clients know this one (KIP-714).
module;
#include <coroutine>
#include <optional>

export module millrace.client.core:instance_id;

import millrace.base;
import millrace.protocol.telemetry;
import millrace.runtime;
import :backoff;
import :brokers;
import :error;
import :wait_list;

export namespace millrace::client {

// What an answer says of it.
[[nodiscard]] ClientResult<Uuid> instance_id_in(
    const protocol::GetTelemetrySubscriptionsResponse& answer, BrokerId broker);

// Asks for the id until a broker gives it, and then knows it. Lives on the thread of its executor;
// ends after stop(), the end of the brokers and who asks. What it is given outlives it.
class InstanceId {
 public:
  InstanceId(Executor& executor, Brokers& brokers, BackoffRange pauses, Random random)
      : executor_(executor),
        brokers_(brokers),
        range_(pauses),
        random_(random),
        pauses_(executor) {}

  [[nodiscard]] Task<ClientResult<Uuid>> get(MonotonicTime deadline);
  // Nobody waits before another try any more.
  void stop();

 private:
  [[nodiscard]] Task<ClientResult<Uuid>> ask(MonotonicTime deadline);

  Executor& executor_;
  Brokers& brokers_;
  const BackoffRange range_;
  Random random_;
  WaitList pauses_;
  bool is_stopped_ = false;
  std::optional<Uuid> known_;
};

}  // namespace millrace::client
