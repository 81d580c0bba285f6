#include <gtest/gtest.h>

#include <coroutine>
#include <cstdint>
#include <memory>

// This one imports the module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::files {
namespace {

class WriteBackTest : public testing::Test {
 protected:
  WriteBackOperation& begun() {
    operation = std::make_unique<WriteBackOperation>(real.files());
    write_back.begin(*operation);
    return *operation;
  }
  static void expect(const ByteRange& range, std::uint64_t position, std::uint64_t length) {
    EXPECT_EQ(range.position, position);
    EXPECT_EQ(range.length, length);
  }

  RealFiles real{RealFilesSetup{}};
  WriteBack write_back;
  std::unique_ptr<WriteBackOperation> operation;
};

TEST_F(WriteBackTest, appends_wait_as_one_range) {
  write_back.wrote(100, 50);
  write_back.wrote(150, 25);
  EXPECT_EQ(write_back.waiting_bytes(), 75);
  expect(begun().begin, 100, 75);
  EXPECT_TRUE(write_back.running());
  EXPECT_EQ(write_back.waiting_bytes(), 0);
}

TEST_F(WriteBackTest, writes_in_any_order_wait_as_the_range_around_them) {
  write_back.wrote(1000, 10);
  write_back.wrote(10, 10);
  write_back.wrote(500, 10);
  EXPECT_EQ(write_back.waiting_bytes(), 30);
  expect(begun().begin, 10, 1000);
}

TEST_F(WriteBackTest, each_waits_for_the_one_before) {
  write_back.wrote(0, 10);
  expect(begun().finish_before, 0, 0);
  write_back.wrote(10, 20);
  write_back.ended();
  begun();
  expect(operation->begin, 10, 20);
  expect(operation->finish_before, 0, 10);
  write_back.wrote(30, 5);
  write_back.ended();
  begun();
  expect(operation->begin, 30, 5);
  expect(operation->finish_before, 10, 20);
}

TEST_F(WriteBackTest, what_is_written_meanwhile_waits_for_the_next) {
  write_back.wrote(0, 10);
  begun();
  write_back.wrote(10, 7);
  EXPECT_EQ(write_back.waiting_bytes(), 7);
  EXPECT_TRUE(write_back.running());
  write_back.ended();
  EXPECT_FALSE(write_back.running());
  EXPECT_EQ(write_back.waiting_bytes(), 7);
}

}  // namespace
}  // namespace millrace::files
