#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

import millrace.ipc.channel;

namespace millrace::ipc {
namespace {

template <std::size_t size>
std::array<std::byte, size> bytes_of(const std::array<unsigned char, size>& golden) {
  std::array<std::byte, size> bytes{};
  std::memcpy(bytes.data(), golden.data(), size);
  return bytes;
}

constexpr std::array<unsigned char, hello_bytes> golden_hello = {
    'M', 'I', 'L',  'L', 'C', 'H', 'A', 'N',  //
    1,   0,   0,    0,   2,   0,   0,   0,    //
    0,   0,   0x40, 6,   0,   0,   0,   0,    //
    0,   0,   0,    0,   0,   0,   0,   0};

constexpr std::array<unsigned char, answer_bytes> golden_answer = {
    'M', 'I', 'L',  'L', 'C', 'H', 'A', 'N',  //
    0,   0,   0,    0,   1,   0,   0,   0,    //
    8,   7,   6,    5,   4,   3,   2,   1,    //
    0,   0,   4,    0,   0,   0,   0,   0,    //
    0,   0,   0x40, 6,   0,   0,   0,   0,    //
    0,   0,   0,    0,   0,   0,   0,   0};

constexpr Hello hello{.version_min = 1, .version_max = 2, .message_bytes_max = 0x640'0000};
constexpr Answer answer{.status = HandshakeStatus::ok,
                        .version = 1,
                        .generation = 0x0102'0304'0506'0708,
                        .ring_bytes = 0x4'0000,
                        .message_bytes_max = 0x640'0000};

TEST(Handshake, says_the_bytes_that_the_format_page_shows) {
  EXPECT_EQ(encode(hello), bytes_of(golden_hello));
  EXPECT_EQ(encode(answer), bytes_of(golden_answer));
  EXPECT_EQ(hello_from(bytes_of(golden_hello)), hello);
  EXPECT_EQ(answer_from(bytes_of(golden_answer)), answer);
}

TEST(Handshake, understands_neither_less_nor_anything_else) {
  auto bytes = bytes_of(golden_hello);
  EXPECT_FALSE(hello_from(ByteView(bytes).first(hello_bytes - 1)));
  EXPECT_FALSE(hello_from({}));
  bytes[3] = std::byte{'X'};
  EXPECT_FALSE(hello_from(bytes));
  auto more = bytes_of(golden_answer);
  EXPECT_FALSE(answer_from(ByteView(more).first(answer_bytes - 1)));
  more[0] = std::byte{0};
  EXPECT_FALSE(answer_from(more));
}

TEST(Handshake, reads_a_longer_message_of_a_later_version) {
  std::array<std::byte, answer_bytes + 8> longer{};
  std::ranges::copy(bytes_of(golden_answer), longer.begin());
  longer.back() = std::byte{9};
  EXPECT_EQ(answer_from(longer), answer);
}

}  // namespace
}  // namespace millrace::ipc
