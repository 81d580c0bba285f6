// What a mock cluster answers to a client, damaged on its way by what a fuzzer gives. Sound answers
// that are a little wrong come further into a client than any bytes do.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "fuzz_input.hpp"

// The imports come after all that includes standard headers.
import millrace.base;
import millrace.protocol.api;
import millrace.protocol.framing;
import millrace.runtime;
import millrace.runtime.streams;

namespace millrace::fuzz {

using Bytes = std::vector<std::byte>;

// Where the fields of a record batch stand that tell whether its checksum is right.
inline constexpr std::size_t batch_length_at = 8;
inline constexpr std::size_t batch_prefix = 12;
inline constexpr std::size_t batch_magic_at = 16;
inline constexpr std::size_t batch_crc_at = 17;
inline constexpr std::size_t batch_covered_at = 21;
inline constexpr std::size_t batch_header = 61;

// Whether there is a batch with a right checksum in `bytes` that `before` does not have: no client
// can know that it is not the broker's.
inline bool has_forged_batch(const Bytes& bytes, const Bytes& before) {
  for (std::size_t at = 0; at + batch_header <= bytes.size(); ++at) {
    if (bytes[at + batch_magic_at] != std::byte{2}) continue;
    const auto length = load_big_endian<std::int32_t>(bytes.data() + at + batch_length_at);
    if (length < static_cast<std::int32_t>(batch_header - batch_prefix)) continue;
    const std::size_t end = at + batch_prefix + static_cast<std::size_t>(length);
    if (end > bytes.size()) continue;
    const ByteView covered(bytes.data() + at + batch_covered_at, end - at - batch_covered_at);
    const auto checksum = load_big_endian<std::uint32_t>(bytes.data() + at + batch_crc_at);
    if (crc32c(covered) == checksum && std::ranges::search(before, covered).empty()) return true;
  }
  return false;
}

// One piece of damage: a byte for its kind, then what it needs. None once the input is used up.
class Damage {
 public:
  explicit Damage(Input& input) : input_(input) {}

  enum class Outcome : std::uint8_t { sent, lost, closed };

  // The body of an answer, behind its correlation id.
  Outcome strike(protocol::ApiKey api, Bytes& body) {
    if (api == protocol::ApiKey::api_versions && !versions_too) return Outcome::sent;
    if (passing_ > 0) {
      --passing_;
      return Outcome::sent;
    }
    if (!input_.more()) return Outcome::sent;
    const Bytes before = body;
    const Outcome outcome = strike_with(input_.byte(), body);
    if (outcome == Outcome::sent && body != before) {
      has_changed = true;
      if (api == protocol::ApiKey::fetch) has_forged |= has_forged_batch(body, before);
    }
    return outcome;
  }

  bool versions_too = false;
  bool has_changed = false;  // some answer
  bool has_forged = false;   // records, with a right checksum

 private:
  Outcome strike_with(std::uint8_t choice, Bytes& body) {
    const std::size_t place = body.empty() ? 0 : input_.number() % body.size();
    switch (choice & 7) {
      case 0:
        passing_ = choice >> 4;
        break;
      case 1:  // other bytes
        overwrite(body, place, input_.bytes(1U + (choice >> 4)));
        break;
      case 2:
        body.resize(place);
        break;
      case 3: {
        const auto more = input_.bytes(1U + (choice >> 4));
        body.insert(body.begin() + static_cast<std::ptrdiff_t>(place), more.begin(), more.end());
        break;
      }
      case 4: {
        const auto other = input_.bytes(place);
        body.assign(other.begin(), other.end());
        break;
      }
      case 5:  // a number at the edge of what it may be
        overwrite(body, place, edge(choice >> 4));
        break;
      case 6:  // something is left out
        body.erase(body.begin() + static_cast<std::ptrdiff_t>(place),
                   body.begin() + static_cast<std::ptrdiff_t>(
                                      std::min(body.size(), place + 1U + (choice >> 4))));
        break;
      default:
        return (choice & 8) != 0 ? Outcome::closed : Outcome::lost;
    }
    return Outcome::sent;
  }
  static void overwrite(Bytes& body, std::size_t place, ByteView with) {
    for (const std::byte byte : with) {
      if (place == body.size()) return;
      body[place++] = byte;
    }
  }
  ByteView edge(unsigned which) {
    static constexpr std::array<std::int64_t, 8> values = {
        -1, 0, 1, 0x7fffffffffffffff, -0x7fffffffffffffff - 1, 0x7fffffff, 0x100000000, 1000};
    store_big_endian(edge_.data(), values[which & 7U]);
    // Of shorter numbers the end.
    const std::size_t size = which < 8 ? 8 : 4;
    return ByteView(edge_).last(size);
  }

  Input& input_;
  unsigned passing_ = 0;
  std::array<std::byte, 8> edge_{};
};

// A network on which connections to the named brokers lead through a relay that damages answers.
// close() is awaited before it ends.
class DamagingNetwork final : public Network {
 public:
  DamagingNetwork(Network& inner, Damage& damage) : inner_(inner), damage_(damage) {}

