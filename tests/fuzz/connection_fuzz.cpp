// What a stranger sends to a broker: whatever it is and however it is cut, the requests in it begin
// in their order and no others, the connection ends, and all that was taken is given back.
#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

import millrace.base;
import millrace.broker.connections;
import millrace.protocol.framing;
import millrace.protocol.groups;
import millrace.runtime;
import millrace.runtime.shard;
import millrace.runtime.streams;
import millrace.telemetry;

namespace {

using namespace millrace;
using namespace millrace::broker;

constexpr std::size_t frame_bytes_max = 1 << 16;
constexpr ShardIndex home{0};

class Handler final : public RequestHandler {
 public:
  Handler(Executor& executor, BufferPool& pool, std::uint64_t seed)
      : executor_(executor), pool_(pool), random_(seed) {}

  Task<Response> handle(Request request) override {
    begun.push_back(request.context.correlation_id);
    RequestContext context;
    context.version = 1;
    context.correlation_id = request.context.correlation_id;
    if (random_.chance(0.5)) {
      const auto wait = std::chrono::microseconds(random_.below(3000));
      co_await sleep_until(executor_, executor_.clock().now() + wait);
    }
    if (random_.chance(0.2)) co_return Response::none();
    co_return respond(context, pool_, protocol::HeartbeatResponse{});
  }

  std::vector<CorrelationId> begun;

 private:
  Executor& executor_;
  BufferPool& pool_;
  Random random_;
};

// The requests of the stream, read in the plainest way.
std::vector<CorrelationId> requests_of(ByteView stream) {
  std::vector<CorrelationId> requests;
  while (stream.size() >= frame_length_bytes) {
    const auto length = load_big_endian<std::int32_t>(stream.data());
    if (length < 0 || static_cast<std::size_t>(length) > frame_bytes_max) break;
    const auto size = static_cast<std::size_t>(length);
    if (stream.size() - frame_length_bytes < size) break;
    const auto request = protocol::read_request_header(stream.subspan(frame_length_bytes, size));
    if (!request) break;
    requests.push_back(request->correlation_id);
    stream = stream.subspan(frame_length_bytes + size);
  }
  return requests;
}

Task<void> talk(SimulatedNetwork& network, SocketAddress address, ByteView bytes) {
  auto connected = co_await network.connect(address);
  check(connected.has_value(), "the broker listens");
  ByteStream& stream = **connected;
  TaskGroup reading;
  reading.start([](ByteStream& s) -> Task<void> {
    std::array<std::byte, 1000> buffer;
    while (true) {
      const auto count = co_await s.read(buffer);
      if (!count || *count == 0) co_return;
    }
  }(stream));
  const std::array<ByteView, 1> pieces = {bytes};
  const auto sent = co_await stream.write(pieces);
  if (sent) stream.shutdown_writes();
  co_await reading.wait();
}

void serve(ByteView bytes, std::uint64_t seed) {
  SimulatedExecutor executor(seed);
  SimulatedNetworkOptions network_options;
  network_options.seed = seed;
  SimulatedNetwork network(executor, network_options);
  telemetry::Registry registry(1);
  SimulatedShards shards(executor, registry, 1);
  Shard& shard = shards.at(home);
  const Logger log(std::make_shared<MemoryLogSink>(), "fuzz");
  BufferPool pool;
  const auto memory = RequestMemory::create(64 * mebibyte, frame_bytes_max, 1).value();
  const auto local =
      LocalRequestMemory::create(*memory, executor.clock(), shard.loop().mailbox(), registry, home)
          .value();
  Handler handler(executor, pool, seed);
  ConnectionOptions options;
  options.frame_bytes_max = frame_bytes_max;
  options.in_flight_max = 1 + seed % 8;
  const auto connections = ShardConnections::create({.executor = executor,
                                                     .network = network,
                                                     .pool = pool,
                                                     .memory = *local,
                                                     .handler = handler},
                                                    options, registry, home, log)
                               .value();
  ListenersPlan plan;
  plan.connections_max = plan.connections_per_address_max = 10;
  ListenerPlan listener;
  listener.name = "PLAINTEXT";
  listener.host = "127.0.0.1";
  listener.addresses = {address_from_string("127.0.0.1", Port(9092)).value()};
  listener.connections_max = 10;
  plan.listeners.push_back(listener);
  const auto listeners =
      Listeners::listen(shard, network, plan, {connections.get()}, registry, log).value();
  listeners->accept_all();
  check(executor.run(talk(network, listener.addresses[0], bytes)).has_value(), "a client ends");
  check(executor.run(listeners->stop()).has_value(), "a broker stops");
  check(handler.begun == requests_of(bytes), "what was asked begins, in order");
  for (const FrameClass each : {FrameClass::control, FrameClass::ordinary, FrameClass::large}) {
    check(local->of(each).used() == 0, "memory is given back");
  }
  check(pool.counters().lent_bytes == 0, "buffers are given back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  serve(ByteView(reinterpret_cast<const std::byte*>(data + 1), size - 1), data[0]);
  return 0;
}
