// What is said on the socket before the rings are there: docs/formats/channel-handshake.md.
module;
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

export module millrace.ipc.channel:handshake;

import millrace.base;

export namespace millrace::ipc {

// "MILLCHAN" as it is sent.
inline constexpr std::uint64_t handshake_magic = 0x4e41'4843'4c4c'494d;
inline constexpr std::uint32_t channel_version = 1;
inline constexpr std::size_t hello_bytes = 32;
inline constexpr std::size_t answer_bytes = 48;
// Memory of the listening side and of the connecting one, bell of the listening side and of the
// connecting one.
inline constexpr std::size_t answer_descriptors = 4;

// From who connects.
struct Hello {
  std::uint32_t version_min = channel_version;
  std::uint32_t version_max = channel_version;
  std::uint64_t message_bytes_max = 0;

  friend bool operator==(const Hello&, const Hello&) = default;
};

enum class HandshakeStatus : std::uint32_t {
  ok = 0,
  unknown_version = 1,
  other_user = 2,
  not_understood = 3,
};

// From who listens. With a status other than ok nothing else is said and no descriptor is sent.
struct Answer {
  HandshakeStatus status = HandshakeStatus::ok;
  std::uint32_t version = channel_version;
  std::uint64_t generation = 0;
  std::uint64_t ring_bytes = 0;
  std::uint64_t message_bytes_max = 0;

  friend bool operator==(const Answer&, const Answer&) = default;
};

[[nodiscard]] std::array<std::byte, hello_bytes> encode(const Hello& hello);
[[nodiscard]] std::array<std::byte, answer_bytes> encode(const Answer& answer);
// Nothing if the bytes are none. Later versions may be longer: what follows is not read.
[[nodiscard]] std::optional<Hello> hello_from(ByteView bytes);
[[nodiscard]] std::optional<Answer> answer_from(ByteView bytes);

}  // namespace millrace::ipc
