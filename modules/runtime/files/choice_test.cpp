#include <gtest/gtest.h>

#include <memory>
#include <string>

// These import modules: they come after all that includes standard headers.
#include "test_support.hpp"

namespace millrace {
namespace {

TEST(FileSystemChoice, knows_its_settings_by_name) {
  EXPECT_EQ(file_system_setting_from_string("auto").value(), FileSystemSetting::automatic);
  EXPECT_EQ(file_system_setting_from_string("io_uring").value(), FileSystemSetting::io_uring);
  EXPECT_EQ(file_system_setting_from_string("thread_pool").value(), FileSystemSetting::thread_pool);
}

TEST(FileSystemChoice, refuses_a_setting_that_is_none_with_a_sentence) {
  const auto refused = file_system_setting_from_string("threads");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::invalid_argument);
  EXPECT_EQ(refused.error().message, "file I/O is auto, io_uring or thread_pool, not \"threads\"");
}

TEST(FileSystemChoice, takes_the_thread_pool_when_told_to) {
  const auto choice = choose_file_system(FileSystemSetting::thread_pool).value();
  EXPECT_EQ(choice.kind, FileSystemKind::thread_pool);
  EXPECT_EQ(choice.reason, "file I/O: thread_pool, as configured");
}

TEST(FileSystemChoice, takes_io_uring_where_it_works_and_says_so) {
  const auto choice = choose_file_system(FileSystemSetting::automatic).value();
  const auto probed = probe_io_uring();
  if (probed) {
    EXPECT_EQ(choice.kind, FileSystemKind::io_uring);
    EXPECT_EQ(choice.reason, "file I/O: io_uring, which this kernel offers");
  } else {
    EXPECT_EQ(choice.kind, FileSystemKind::thread_pool);
    EXPECT_NE(choice.reason.find(probed.error().message), std::string::npos) << choice.reason;
  }
}

TEST(FileSystemChoice, makes_what_was_chosen) {
  SystemClock clock;
  const auto pool = FilePool::start(clock).value();
  const auto loop = ShardLoop::make(clock).value();
  const auto made = make_file_system(FileSystemKind::thread_pool, *loop, *pool).value();
  EXPECT_NE(dynamic_cast<ThreadPoolFileSystem*>(made.get()), nullptr);
  if (!probe_io_uring()) return;
  const auto ring = make_file_system(FileSystemKind::io_uring, *loop, *pool).value();
  EXPECT_NE(dynamic_cast<IoUringFileSystem*>(ring.get()), nullptr);
}

TEST(FileSystemChoice, each_kind_has_its_name) {
  EXPECT_EQ(name_of(FileSystemKind::io_uring), "io_uring");
  EXPECT_EQ(name_of(FileSystemKind::thread_pool), "thread_pool");
}

}  // namespace
}  // namespace millrace
