#include <gtest/gtest.h>

#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::metadata {
namespace {

constexpr std::size_t heartbeat_kind = 1;

TEST(Outbox, small_changes_share_an_entry_and_large_ones_do_not) {
  Outbox outbox;
  const std::string value(30'000, 'x');
  for (int i = 0; i < 17; ++i) {
    outbox.propose({ConfigRecord{ConfigKind::topic, "t", formatted("n{}", i), value}});
  }
  outbox.flush();
  const Effects effects = outbox.take();
  ASSERT_EQ(effects.proposals.size(), 3u);
  std::size_t records = 0;
  for (const Proposal& proposal : effects.proposals) {
    EXPECT_LE(proposal.entry.size(), entry_bytes_preferred);
    ASSERT_TRUE(read_entry(proposal.entry, [&](const Record&) -> Result<void> {
      ++records;
      return {};
    }));
  }
  EXPECT_EQ(records, 17u);
}

TEST(Outbox, an_answer_waits_for_all_that_was_proposed_before_it) {
  Outbox outbox;
  outbox.open(RequestId(1), heartbeat_kind);
  outbox.propose({FeatureRecord{"a", 1}});
  outbox.flush();
  outbox.propose({FeatureRecord{"b", 1}});
  outbox.flush();
  outbox.answer(RequestId(1), HeartbeatReply{});
  const Effects effects = outbox.take();
  ASSERT_EQ(effects.proposals.size(), 2u);
  EXPECT_TRUE(effects.answers.empty());
  EXPECT_FALSE(outbox.committed(effects.proposals[1].entry)) << "out of order";
  EXPECT_TRUE(outbox.committed(effects.proposals[0].entry));
  EXPECT_TRUE(outbox.take().answers.empty());
  EXPECT_TRUE(outbox.committed(effects.proposals[1].entry));
  EXPECT_EQ(outbox.take().answers.size(), 1u);
  EXPECT_EQ(outbox.uncommitted_bytes(), 0u);
}

}  // namespace
}  // namespace millrace::metadata
