#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

import millrace.protocol.framing;

namespace millrace::protocol {
namespace {

constexpr std::size_t pool_bytes_max = 4 * mebibyte;

std::vector<std::byte> framed(std::size_t size, std::byte fill) {
  std::vector<std::byte> bytes(frame_length_bytes + size, fill);
  store_big_endian(bytes.data(), static_cast<std::int32_t>(size));
  return bytes;
}

// Feeds bytes as a socket would: at most `at_once` for each read, and never more than there is
// space for.
std::vector<Frame> feed(FrameSplitter& splitter, Bytes bytes, std::size_t at_once) {
  std::vector<Frame> frames;
  while (!bytes.empty()) {
    const MutableBytes space = splitter.receive_space();
    EXPECT_FALSE(space.empty());
    const std::size_t count = std::min({bytes.size(), at_once, space.size()});
    std::memcpy(space.data(), bytes.data(), count);
    splitter.received(count);
    bytes = bytes.subspan(count);
    for (;;) {
      auto frame = splitter.next();
      EXPECT_TRUE(frame.has_value());
      if (!frame || !frame->has_value()) break;
      frames.push_back(std::move(**frame));
    }
  }
  return frames;
}

TEST(FrameSplitter, gives_the_same_frames_however_the_stream_is_cut) {
  std::vector<std::byte> stream;
  const std::vector<std::size_t> sizes{0, 1, 3, 4096, 0, 70'000, 17, 4092, 4088, 65'536, 2};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const auto frame = framed(sizes[i], static_cast<std::byte>(i + 1));
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  for (const std::size_t at_once : {1u, 2u, 3u, 5u, 4095u, 4096u, 4097u, 100'000u}) {
    BufferPool pool(pool_bytes_max);
    FrameSplitter splitter(pool, socket_request_bytes_max_default);
    const auto frames = feed(splitter, stream, at_once);
    ASSERT_EQ(frames.size(), sizes.size()) << at_once;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const Bytes bytes = frames[i].bytes();
      ASSERT_EQ(bytes.size(), sizes[i]) << at_once;
      EXPECT_TRUE(std::all_of(bytes.begin(), bytes.end(),
                              [&](std::byte b) { return b == static_cast<std::byte>(i + 1); }))
          << "frame " << i << " read by " << at_once;
    }
  }
}

TEST(FrameSplitter, refuses_a_negative_length) {
  BufferPool pool(pool_bytes_max);
  FrameSplitter splitter(pool, 1000);
  store_big_endian(splitter.receive_space().data(), std::int32_t{-1});
  splitter.received(frame_length_bytes);
  const auto frame = splitter.next();
  ASSERT_FALSE(frame.has_value());
  EXPECT_EQ(frame.error().fault, FrameFault::negative_length);
  EXPECT_EQ(to_string(frame.error()), "a frame claims the length -1");
}

TEST(FrameSplitter, refuses_a_frame_above_the_limit_as_soon_as_its_length_is_there) {
  BufferPool pool(pool_bytes_max);
  FrameSplitter splitter(pool, 1000);
  store_big_endian(splitter.receive_space().data(), std::int32_t{1001});
  splitter.received(frame_length_bytes);
  const auto frame = splitter.next();
  ASSERT_FALSE(frame.has_value());
  EXPECT_EQ(to_string(frame.error()), "a frame claims 1001 bytes, 1000 are allowed");
}

TEST(FrameSplitter, takes_larger_frames_once_the_limit_is_raised) {
  BufferPool pool(pool_bytes_max);
  FrameSplitter splitter(pool, 10);
  splitter.set_frame_bytes_max(1000);
  EXPECT_EQ(feed(splitter, framed(1000, std::byte{1}), 4096).size(), 1u);
}

TEST(FrameSplitter, a_claimed_length_takes_no_memory_before_its_bytes_come) {
  BufferPool pool(pool_bytes_max);
  FrameSplitter splitter(pool, socket_request_bytes_max_default);
  std::vector<std::byte> start(frame_length_bytes + 10);
  store_big_endian(start.data(), std::int32_t{100 << 20});
  EXPECT_TRUE(feed(splitter, start, 4096).empty());
  EXPECT_TRUE(splitter.frame_started());
  EXPECT_LE(splitter.held_bytes(), receive_buffer_bytes_max);
}

TEST(FrameSplitter, memory_of_a_growing_frame_stays_within_twice_what_has_come) {
  BufferPool pool(pool_bytes_max);
  FrameSplitter splitter(pool, socket_request_bytes_max_default);
  const auto stream = framed(3'000'000, std::byte{1});
  std::size_t fed = 0;
  while (fed + 10'000 < stream.size()) {
    EXPECT_TRUE(feed(splitter, Bytes(stream).subspan(fed, 10'000), 10'000).empty());
    fed += 10'000;
    // The pool rounds sizes up to its classes, by less than a factor of two.
    ASSERT_LE(splitter.held_bytes(), std::max(receive_buffer_bytes_max, 4 * fed));
  }
}

TEST(FrameSplitter, a_peer_that_has_sent_large_frames_gets_room_for_the_next_at_once) {
  BufferPool pool(pool_bytes_max);
  FrameSplitter splitter(pool, socket_request_bytes_max_default);
  const auto stream = framed(1'000'000, std::byte{1});
  ASSERT_EQ(feed(splitter, stream, 50'000).size(), 1u);
  EXPECT_TRUE(feed(splitter, Bytes(stream).first(200'000), 50'000).empty());
  EXPECT_EQ(splitter.held_bytes(), stream.size());
  EXPECT_EQ(splitter.started().size(), 200'000u);
}

TEST(FrameSplitter, what_is_given_ahead_is_bounded_by_what_the_pool_keeps) {
  BufferPool pool(pool_bytes_max);
  FrameSplitter splitter(pool, socket_request_bytes_max_default);
  const auto stream = framed(5'000'000, std::byte{1});
  ASSERT_EQ(feed(splitter, stream, 50'000).size(), 1u);
  EXPECT_TRUE(feed(splitter, Bytes(stream).first(200'000), 50'000).empty());
  EXPECT_LE(splitter.held_bytes(), pooled_buffer_bytes_max);
}

TEST(FrameSplitter, an_idle_connection_holds_no_buffer) {
  BufferPool pool(pool_bytes_max);
  FrameSplitter splitter(pool, 1000);
  EXPECT_EQ(splitter.held_bytes(), 0u);
  const auto frames = feed(splitter, framed(10, std::byte{1}), 4096);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(splitter.held_bytes(), 0u);
  EXPECT_FALSE(splitter.frame_started());
}

TEST(FrameSplitter, a_frame_keeps_its_bytes_while_later_ones_arrive) {
  BufferPool pool(pool_bytes_max);
  FrameSplitter splitter(pool, 100'000);
  auto held = feed(splitter, framed(50, std::byte{7}), 4096);
  ASSERT_EQ(held.size(), 1u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(feed(splitter, framed(2000, std::byte{9}), 333).size(), 1u);
  }
  const Bytes bytes = held[0].bytes();
  EXPECT_TRUE(
      std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{7}; }));
}

}  // namespace
}  // namespace millrace::protocol