  using Network::connect;
  using Network::listen;
  void stand_before(const SocketAddress& broker) {
    SocketAddress front = broker;
    front.port = Port(0);
    auto listener = inner_.listen(front);
    check(listener.has_value(), "a relay can listen");
    fronts_.emplace(broker, *std::move(listener));
    tasks_.start(accept(*fronts_.at(broker), broker));
  }
  StreamResult<std::unique_ptr<Listener>> listen(const SocketAddress& address,
                                                 const ListenOptions& options) override {
    return inner_.listen(address, options);
  }
  Task<StreamResult<std::unique_ptr<ByteStream>>> connect(SocketAddress address,
                                                          SocketOptions options,
                                                          MonotonicTime deadline) override {
    const auto front = fronts_.find(address);
    if (front != fronts_.end()) address = front->second->address();
    co_return co_await inner_.connect(address, options, deadline);
  }
  StreamResult<std::unique_ptr<ByteStream>> adopt(
      std::unique_ptr<AcceptedStream> accepted) override {
    return inner_.adopt(std::move(accepted));
  }
  Task<void> close() {
    is_closing_ = true;
    for (const auto& [broker, front] : fronts_) front->close();
    for (const auto& relay : relays_) relay->close();
    co_await tasks_.wait();
  }

 private:
  struct Relay {
    std::unique_ptr<ByteStream> client;
    std::unique_ptr<ByteStream> broker;
    std::map<std::int32_t, protocol::ApiKey> asked;

    void close() const {
      client->close();
      broker->close();
    }
  };

  Task<void> accept(Listener& front, SocketAddress broker) {
    while (true) {
      auto accepted = co_await front.accept();
      if (!accepted) co_return;
      auto client = inner_.adopt(*std::move(accepted));
      if (!client || is_closing_) continue;
      tasks_.start(serve(*std::move(client), broker));
    }
  }
  Task<void> serve(std::unique_ptr<ByteStream> client, SocketAddress broker) {
    auto behind = co_await inner_.connect(broker);
    if (!behind || is_closing_) co_return;
    relays_.push_back(std::make_unique<Relay>());
    Relay& relay = *relays_.back();
    relay.client = std::move(client);
    relay.broker = *std::move(behind);
    TaskGroup both;
    both.start(pass_requests(relay));
    both.start(pass_answers(relay));
    co_await both.wait();
  }
  Task<void> pass_requests(Relay& relay) {
    protocol::FrameSplitter splitter(pool_, frame_bytes_max);
    while (auto frame = co_await next(*relay.client, splitter)) {
      const auto request = protocol::read_request_header(frame->bytes());
      check(request.has_value(), "clients send requests");
      relay.asked[request->correlation_id.value()] = request->api->key;
      const Bytes bytes(frame->bytes().begin(), frame->bytes().end());
      if (!co_await write(*relay.broker, bytes)) break;
    }
    relay.close();
  }
  Task<void> pass_answers(Relay& relay) {
    protocol::FrameSplitter splitter(pool_, frame_bytes_max);
    while (auto frame = co_await next(*relay.broker, splitter)) {
      Bytes bytes(frame->bytes().begin(), frame->bytes().end());
      check(bytes.size() >= sizeof(std::int32_t), "the mock answers");
      const auto asked = relay.asked.find(load_big_endian<std::int32_t>(bytes.data()));
      check(asked != relay.asked.end(), "the mock answers what it was asked");
      Bytes body(bytes.begin() + sizeof(std::int32_t), bytes.end());
      const auto outcome = damage_.strike(asked->second, body);
      relay.asked.erase(asked);
      if (outcome == Damage::Outcome::closed) break;
      if (outcome == Damage::Outcome::lost) continue;
      bytes.resize(sizeof(std::int32_t));
      bytes.insert(bytes.end(), body.begin(), body.end());
      if (!co_await write(*relay.client, bytes)) break;
    }
    relay.close();
  }
  static Task<std::optional<protocol::Frame>> next(ByteStream& from,
                                                   protocol::FrameSplitter& splitter) {
    while (true) {
      auto frame = splitter.next();
      if (!frame) co_return std::nullopt;
      if (*frame) co_return std::move(**frame);
      const auto count = co_await from.read(splitter.receive_space());
      if (!count || *count == 0) co_return std::nullopt;
      splitter.received(*count);
    }
  }
  static Task<bool> write(ByteStream& to, const Bytes& frame) {
    Bytes length(sizeof(std::int32_t));
    store_big_endian(length.data(), static_cast<std::int32_t>(frame.size()));
    const std::array<ByteView, 2> pieces = {length, frame};
    const auto written = co_await to.write(pieces);
    co_return written.has_value();
  }

  static constexpr std::size_t frame_bytes_max = 64 * mebibyte;

  Network& inner_;
  Damage& damage_;
  BufferPool pool_;
  std::map<SocketAddress, std::unique_ptr<Listener>> fronts_;
  std::vector<std::unique_ptr<Relay>> relays_;
  TaskGroup tasks_;
  bool is_closing_ = false;
};

}  // namespace millrace::fuzz
