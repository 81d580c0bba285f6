// What a stranger sends to the port for metrics: he is answered in HTTP or cut off, and Prometheus
// is served beside him. The first two bytes choose the network and how the rest is cut.
#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "fuzz_input.hpp"

import millrace.base;
import millrace.runtime;
import millrace.runtime.process;
import millrace.runtime.streams;
import millrace.telemetry;

namespace {

using namespace millrace;

constexpr std::string_view scrape = "GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";

Task<std::string> ask(SimulatedNetwork& network, SocketAddress address, ByteView bytes,
                      std::size_t piece_bytes, bool ends) {
  auto connected = co_await network.connect(address);
  check(connected.has_value(), "the port is open");
  ByteStream& stream = **connected;
  while (!bytes.empty()) {
    const ByteView piece = bytes.first(std::min(piece_bytes, bytes.size()));
    bytes = bytes.subspan(piece.size());
    if (!co_await stream.write(std::span(&piece, 1))) break;
  }
  if (ends) stream.shutdown_writes();
  std::string answer;
  std::array<std::byte, 1000> buffer{};
  for (;;) {
    const auto count = co_await stream.read(buffer);
    if (!count || *count == 0) break;
    answer += as_text(ByteView(buffer).first(*count));
  }
  stream.close();
  co_return answer;
}

Task<void> strangers(SimulatedNetwork& network, MetricsServer& server, SocketAddress address,
                     ByteView bytes, std::size_t piece_bytes, bool ends) {
  const std::string answer = co_await ask(network, address, bytes, piece_bytes, ends);
  check(answer.empty() || answer.starts_with("HTTP/1.1 "), "an answer is one of HTTP");
  const std::string served = co_await ask(network, address, as_bytes(scrape), scrape.size(), false);
  check(served.starts_with("HTTP/1.1 200 ") && served.ends_with("\n"), "others are served");
  co_await server.stop();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint64_t seed = input.byte();
  const std::uint8_t cut = input.byte();
  SimulatedExecutor executor(seed);
  SimulatedNetwork network(executor, {.seed = seed});
  telemetry::Registry registry(1);
  MetricsServer server(executor, network, registry, telemetry::ShardIndex(0),
                       Logger(std::make_shared<MemoryLogSink>(), "fuzz"));
  const SocketAddress address = address_from_string("127.0.0.1", Port(9644)).value();
  check(server.start(address).has_value(), "a port that nobody has can be had");
  const bool ends = cut % 2 == 0;
  const std::size_t piece_bytes = std::size_t{1} << (cut / 2 % 12);
  const auto ended =
      executor.run(strangers(network, server, address, input.bytes(size), piece_bytes, ends));
  check(ended.has_value(), "whoever asks has an end");
  return 0;
}
