// Any bytes as the bodies of requests that the dispatcher answers itself or passes on to a
// controller, whose answer is any bytes too: each ends in an answer to it or closes its connection,
// and buffers are given back.
//
// An input is a row of requests: the place of the API among those served, the version, the length
// of the body in two bytes, the body.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "fuzz_input.hpp"

// This one imports modules: it comes after all that includes standard headers.
#include "../../services/broker/requests/test_support.hpp"

namespace millrace::broker {
namespace {

constexpr int requests_max = 16;

std::shared_ptr<const metadata::Image> made_cluster() {
  Cluster cluster;
  cluster.broker(1).broker(2, false, "rack").broker(3, true);
  cluster.topic("orders", uuid_of(1), 2).topic("bills", uuid_of(2), 3, 2);
  cluster.topic("__consumer_offsets", uuid_of(3), 4, 1, true);
  cluster.config(metadata::ConfigKind::topic, "orders", "retention.ms", "1000");
  cluster.config(metadata::ConfigKind::broker, "1", "log.retention.ms", "2000");
  return cluster.image();
}

void check_answer(const Response& response) {
  if (response.kind() != Response::Kind::frame) return;
  const OwnedBytes bytes = bytes_of(response.frame());
  check(bytes.size() >= 8, "an answer has a length and a number");
  check(load_big_endian<std::uint32_t>(bytes.data()) == bytes.size() - 4, "an answer is whole");
  check(load_big_endian<std::int32_t>(bytes.data() + 4) == 77, "an answer is to its request");
}

void serve(fuzz::Input input) {
  static const auto image = made_cluster();
  Bench bench({{"auto.create.topics.enable", input.byte() % 2 == 0 ? "true" : "false", 0}});
  bench.set(image);
  const auto rules = api_rules();
  for (int i = 0; i < requests_max && input.more(); ++i) {
    const ApiRule& rule = rules[input.byte() % rules.size()];
    const int versions = rule.version_max - rule.version_min + 1;
    const auto version = static_cast<std::int16_t>(rule.version_min + input.byte() % versions);
    const ByteView body = input.bytes(input.number());
    if (rule.route == Route::controller) {
      // What is left may be what the controller says.
      fuzz::Input rest = input;
      const ByteView reply = rest.bytes(rest.number());
      bench.controller.answer = [reply](const rpc::Forward&) {
        return Result<OwnedBytes, ErrorCode>(OwnedBytes(reply.begin(), reply.end()));
      };
    }
    check_answer(bench.serve(bench.request(rule.key, version, body)));
  }
  check(bench.executor.run(bench.dispatcher.stop()).has_value(), "what was begun ends");
  check(bench.pool.counters().lent_bytes == 0, "buffers are given back");
}

}  // namespace
}  // namespace millrace::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  millrace::broker::serve({data, size});
  return 0;
}
