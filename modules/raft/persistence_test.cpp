#include <gtest/gtest.h>

import millrace.base;
import millrace.raft;

namespace millrace::raft {
namespace {

TEST(Persistence, entries_are_durable_when_their_write_is) {
  Persistence persistence(LogIndex{5});
  persistence.log_changes(LogIndex{6}, LogIndex{8});
  const WriteNumber write = persistence.seal();
  EXPECT_EQ(persistence.durable(), LogIndex{5});
  persistence.persisted(write);
  EXPECT_EQ(persistence.durable(), LogIndex{8});
}

TEST(Persistence, what_a_later_write_replaces_is_not_durable) {
  Persistence persistence(LogIndex{5});
  persistence.log_changes(LogIndex{6}, LogIndex{8});
  const WriteNumber first = persistence.seal();
  persistence.log_changes(LogIndex{7}, LogIndex{7});
  const WriteNumber second = persistence.seal();
  persistence.persisted(first);
  EXPECT_EQ(persistence.durable(), LogIndex{6});
  persistence.persisted(second);
  EXPECT_EQ(persistence.durable(), LogIndex{7});
}

TEST(Persistence, messages_wait_for_the_term_and_vote_that_they_rest_on) {
  Persistence persistence(LogIndex{});
  persistence.hard_state_changes();
  persistence.hold({});
  const WriteNumber first = persistence.seal();
  EXPECT_FALSE(persistence.hard_state_durable());
  persistence.log_changes(LogIndex{1}, LogIndex{1});
  persistence.hold({});  // waits for the first write, not for the one being put together
  const WriteNumber second = persistence.seal();
  EXPECT_TRUE(persistence.release().empty());
  persistence.persisted(first);
  EXPECT_TRUE(persistence.hard_state_durable());
  EXPECT_EQ(persistence.release().size(), 2u);
  persistence.persisted(second);
  EXPECT_TRUE(persistence.release().empty());
}

TEST(Persistence, holds_a_bounded_number_of_messages) {
  Persistence persistence(LogIndex{});
  persistence.hard_state_changes();
  for (std::size_t i = 0; i < 2 * held_messages_max; ++i) persistence.hold({});
  persistence.persisted(persistence.seal());
  EXPECT_EQ(persistence.release().size(), held_messages_max);
}

}  // namespace
}  // namespace millrace::raft
