#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <vector>

import millrace.ipc.ring;

namespace millrace::ipc {
namespace {

// Two memories in one process, and the four ends on them.
class Pair {
 public:
  explicit Pair(std::uint64_t capacity) : capacity_(capacity) {
    for (std::size_t i = 0; i < 2; ++i) {
      memories_[i] =
          SharedMemory::make("test", region_bytes(capacity), MemoryAccess::read_write, true)
              .value()
              .memory;
      regions[i] = &make_region(memories_[i].writable_bytes(), capacity, 1);
    }
  }
  [[nodiscard]] RingMemories of(std::size_t end) const {
    return {.own = regions[end], .peer = regions[1 - end], .capacity = capacity_};
  }

  std::array<Region*, 2> regions{};

 private:
  std::uint64_t capacity_;
  std::array<SharedMemory, 2> memories_;
};

std::vector<std::byte> numbered(std::size_t count, std::uint64_t from = 0) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) {
    bytes[i] = static_cast<std::byte>(((from + i) * 167 + ((from + i) >> 8)) & 0xff);
  }
  return bytes;
}

class RingTest : public testing::Test {
 protected:
  Pair pair{64};
  RingWriter writer{pair.of(0)};
  RingReader reader{pair.of(1)};
  std::array<std::byte, 256> buffer{};
};

TEST_F(RingTest, takes_no_more_than_it_holds) {
  const auto bytes = numbered(100);
  EXPECT_EQ(writer.write(bytes).value(), 64);
  EXPECT_EQ(writer.write(bytes).value(), 0);
}

TEST_F(RingTest, shows_nothing_before_it_is_published) {
  EXPECT_EQ(writer.write(numbered(10)).value(), 10);
  EXPECT_EQ(reader.read(buffer).value(), 0);
  static_cast<void>(writer.publish());
  EXPECT_EQ(reader.read(buffer).value(), 10);
}

TEST_F(RingTest, gives_room_back_when_the_reader_releases_it) {
  EXPECT_EQ(writer.write(numbered(64)).value(), 64);
  static_cast<void>(writer.publish());
  EXPECT_EQ(reader.read(MutableBytes(buffer).first(5)).value(), 5);
  EXPECT_EQ(writer.write(numbered(10)).value(), 0);
  static_cast<void>(reader.release());
  EXPECT_EQ(writer.write(numbered(10)).value(), 5);
}

TEST(Ring, keeps_every_byte_in_order_whatever_the_sizes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    const std::uint64_t capacity = std::uint64_t{64} << (seed % 4);
    const Pair pair(capacity);
    RingWriter writer(pair.of(0));
    RingReader reader(pair.of(1));
    std::uint64_t written = 0;
    std::uint64_t read = 0;
    std::vector<std::byte> buffer(300);
    for (int step = 0; step < 5000; ++step) {
      if (random() % 2 == 0) {
        written += writer.write(numbered(random() % 300, written)).value();
        static_cast<void>(writer.publish());
      } else {
        const std::size_t got = reader.read(MutableBytes(buffer).first(1 + random() % 299)).value();
        const auto expected = numbered(got, read);
        ASSERT_TRUE(std::equal(expected.begin(), expected.end(), buffer.begin()))
            << "seed " << seed << ", from byte " << read;
        read += got;
        static_cast<void>(reader.release());
      }
      ASSERT_LE(written - read, capacity);
    }
    EXPECT_GT(read, 20 * capacity) << "it went around";
  }
}

TEST_F(RingTest, wakes_a_reader_once_for_each_time_that_it_parks) {
  EXPECT_FALSE(writer.publish()) << "nobody sleeps";
  ASSERT_TRUE(reader.park().value());
  EXPECT_EQ(writer.write(numbered(1)).value(), 1);
  EXPECT_TRUE(writer.publish());
  EXPECT_FALSE(writer.publish()) << "it has been woken and did not run yet";
  reader.unpark();
  EXPECT_EQ(reader.read(buffer).value(), 1);
  EXPECT_FALSE(writer.publish()) << "it is awake";
  ASSERT_TRUE(reader.park().value());
  EXPECT_TRUE(writer.publish()) << "it parked again";
}

TEST_F(RingTest, lets_no_reader_sleep_while_there_is_something) {
  EXPECT_EQ(writer.write(numbered(1)).value(), 1);
  static_cast<void>(writer.publish());
  EXPECT_FALSE(reader.park().value());
  EXPECT_FALSE(writer.publish()) << "it does not sleep";
}

