#include <gtest/gtest.h>

#include <coroutine>

// This one imports the module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::files {
namespace {

TEST(OperationQueue, is_first_in_first_out) {
  RealFiles real{RealFilesSetup{}};
  IoOperation a(real.files(), IoKind::read);
  IoOperation b(real.files(), IoKind::read);
  IoOperation c(real.files(), IoKind::read);
  OperationQueue queue;
  OperationQueue other;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.take(), nullptr);
  queue.add(a);
  other.add(b);
  other.add(c);
  queue.append(other);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(queue.size(), 3);
  EXPECT_EQ(queue.take(), &a);
  EXPECT_EQ(queue.take(), &b);
  queue.add(a);
  EXPECT_EQ(queue.take(), &c);
  EXPECT_EQ(queue.take(), &a);
  EXPECT_EQ(queue.take(), nullptr);
  EXPECT_EQ(queue.size(), 0);
}

}  // namespace
}  // namespace millrace::files
