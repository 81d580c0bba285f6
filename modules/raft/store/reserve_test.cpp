#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

// This one imports the module: it comes after all that includes standard headers.
#include "test_store.hpp"

namespace millrace::raft {
namespace {

using storage::StorageFault;

constexpr std::uint64_t size = 100'000;

TEST(RaftReserve, is_made_found_and_given_back) {
  StoreMachine machine;
  Reserve reserve(machine.files(), std::string(store_directory), size);
  ASSERT_TRUE(machine.run(reserve.make()));
  EXPECT_EQ(machine.contents(reserve_name).size(), size);
  Reserve same(machine.files(), std::string(store_directory), size);
  ASSERT_TRUE(machine.run(same.find()));
  EXPECT_TRUE(same.held());
  EXPECT_EQ(machine.run(same.release()).value(), true);
  EXPECT_EQ(machine.run(same.release()).value(), false);
  EXPECT_EQ(machine.contents(reserve_name), "");
}

TEST(RaftReserve, other_size_is_made_anew) {
  StoreMachine machine;
  Reserve reserve(machine.files(), std::string(store_directory), size);
  ASSERT_TRUE(machine.run(reserve.make()));
  Reserve larger(machine.files(), std::string(store_directory), 2 * size);
  ASSERT_TRUE(machine.run(larger.find()));
  EXPECT_FALSE(larger.held());
  ASSERT_TRUE(machine.run(larger.make()));
  EXPECT_EQ(machine.contents(reserve_name).size(), 2 * size);
}

TEST(RaftReserve, takes_no_room_that_is_needed) {
  StoreMachine machine;
  machine.disk.set_capacity(2 * size - 1);
  Reserve reserve(machine.files(), std::string(store_directory), size);
  EXPECT_EQ(machine.run(reserve.make()).error().fault, StorageFault::no_space);
  EXPECT_FALSE(reserve.held());
}

TEST(RaftReserve, failed_attempt_leaves_nothing) {
  StoreMachine machine;
  machine.disk.faults().plan({.kind = IoKind::write, .fault = IoFault::no_space});
  Reserve reserve(machine.files(), std::string(store_directory), size);
  EXPECT_EQ(machine.run(reserve.make()).error().fault, StorageFault::no_space);
  EXPECT_EQ(machine.contents("reserve.tmp"), "");
  machine.disk.faults().plan({.kind = IoKind::sync_data});
  EXPECT_EQ(machine.run(reserve.make()).error().fault, StorageFault::offline);
}

}  // namespace
}  // namespace millrace::raft