TEST_F(RingTest, lets_no_writer_sleep_while_there_is_room) {
  EXPECT_FALSE(writer.park().value());
  EXPECT_EQ(writer.write(numbered(64)).value(), 64);
  EXPECT_TRUE(writer.park().value());
}

TEST_F(RingTest, wakes_a_writer_when_half_of_the_ring_is_free) {
  EXPECT_EQ(writer.write(numbered(64)).value(), 64);
  static_cast<void>(writer.publish());
  ASSERT_TRUE(writer.park().value());
  EXPECT_EQ(reader.read(MutableBytes(buffer).first(31)).value(), 31);
  EXPECT_FALSE(reader.release());
  EXPECT_EQ(reader.read(MutableBytes(buffer).first(1)).value(), 1);
  EXPECT_TRUE(reader.release());
  EXPECT_FALSE(reader.release());
}

// What a hostile peer writes into its cursors is an error before it is used.
TEST_F(RingTest, refuses_a_tail_past_what_the_ring_holds) {
  for (const std::uint64_t tail : {65UL, 1UL << 40U, ~0UL, 1UL << 63U}) {
    pair.regions[0]->tail.value = tail;
    EXPECT_FALSE(reader.read(buffer)) << tail;
    EXPECT_FALSE(reader.available()) << tail;
    EXPECT_FALSE(reader.park()) << tail;
  }
}

TEST_F(RingTest, refuses_a_tail_that_went_back) {
  EXPECT_EQ(writer.write(numbered(10)).value(), 10);
  static_cast<void>(writer.publish());
  EXPECT_EQ(reader.available().value(), 10);
  pair.regions[0]->tail.value = 9;
  EXPECT_FALSE(reader.available());
  EXPECT_EQ(reader.read(MutableBytes(buffer).first(10)).value(), 10) << "these were there";
  EXPECT_FALSE(reader.read(buffer)) << "before what was read";
}

TEST_F(RingTest, refuses_a_head_past_what_was_written_or_back) {
  EXPECT_EQ(writer.write(numbered(64)).value(), 64);
  for (const std::uint64_t head : {65UL, ~0UL, 1UL << 63U}) {
    pair.regions[1]->head.value = head;
    EXPECT_FALSE(writer.write(numbered(1))) << head;
    EXPECT_FALSE(writer.park()) << head;
  }
  pair.regions[1]->head.value = 10;
  EXPECT_EQ(writer.write(numbered(10)).value(), 10);
  pair.regions[1]->head.value = 9;
  EXPECT_FALSE(writer.write(numbered(1)));
}

// The same as the channel does it: a sleeper is an atomic that somebody waits on.
class Bell {
 public:
  void ring() {
    rings_.fetch_add(1);
    rings_.notify_one();
  }
  void wait() {
    rings_.wait(heard_);
    heard_ = rings_.load();
  }

 private:
  std::atomic<std::uint32_t> rings_ = 0;
  std::uint32_t heard_ = 0;
};

TEST(Ring, loses_no_byte_and_no_wake_up_between_two_threads) {
  constexpr std::uint64_t total = 2'000'000;
  const Pair pair(256);
  Bell reader_bell;
  Bell writer_bell;
  std::thread writing([&] {
    RingWriter writer(pair.of(0));
    std::mt19937_64 random(1);
    for (std::uint64_t written = 0; written < total;) {
      const auto left = static_cast<std::size_t>(total - written);
      const auto bytes = numbered(std::min<std::size_t>(left, 1 + random() % 400), written);
      ByteView rest = bytes;
      while (!rest.empty()) {
        const std::size_t taken = writer.write(rest).value();
        rest = rest.subspan(taken);
        if (writer.publish()) reader_bell.ring();
        if (!rest.empty() && writer.park().value()) {
          writer_bell.wait();
          writer.unpark();
        }
      }
      written += bytes.size();
    }
  });
  RingReader reader(pair.of(1));
  std::mt19937_64 random(2);
  std::vector<std::byte> buffer(400);
  std::uint64_t wrong = 0;
  for (std::uint64_t read = 0; read < total;) {
    const std::size_t got = reader.read(MutableBytes(buffer).first(1 + random() % 399)).value();
    const auto expected = numbered(got, read);
    wrong += std::equal(expected.begin(), expected.end(), buffer.begin()) ? 0 : 1;
    read += got;
    if (reader.release()) writer_bell.ring();
    if (got == 0 && reader.park().value()) {
      reader_bell.wait();
      reader.unpark();
    }
  }
  writing.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace millrace::ipc
