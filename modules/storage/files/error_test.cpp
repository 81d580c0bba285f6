#include <gtest/gtest.h>

#include <string>
#include <vector>

import millrace.storage.files;

namespace millrace::storage {
namespace {

TEST(StorageError, says_what_the_caller_has_to_do) {
  EXPECT_EQ(storage_fault(IoFault::failed), StorageFault::offline);
  EXPECT_EQ(storage_fault(IoFault::denied), StorageFault::offline);
  EXPECT_EQ(storage_fault(IoFault::no_space), StorageFault::no_space);
  EXPECT_EQ(storage_fault(IoFault::not_found), StorageFault::not_found);
  EXPECT_EQ(storage_fault(IoFault::already_exists), StorageFault::already_exists);
  EXPECT_EQ(storage_fault(IoFault::not_empty), StorageFault::already_exists);
  EXPECT_EQ(storage_fault(IoFault::too_many_open), StorageFault::limit);
  EXPECT_EQ(storage_fault(IoFault::locked), StorageFault::locked);
  EXPECT_EQ(storage_fault(IoFault::invalid), StorageFault::invalid);
}

TEST(StorageError, keeps_the_error_of_the_system_and_names_the_path) {
  const IoError io{.fault = IoFault::no_space, .number = 28, .operation = "write", .done = 7};
  const StorageError error = storage_error(io, "/log/orders-0/x");
  EXPECT_EQ(error.fault, StorageFault::no_space);
  EXPECT_NE(error.message.find("/log/orders-0/x"), std::string::npos) << error.message;
  ASSERT_TRUE(error.io);
  EXPECT_EQ(error.io->done, 7u);
}

TEST(StorageError, a_directory_that_could_not_be_opened_was_not_synced_and_lost_nothing) {
  const auto fault = [](IoFault io) { return directory_sync_error({.fault = io}, "/log").fault; };
  EXPECT_EQ(fault(IoFault::too_many_open), StorageFault::limit);
  for (const IoFault io : {IoFault::failed, IoFault::no_space, IoFault::not_found, IoFault::denied,
                           IoFault::invalid}) {
    EXPECT_EQ(fault(io), StorageFault::offline) << name_of(io);
  }
}

TEST(StorageError, a_shortage_is_no_failure_of_the_device) {
  EXPECT_TRUE(is_shortage(StorageFault::no_space));
  EXPECT_TRUE(is_shortage(StorageFault::limit));
  for (const StorageFault fault :
       {StorageFault::offline, StorageFault::corrupt, StorageFault::not_found,
        StorageFault::already_exists, StorageFault::locked, StorageFault::invalid}) {
    EXPECT_FALSE(is_shortage(fault)) << name_of(fault);
  }
}

TEST(StorageError, every_fault_has_a_name_of_its_own) {
  const std::vector<StorageFault> faults = {StorageFault::offline,        StorageFault::no_space,
                                            StorageFault::corrupt,        StorageFault::not_found,
                                            StorageFault::locked,         StorageFault::limit,
                                            StorageFault::already_exists, StorageFault::invalid};
  for (const StorageFault fault : faults) {
    for (const StorageFault other : faults) {
      EXPECT_EQ(name_of(fault) == name_of(other), fault == other) << name_of(fault);
    }
  }
}

}  // namespace
}  // namespace millrace::storage
