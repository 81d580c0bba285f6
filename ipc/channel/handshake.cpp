module;
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

module millrace.ipc.channel;

import millrace.base;
import :handshake;

namespace millrace::ipc {
namespace {

// Both ends are on one machine; a file of golden bytes is the same on all.
static_assert(std::endian::native == std::endian::little);

class Writer {
 public:
  explicit Writer(MutableBytes to) : rest_(to) {}
  template <std::unsigned_integral Integer>
  Writer& put(Integer value) {
    std::memcpy(rest_.data(), &value, sizeof value);
    rest_ = rest_.subspan(sizeof value);
    return *this;
  }

 private:
  MutableBytes rest_;
};

// Of bytes whose number was checked.
class Reader {
 public:
  explicit Reader(ByteView from) : rest_(from) {}
  template <std::unsigned_integral Integer>
  Integer take() {
    Integer value{};
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_ = rest_.subspan(sizeof value);
    return value;
  }

 private:
  ByteView rest_;
};

}  // namespace

std::array<std::byte, hello_bytes> encode(const Hello& hello) {
  std::array<std::byte, hello_bytes> bytes{};
  Writer(bytes)
      .put(handshake_magic)
      .put(hello.version_min)
      .put(hello.version_max)
      .put(hello.message_bytes_max);
  return bytes;
}

std::array<std::byte, answer_bytes> encode(const Answer& answer) {
  std::array<std::byte, answer_bytes> bytes{};
  Writer(bytes)
      .put(handshake_magic)
      .put(static_cast<std::uint32_t>(answer.status))
      .put(answer.version)
      .put(answer.generation)
      .put(answer.ring_bytes)
      .put(answer.message_bytes_max);
  return bytes;
}

std::optional<Hello> hello_from(ByteView bytes) {
  if (bytes.size() < hello_bytes) return {};
  Reader reader(bytes);
  if (reader.take<std::uint64_t>() != handshake_magic) return {};
  Hello hello;
  hello.version_min = reader.take<std::uint32_t>();
  hello.version_max = reader.take<std::uint32_t>();
  hello.message_bytes_max = reader.take<std::uint64_t>();
  return hello;
}

std::optional<Answer> answer_from(ByteView bytes) {
  if (bytes.size() < answer_bytes) return {};
  Reader reader(bytes);
  if (reader.take<std::uint64_t>() != handshake_magic) return {};
  Answer answer;
  answer.status = static_cast<HandshakeStatus>(reader.take<std::uint32_t>());
  answer.version = reader.take<std::uint32_t>();
  answer.generation = reader.take<std::uint64_t>();
  answer.ring_bytes = reader.take<std::uint64_t>();
  answer.message_bytes_max = reader.take<std::uint64_t>();
  return answer;
}

}  // namespace millrace::ipc
