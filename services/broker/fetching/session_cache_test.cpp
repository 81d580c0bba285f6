#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <span>
#include <vector>

import millrace.base;
import millrace.broker.fetching;
import millrace.protocol.api;
import millrace.protocol.fetch;
import millrace.runtime;

namespace millrace::broker {
namespace {

using protocol::FetchRequest;
using std::chrono::seconds;

constexpr MonotonicTime start{};

class SessionCache : public testing::Test {
 protected:
  // A session of that many partitions; no_session if there was no room.
  SessionId make(std::size_t partitions, MonotonicTime now = start) {
    SessionId id;
    const auto session = cache_.create(false, partitions, now, id);
    if (!session) return no_session;
    fill(*session, partitions);
    cache_.resized(id);
    return id;
  }
  static void fill(FetchSession& session, std::size_t partitions) {
    std::vector<FetchRequest::FetchPartition> wanted(partitions);
    for (std::size_t i = 0; i < partitions; ++i) {
      wanted[i].partition = static_cast<std::int32_t>(i);
    }
    FetchRequest::FetchTopic topic;
    topic.topic = "orders";
    topic.partitions = std::span<const FetchRequest::FetchPartition>(wanted);
    FetchRequest request;
    request.topics = {&topic, 1};
    session.update(request);
  }
  ErrorCode use(SessionId id, std::int32_t epoch, MonotonicTime now = start) {
    return cache_.take(id, SessionEpoch(epoch), false, now).error;
  }

  FetchSessionCache cache_{3, Random(1)};
};

TEST_F(SessionCache, a_session_is_used_with_growing_epochs) {
  const SessionId id = make(1);
  EXPECT_EQ(use(id, 1), ErrorCode::none);
  EXPECT_EQ(use(id, 1), ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(use(id, 2), ErrorCode::none);
  EXPECT_EQ(use(id, 4), ErrorCode::invalid_fetch_session_epoch);
  EXPECT_EQ(use(id, 3), ErrorCode::none);
}

TEST_F(SessionCache, a_session_that_is_not_there_or_was_removed_is_not_found) {
  const SessionId id = make(1);
  EXPECT_EQ(use(SessionId(id.value() ^ 1), 1), ErrorCode::fetch_session_id_not_found);
  cache_.remove(id);
  cache_.remove(id);
  EXPECT_EQ(use(id, 1), ErrorCode::fetch_session_id_not_found);
}

TEST_F(SessionCache, a_session_of_names_takes_no_ids) {
  const SessionId id = make(1);
  EXPECT_EQ(cache_.take(id, SessionEpoch(1), true, start).error,
            ErrorCode::fetch_session_topic_id_error);
  EXPECT_EQ(use(id, 1), ErrorCode::none) << "a refused request uses no epoch up";
}

TEST_F(SessionCache, ids_differ_and_none_is_0) {
  FetchSessionCache cache(1000, Random(7));
  std::set<SessionId> ids;
  for (int i = 0; i < 1000; ++i) {
    SessionId id;
    ASSERT_NE(cache.create(true, 1, start, id), nullptr);
    EXPECT_GT(id, no_session);
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000U);
}

TEST_F(SessionCache, sessions_in_use_are_not_evicted_by_smaller_ones) {
  make(5), make(5), make(5);
  EXPECT_EQ(make(5, start + session_eviction_after - seconds(1)), no_session);
  EXPECT_EQ(cache_.figures().evictions, 0U);
}

TEST_F(SessionCache, one_that_was_not_used_for_long_makes_room) {
  const SessionId unused = make(5);
  const SessionId used = make(5);
  const SessionId later = make(5, start + seconds(60));
  EXPECT_EQ(use(used, 1, start + seconds(100)), ErrorCode::none);
  EXPECT_NE(make(1, start + session_eviction_after), no_session);
  EXPECT_EQ(use(unused, 1), ErrorCode::fetch_session_id_not_found);
  EXPECT_EQ(use(later, 1), ErrorCode::none);
  EXPECT_EQ(use(used, 2), ErrorCode::none);
  EXPECT_EQ(cache_.figures().evictions, 1U);
}

TEST_F(SessionCache, an_old_small_one_makes_room_for_a_larger_one) {
  const SessionId large = make(5);
  const SessionId small = make(2);
  const SessionId middle = make(3);
  const MonotonicTime now = start + session_eviction_after;
  for (const SessionId id : {large, small, middle}) EXPECT_EQ(use(id, 1, now), ErrorCode::none);
  EXPECT_EQ(make(2, now), no_session);
  EXPECT_NE(make(4, now), no_session);
  EXPECT_EQ(use(small, 2, now), ErrorCode::fetch_session_id_not_found);
}

TEST_F(SessionCache, a_young_one_that_is_smaller_does_not_keep_an_old_one_in_its_place) {
  const SessionId large = make(5);
  const SessionId middle = make(4);
  const MonotonicTime now = start + session_eviction_after;
  const SessionId young = make(1, now - seconds(1));
  for (const SessionId id : {large, middle}) EXPECT_EQ(use(id, 1, now), ErrorCode::none);
  EXPECT_EQ(make(4, now), no_session) << "only a larger one takes the place of one in use";
  EXPECT_NE(make(6, now), no_session);
  EXPECT_EQ(use(middle, 2, now), ErrorCode::fetch_session_id_not_found);
  EXPECT_EQ(use(young, 1, now), ErrorCode::none);
  EXPECT_EQ(use(large, 2, now), ErrorCode::none);
  EXPECT_EQ(cache_.figures().sessions, 3U);
}

TEST_F(SessionCache, partitions_of_all_sessions_have_a_limit) {
  EXPECT_EQ(make(session_partitions_max + 1), no_session);
  const SessionId large = make(session_partitions_max - 10);
  EXPECT_NE(large, no_session);
  EXPECT_EQ(make(11), no_session);
  const SessionId growing = make(10);
  EXPECT_EQ(cache_.figures().partitions, session_partitions_max);
  // A session that grows past the limit is forgotten, with all that it held.
  const auto found = cache_.take(growing, SessionEpoch(1), false, start);
  fill(*found.session, 11);
  cache_.resized(growing);
  EXPECT_EQ(cache_.figures().partitions, session_partitions_max - 10);
  EXPECT_EQ(use(growing, 2), ErrorCode::fetch_session_id_not_found);
}

TEST_F(SessionCache, without_slots_there_are_no_sessions) {
  FetchSessionCache cache(0, Random(1));
  SessionId id{5};
  EXPECT_EQ(cache.create(false, 1, start, id), nullptr);
  EXPECT_EQ(id, no_session);
}

}  // namespace
}  // namespace millrace::broker
