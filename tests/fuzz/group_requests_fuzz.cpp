// Any bytes as the bodies of requests about groups, by a gateway, a coordinator and a log in one
// simulation: each ends in an answer or closes its connection, none ends the session of broker and
// coordinator, and what was written can be loaded again.
//
// An input is a row of requests: the place of the API in the list here, the version, the length of
// the body in two bytes, the body.
#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fuzz_input.hpp"

// This one imports modules: it comes after all that includes standard headers.
#include "../../services/broker/coordination/cluster_support.hpp"

namespace millrace::broker {
namespace {

constexpr int requests_max = 12;
constexpr auto apis = std::to_array<ApiKey>(
    {ApiKey::join_group, ApiKey::sync_group, ApiKey::heartbeat, ApiKey::leave_group,
     ApiKey::offset_commit, ApiKey::offset_fetch, ApiKey::offset_delete, ApiKey::describe_groups,
     ApiKey::list_groups, ApiKey::delete_groups});

const AskingConnection asking{0, ConnectionId(1)};

Task<void> ask(Cluster& cluster, ApiKey key, std::int16_t version, std::vector<std::byte> body,
               int& ended) {
  const GroupAnswer answer = co_await cluster.gateway.ask({.api = key,
                                                           .version = version,
                                                           .session = &cluster.session,
                                                           .client_id = "fuzz",
                                                           .client_host = "/127.0.0.1",
                                                           .body = body,
                                                           .connection = asking});
  check(answer.close || !answer.body.empty(), "an answer has a body");
  ++ended;
}

bool says(const Cluster& cluster, std::string_view part) {
  return std::ranges::any_of(cluster.sink->lines(), [part](const auto& line) {
    return line.message.find(part) != std::string::npos;
  });
}

void serve(fuzz::Input input) {
  Cluster cluster;
  cluster.start_coordinator();
  cluster.settle();
  int begun = 0;
  int ended = 0;
  while (begun < requests_max && input.more()) {
    const ApiKey key = apis[input.byte() % apis.size()];
    const auto& info = protocol::api_info(key);
    const int versions = info.version_max - info.version_min + 1;
    const auto version = static_cast<std::int16_t>(info.version_min + input.byte() % versions);
    const ByteView body = input.bytes(input.number());
    ++begun;
    cluster.clients.start(
        ask(cluster, key, version, std::vector<std::byte>(body.begin(), body.end()), ended));
    cluster.pass(std::chrono::milliseconds{begun % 4 == 0 ? 300 : 10});
  }
  check(!says(cluster, "the session has ended"), "no client ends the coordinator's session");
  // Who waits for other members may wait for days.
  cluster.gateway.connection_closing(asking);
  cluster.pass(std::chrono::seconds{1});
  check(ended == begun, "every request ends");
  cluster.start_coordinator();
  cluster.settle();
  check(!says(cluster, "cannot be loaded"), "what was written can be loaded");
}

}  // namespace
}  // namespace millrace::broker

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  millrace::broker::serve({data, size});
  return 0;
}
