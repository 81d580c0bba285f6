// How much a session holds and sends, whatever it is asked. Also proves session.cpp.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "session_machine.hpp"

namespace millrace::coordinator {
namespace {

using namespace coordination;

// The errors of the groups of a fetch that the session has answered.
std::vector<ErrorCode> errors_of_fetch(const Played& played) {
  protocol::Arena arena(mebibyte);
  protocol::OffsetFetchResponse response;
  EXPECT_FALSE(played.answers.back().close);
  EXPECT_TRUE(decode(response, played.answers.back().body, 8, arena).has_value());
  std::vector<ErrorCode> errors;
  for (const auto& group : response.groups) {
    errors.push_back(protocol::error_code_from(group.error_code));
    EXPECT_EQ(group.topics.size(), group.error_code == 0 ? 1u : 0u);
  }
  return errors;
}

TEST(SessionLimits, groups_whose_offsets_do_not_fit_into_one_answer_are_refused) {
  SimulatedExecutor executor;
  Played played(executor, {}, {.fetch_bytes_max = 9'000});
  played.greet();
  played.carry_out();
  using Request = protocol::OffsetFetchRequest;
  std::vector<Request::OffsetFetchRequestGroup> groups;
  for (const char* const name : {"a", "b", "c", "d"}) {
    played.commit(1, name, std::string(name[0] == 'd' ? 10 : 4'000, 'm'));
    auto& group = groups.emplace_back();
    group.group_id = name;
    group.topics = protocol::Array<Request::OffsetFetchRequestTopics>::null();
  }
  Request request;
  request.groups = std::span<const Request::OffsetFetchRequestGroup>(groups);
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), (std::vector{ErrorCode::none, ErrorCode::none,
                                                  ErrorCode::invalid_request, ErrorCode::none}));
  request.groups = {&groups[2], 1};
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::none}) << "by itself it fits";
}

TEST(SessionLimits, an_answer_that_there_is_no_room_for_is_to_be_asked_for_again) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  played.commit(1, "small");
  for (int i = 0; i < 20; ++i) {
    played.commit(i, ("g" + std::to_string(i)).c_str(), std::string(4'000, 'm'));
  }
  protocol::OffsetFetchRequest request;
  std::vector<protocol::OffsetFetchRequest::OffsetFetchRequestGroup> groups(20);
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) names.push_back("g" + std::to_string(i));
  for (std::size_t i = 0; i < 20; ++i) {
    groups[i].group_id = names[i];
    groups[i].topics = decltype(groups[i].topics)::null();
  }
  request.groups = std::span<const protocol::OffsetFetchRequest::OffsetFetchRequestGroup>(groups);
  played.room = 10'000;
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played),
            std::vector<ErrorCode>(20, ErrorCode::coordinator_not_available));
  groups[0].group_id = "small";
  request.groups = {groups.data(), 1};
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::none}) << "it is no large one";
  played.room = coordination::queued_bytes_max;
  groups[0].group_id = names[0];
  request.groups = std::span<const protocol::OffsetFetchRequest::OffsetFetchRequestGroup>(groups);
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), std::vector<ErrorCode>(20, ErrorCode::none));
}

