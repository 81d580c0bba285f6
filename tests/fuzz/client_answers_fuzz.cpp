// What a broker answers to a client: whatever it is, every call ends, nothing that is known of the
// cluster contradicts itself, leader epochs do not go back, and closing ends all.
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fuzz_input.hpp"
#include "scripted_broker.hpp"

import millrace.client.core;
import millrace.protocol;

namespace {

using namespace millrace;
using namespace millrace::client;
using namespace std::chrono_literals;
using protocol::ApiKey;

enum class Kind : std::uint8_t { body, raw, close, silence };

// A right header, and any bytes behind it.
RawBytes with_header(const Heard& heard, const RawBytes& body) {
  const protocol::ApiInfo& api = protocol::api_info(heard.api);
  const bool has_tags = protocol::response_header_version(api, heard.version) > 0;
  RawBytes frame(has_tags ? 9 : 8);
  store_big_endian(frame.data() + 4, heard.correlation_id.value());
  frame.insert(frame.end(), body.begin(), body.end());
  store_big_endian(frame.data(), static_cast<std::int32_t>(frame.size() - 4));
  return frame;
}

RawBytes take(fuzz::Input& input) {
  RawBytes bytes(input.number() % 2048);
  for (std::byte& byte : bytes) {
    if (!input.more()) break;
    byte = std::byte{input.byte()};
  }
  return bytes;
}

Reaction react(const Heard& heard, fuzz::Input& input, bool handshake_too) {
  if (heard.api == ApiKey::api_versions && !handshake_too) return say_versions(heard);
  if (!input.more()) return {.bytes = {}, .after = {}, .closes = true};
  const std::uint8_t choice = input.byte();
  Reaction reaction;
  reaction.after = std::chrono::milliseconds{choice >> 4};
  switch (static_cast<Kind>(choice & 3)) {
    case Kind::body:
      reaction.bytes = with_header(heard, take(input));
      break;
    case Kind::raw:
      reaction.bytes = take(input);
      break;
    case Kind::close:
      reaction.closes = true;
      break;
    case Kind::silence:
      break;
  }
  return reaction;
}

void check_view(const ClusterView& view) {
  check(std::ranges::is_sorted(view.brokers(), std::less<>(), &BrokerView::id),
        "brokers are in order");
  for (const BrokerView& broker : view.brokers()) {
    check(broker.id >= BrokerId(0) && broker.address.port > Port(0), "a broker can be reached");
    check(view.find(broker.id) == &broker, "each broker is there once");
  }
  for (const auto& [name, topic] : view.topics()) {
    check(name == topic->name && !name.empty(), "a topic has its name");
    for (const PartitionView& partition : topic->partitions) {
      check(topic->find(partition.index) == &partition, "each partition is there once");
      check(partition.leader >= no_broker, "a leader is a broker or none");
    }
  }
}

void check_epochs(const ClusterView& before, const ClusterView& now) {
  for (const auto& [name, topic] : before.topics()) {
    const TopicView* later = now.find(name);
    if (later == nullptr) continue;
    const bool is_same = later->id.is_zero() || topic->id.is_zero() || later->id == topic->id;
    for (const PartitionView& partition : topic->partitions) {
      const PartitionView* newer = is_same ? later->find(partition.index) : nullptr;
      check(newer == nullptr || newer->leader_epoch == no_leader_epoch ||
                newer->leader_epoch >= partition.leader_epoch,
            "leader epochs do not go back");
    }
  }
}

struct Client {
  Client(BrokersMachine& m)
      : machine(m),
        metadata(m.executor, *m.brokers, m.settings, {}, Logger(m.log, "fuzz"), Random(5)) {
    metadata.on_change([this](const std::shared_ptr<const ClusterView>& view) {
      check_view(*view);
      if (last != nullptr) check_epochs(*last, *view);
      last = view;
    });
  }

  Task<void> ask_for_topic() {
    const MonotonicTime until = machine.now() + 3s;
    metadata.want_all(true);
    static_cast<void>(co_await metadata.topic("t", until));
    static_cast<void>(co_await metadata.leader({"t", PartitionIndex(0)}, until));
    metadata.apply_leader_hint("t", PartitionIndex(0), BrokerId(1), LeaderEpoch(7),
                               BrokerEndpoint{BrokerId(1), {"127.0.0.1", Port(9092)}});
    static_cast<void>(co_await metadata.refresh(machine.now() + 1s));
    ++ended;
  }
  template <class Request>
  Task<void> call() {
    const Request request;
    for (int i = 0; i < 3; ++i) {
      static_cast<void>(
          co_await machine.brokers->call_any(request, {.deadline = machine.now() + 2s}));
    }
    ++ended;
  }

  BrokersMachine& machine;
  Metadata metadata;
  std::shared_ptr<const ClusterView> last;
  int ended = 0;
};

void converse(fuzz::Input& input) {
  const std::uint8_t seed = input.byte();
  const std::uint8_t choices = input.byte();
  BrokersMachine machine(seed);
  machine.settings.request_timeout = 1s;
  machine.settings.answer_bytes_max = 1 * mebibyte;
  machine.start_broker();
  machine.broker->react = [&](const Heard& heard) {
    return react(heard, input, (choices & 1) != 0);
  };
  machine.start();
  {
    Client client(machine);
    TaskGroup group;
    int begun = 1;
    group.start(client.ask_for_topic());
    if ((choices & 2) != 0) group.start(client.call<protocol::FetchRequest>()), ++begun;
    if ((choices & 4) != 0) group.start(client.call<protocol::JoinGroupRequest>()), ++begun;
    if ((choices & 8) != 0) group.start(client.call<protocol::ProduceRequest>()), ++begun;
    if ((choices & 16) != 0) machine.executor.advance(std::chrono::milliseconds{seed});
    if ((choices & 16) == 0) machine.executor.advance(30s);
    machine.run(machine.brokers->close());
    machine.run(client.metadata.close());
    machine.executor.run_until_idle();
    check(client.ended == begun, "every call ends");
    machine.run(machine.broker->close());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  converse(input);
  return 0;
}
