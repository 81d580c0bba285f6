// What the generated messages promise beyond their bytes, which tests/protocol proves for all of
// them.
#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

import millrace.protocol;

namespace {
std::atomic<std::size_t> allocations{0};
}  // namespace

// Counts what the code under test takes from the heap.
void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size); memory != nullptr) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace millrace::protocol {
namespace {

template <class Message>
std::vector<std::byte> written(const Message& message, std::int16_t version) {
  const auto size = measure(message, version);
  EXPECT_TRUE(size.has_value()) << (size ? "" : to_string(size.error()));
  if (!size) return {};
  std::vector<std::byte> bytes(size->inline_bytes);
  std::vector<Splice> splices(size->splices);
  Writer writer(bytes, splices);
  write(message, version, writer);
  return bytes;
}

struct MetadataSample {
  std::vector<MetadataResponse::MetadataResponsePartition> partitions{100};
  MetadataResponse::MetadataResponseTopic topic;
  MetadataResponse message;

  MetadataSample() {
    topic.name = "orders";
    topic.partitions = Array<MetadataResponse::MetadataResponsePartition>(partitions);
    message.topics = {&topic, 1};
  }
};

TEST(Messages, decode_and_encode_without_the_heap_once_the_arena_is_warm) {
  const MetadataSample sample;
  const auto bytes = written(sample.message, 12);
  Arena arena(1 << 20);
  MetadataResponse message;
  ASSERT_TRUE(decode(message, bytes, 12, arena).has_value());
  std::vector<std::byte> buffer(bytes.size());
  const std::size_t before = allocations.load();
  for (int round = 0; round < 100; ++round) {
    arena.reset();
    ASSERT_TRUE(decode(message, bytes, 12, arena).has_value());
    ASSERT_EQ(measure(message, 12)->inline_bytes, buffer.size());
    Writer writer(buffer, {});
    write(message, 12, writer);
  }
  EXPECT_EQ(allocations.load(), before);
  EXPECT_EQ(buffer, bytes);
}

TEST(Messages, a_refused_input_takes_nothing_from_the_heap) {
  const MetadataSample sample;
  const auto bytes = written(sample.message, 12);
  Arena arena(1 << 20);
  MetadataResponse message;
  ASSERT_TRUE(decode(message, bytes, 12, arena).has_value());
  const std::size_t before = allocations.load();
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    arena.reset();
    const auto result = decode(message, Bytes(bytes).first(length), 12, arena);
    if (result.has_value()) FAIL() << "cut at " << length;
  }
  EXPECT_EQ(allocations.load(), before);
}

TEST(Messages, decoding_forgets_what_the_struct_held_before) {
  FetchRequest message;
  message.rack_id = "left over";
  Arena arena(4096);
  FetchRequest empty;
  const auto bytes = written(empty, 4);  // rack_id exists from version 11 on
  ASSERT_TRUE(decode(message, bytes, 4, arena).has_value());
  EXPECT_EQ(message.rack_id, "");
}

TEST(Messages, a_field_that_the_version_lacks_is_an_error_that_names_it) {
  InitProducerIdRequest init;
  init.producer_id = 5;  // from version 3, must not be dropped in silence
  const auto size = measure(init, 2);
  ASSERT_FALSE(size.has_value());
  EXPECT_EQ(to_string(size.error()),
            "ProducerId: the field is set but does not exist in this version");
  EXPECT_TRUE(measure(init, 3).has_value());
}

TEST(Messages, versions_outside_the_range_are_refused_both_ways) {
  Arena arena(64);
  ProduceRequest request;
  for (const std::int16_t version : {std::int16_t{2}, std::int16_t{14}, std::int16_t{-1}}) {
    EXPECT_EQ(decode(request, {}, version, arena).error().fault, DecodeFault::unsupported_version);
    EXPECT_EQ(measure(request, version).error().fault, EncodeFault::unsupported_version);
  }
}

TEST(Messages, unknown_tagged_fields_of_stored_records_survive) {
  const std::vector<std::byte> future(3, std::byte{0x77});
  const UnknownTag tag{1000, future};
  TransactionLogValue value;
  value.unknown_tags = {&tag, 1};
  value.next_producer_id = 9;  // a known tagged field beside it
  const auto bytes = written(value, 1);
  Arena arena(1 << 16);
  TransactionLogValue read;
  ASSERT_TRUE(decode(read, bytes, 1, arena).has_value());
  ASSERT_EQ(read.unknown_tags.size(), 1u);
  EXPECT_EQ(read.unknown_tags[0].tag, 1000u);
  EXPECT_EQ(written(read, 1), bytes);
}

}  // namespace
}  // namespace millrace::protocol