TEST(SessionLimits, fetches_that_wait_for_an_append_hold_no_more_than_a_few_large_answers) {
  SimulatedExecutor executor;
  Played played(executor, {}, {.fetch_bytes_max = 9'000});
  played.greet();
  played.carry_out();
  played.commit(1, "g", std::string(4'000, 'm'));
  protocol::OffsetFetchRequest::OffsetFetchRequestGroup group;
  group.group_id = "g";
  group.topics = decltype(group.topics)::null();
  protocol::OffsetFetchRequest request;
  request.groups = {&group, 1};
  for (int round = 0; round < 2; ++round) {
    played.answers.clear();
    played.holds = true;
    played.commit(2, "g", std::string(4'000, 'n'));
    for (int i = 0; i < 20; ++i) played.ask(request, 8);
    EXPECT_EQ(played.answers.size(), 11u) << "nine of 4,000 bytes are as much as four of 9,000";
    EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::coordinator_not_available});
    played.holds = false;
    for (Append& append : std::exchange(played.held, {})) played.take(std::move(append));
    played.carry_out();
    EXPECT_EQ(played.answers.size(), 21u);
    EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::none});
  }
}

TEST(SessionLimits, lists_of_groups_that_wait_for_an_append_hold_no_more_than_a_few_large_answers) {
  SimulatedExecutor executor;
  Played played(executor, {}, {.fetch_bytes_max = 9'000});
  played.greet();
  played.carry_out();
  for (int i = 0; i < 30; ++i) {
    played.commit(1, (std::string(200, 'g') + std::to_string(i)).c_str());
  }
  const protocol::ListGroupsRequest list;
  for (int round = 0; round < 2; ++round) {
    played.answers.clear();
    played.holds = true;
    played.commit(2);
    for (int i = 0; i < 20; ++i) played.ask(list, 4);
    ASSERT_GE(played.answers.size(), 14u) << "one takes more than 6,000 bytes";
    EXPECT_LT(played.answers.size(), 20u);
    EXPECT_EQ(played.error(), ErrorCode::coordinator_not_available);
    played.holds = false;
    for (Append& append : std::exchange(played.held, {})) played.take(std::move(append));
    played.carry_out();
    EXPECT_EQ(played.answers.size(), 21u);
    EXPECT_EQ(played.error(), ErrorCode::none);
  }
  EXPECT_EQ(played.session->open_requests(), 0u);
}

// A request about very many groups makes as many appends.
TEST(SessionLimits, who_deletes_very_many_groups_is_told_to_ask_again_before_an_append_is_refused) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  constexpr std::size_t count = 5'000;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back("g" + std::to_string(i));
  for (const std::string& name : names) played.commit(1, name.c_str());
  const std::vector<protocol::String> deleted(names.begin(), names.end());
  protocol::DeleteGroupsRequest request;
  request.groups_names = std::span<const protocol::String>(deleted);
  std::size_t left = count;
  for (int round = 0; round < 5 && left > 0; ++round) {
    played.holds = true;
    played.ask(request, 1);
    EXPECT_LE(played.held.size(), appends_under_way_max);
    left -= played.held.size();
    played.holds = false;
    for (Append& append : std::exchange(played.held, {})) played.take(std::move(append));
    played.carry_out();
  }
  EXPECT_EQ(left, 0u);
}

// A few bytes that name it are answered with thousands.
TEST(SessionLimits, a_partition_that_a_fetch_names_a_million_times_is_answered_once) {
  SimulatedExecutor executor;
  Played played(executor);
  played.greet();
  played.carry_out();
  played.commit(1, "g", std::string(4'000, 'm'));
  const std::vector<std::int32_t> zeros(1'000'000, 0);
  protocol::OffsetFetchRequest::OffsetFetchRequestTopics topic;
  topic.name = "orders";
  topic.partition_indexes = std::span<const std::int32_t>(zeros);
  protocol::OffsetFetchRequest::OffsetFetchRequestGroup group;
  group.group_id = "g";
  group.topics = {&topic, 1};
  protocol::OffsetFetchRequest request;
  request.groups = {&group, 1};
  played.ask(request, 8);
  EXPECT_EQ(errors_of_fetch(played), std::vector{ErrorCode::none});
  EXPECT_LT(played.answers.back().body.size(), 5'000u);
}

// Small records take more of a batch than their keys and values.
TEST(SessionLimits, a_commit_of_very_many_partitions_is_appended_in_batches_that_the_broker_takes) {
  constexpr std::int32_t count = 60'000;
  SimulatedExecutor executor;
  Played played(executor);
  played.known_partitions = count;
  played.greet();
  played.carry_out();
  using Request = protocol::OffsetCommitRequest;
  std::vector<Request::OffsetCommitRequestPartition> partitions(count);
  for (std::int32_t i = 0; i < count; ++i) {
    partitions[static_cast<std::size_t>(i)].partition_index = i;
    partitions[static_cast<std::size_t>(i)].committed_offset = i;
  }
  Request::OffsetCommitRequestTopic topic;
  topic.name = "orders";
  topic.partitions = std::span<const Request::OffsetCommitRequestPartition>(partitions);
  Request request;
  request.group_id = "g";
  request.topics = {&topic, 1};
  played.ask(request, 6);
  ASSERT_EQ(played.answers.size(), 1u);
  EXPECT_GT(played.appends, 2u);
  const auto figures = executor.run(played.session->figures());
  ASSERT_TRUE(figures.has_value());
  EXPECT_EQ(figures->offsets, count);
}

}  // namespace
}  // namespace millrace::coordinator
