// DescribeGroups, ListGroups and DeleteGroups in every version.
#include <gtest/gtest.h>

// This one imports a module: it comes after all that includes standard headers.
#include "test_support.hpp"

namespace millrace::coordination {
namespace {

// All groups of all partitions are held against them.
TEST(GroupCall, filters_of_groups_are_as_long_as_there_are_states_and_kinds) {
  std::vector<std::string> texts;
  for (int i = 0; i < 100'000; ++i) texts.push_back("state " + std::to_string(i));
  std::vector<protocol::String> names(texts.begin(), texts.end());
  protocol::ListGroupsRequest in;
  in.states_filter = std::span<const protocol::String>(names);
  in.types_filter = in.states_filter;
  const GroupCall unknown = call_of(in, 5);
  const auto& asked = std::get<groups::ListRequest>(unknown.questions().at(0).request);
  EXPECT_EQ(asked.states, std::vector<std::string>{"state 0"}) << "no group passes";
  EXPECT_EQ(asked.types, std::vector<std::string>{"state 0"});
  names.insert(names.end(), {"STABLE", "empty", "Stable", "Classic"});
  in.states_filter = std::span<const protocol::String>(names);
  in.types_filter = in.states_filter;
  const GroupCall known = call_of(in, 5);
  const auto& wanted = std::get<groups::ListRequest>(known.questions().at(0).request);
  EXPECT_EQ(wanted.states, (std::vector<std::string>{"Empty", "Stable"}));
  EXPECT_EQ(wanted.types, std::vector<std::string>{"classic"});
}

TEST(GroupCall, describe_groups_in_all_versions) {
  for_each_version<protocol::DescribeGroupsRequest>([](std::int16_t v) {
    const protocol::String names[] = {"g", "h"};
    protocol::DescribeGroupsRequest in;
    in.groups = std::span<const protocol::String>(names);
    if (v >= 3) in.include_authorized_operations = true;
    const GroupCall call = call_of(in, v);
    ASSERT_EQ(call.questions().size(), 2u);
    EXPECT_EQ(call.questions()[1].group, "h");
    EXPECT_EQ(std::get<groups::DescribeRequest>(call.questions()[0].request).unknown_is_error,
              v >= 6);
    groups::DescribedGroup g;
    g.group = "g";
    g.state = groups::GroupState::stable;
    g.protocol_type = "consumer";
    g.protocol_name = "range";
    g.members = {{"m", "i", "app", "/1.2.3.4", bytes_of("meta"), bytes_of("mine")}};
    groups::DescribedGroup h;
    h.group = "h";
    if (v >= 6) {
      h.error = ErrorCode::group_id_not_found;
      h.error_message = "Group h not found.";
    }
    const auto out = answered<protocol::DescribeGroupsResponse>(
        call,
        {groups::DescribeReply{ErrorCode::none, {g}}, groups::DescribeReply{ErrorCode::none, {h}}},
        v);
    ASSERT_EQ(out.message.groups.size(), 2u);
    EXPECT_EQ(out.message.groups[0].group_state, "Stable");
    ASSERT_EQ(out.message.groups[0].members.size(), 1u);
    EXPECT_EQ(as_text(out.message.groups[0].members[0].member_assignment), "mine");
    if (v >= 3) EXPECT_GT(out.message.groups[0].authorized_operations, 0);
    EXPECT_EQ(out.message.groups[1].group_state, "Dead");
    EXPECT_EQ(out.message.groups[1].error_code,
              v >= 6 ? number_of(ErrorCode::group_id_not_found) : 0);
    const auto error = refused<protocol::DescribeGroupsResponse>(call, v);
    ASSERT_EQ(error.message.groups.size(), 2u);
    EXPECT_EQ(error.message.groups[1].group_id, "h");
    EXPECT_EQ(error.message.groups[1].error_code, unavailable);
    EXPECT_EQ(error.message.groups[1].group_state, "");
  });
}

// An answer of all its members for each time would take all memory there is.
TEST(GroupCall, a_group_that_is_named_many_times_is_described_once) {
  const std::vector<protocol::String> names(100'000, "g");
  protocol::DescribeGroupsRequest in;
  in.groups = std::span<const protocol::String>(names);
  const GroupCall call = call_of(in, 5);
  ASSERT_EQ(call.questions().size(), 1u);
  groups::DescribedGroup g;
  g.group = "g";
  const auto out = answered<protocol::DescribeGroupsResponse>(
      call, {groups::DescribeReply{ErrorCode::none, {g}}}, 5);
  EXPECT_EQ(out.message.groups.size(), 1u);
}

TEST(GroupCall, authorised_operations_are_told_only_where_they_are_asked_for) {
  const protocol::String name = "g";
  protocol::DescribeGroupsRequest in;
  in.groups = {&name, 1};
  const GroupCall call = call_of(in, 5);
  groups::DescribedGroup g;
  g.group = "g";
  const auto out = answered<protocol::DescribeGroupsResponse>(
      call, {groups::DescribeReply{ErrorCode::none, {g}}}, 5);
  EXPECT_EQ(out.message.groups[0].authorized_operations, -2147483648);
}

TEST(GroupCall, list_groups_in_all_versions) {
  for_each_version<protocol::ListGroupsRequest>([](std::int16_t v) {
    const protocol::String state = "Stable";
    const protocol::String type = "classic";
    protocol::ListGroupsRequest in;
    if (v >= 4) in.states_filter = {&state, 1};
    if (v >= 5) in.types_filter = {&type, 1};
    const GroupCall call = call_of(in, v);
    EXPECT_TRUE(call.asks_all_groups());
    const auto& asked = std::get<groups::ListRequest>(call.questions().at(0).request);
    EXPECT_EQ(asked.states.size(), v >= 4 ? 1u : 0u);
    EXPECT_EQ(asked.types.size(), v >= 5 ? 1u : 0u);
    // From three partitions, one of them empty.
    const groups::ListReply one{ErrorCode::none,
                                {{"g", "consumer", groups::GroupState::stable, "classic"}}};
    const groups::ListReply two{ErrorCode::none,
                                {{"h", "consumer", groups::GroupState::empty, "classic"}}};
    const auto out =
        answered<protocol::ListGroupsResponse>(call, {one, groups::ListReply{}, two}, v);
    ASSERT_EQ(out.message.groups.size(), 2u);
    EXPECT_EQ(out.message.groups[1].group_id, "h");
    if (v >= 4) EXPECT_EQ(out.message.groups[1].group_state, "Empty");
    const groups::ListReply loading{ErrorCode::coordinator_load_in_progress, {}};
    const auto partly = answered<protocol::ListGroupsResponse>(call, {one, loading}, v);
    EXPECT_EQ(partly.message.error_code, number_of(ErrorCode::coordinator_load_in_progress));
    EXPECT_TRUE(partly.message.groups.empty()) << "not a part of the truth";
    const groups::ListReply elsewhere{ErrorCode::not_coordinator, {}};
    const auto rest = answered<protocol::ListGroupsResponse>(call, {one, elsewhere}, v);
    EXPECT_EQ(rest.message.error_code, 0);
    EXPECT_EQ(rest.message.groups.size(), 1u) << "others are coordinated by others";
    EXPECT_EQ(refused<protocol::ListGroupsResponse>(call, v).message.error_code, unavailable);
  });
}

TEST(GroupCall, delete_groups_in_all_versions) {
  for_each_version<protocol::DeleteGroupsRequest>([](std::int16_t v) {
    const protocol::String names[] = {"g", "h"};
    protocol::DeleteGroupsRequest in;
    in.groups_names = std::span<const protocol::String>(names);
    const GroupCall call = call_of(in, v);
    ASSERT_EQ(call.questions().size(), 2u);
    const groups::DeleteReply done{ErrorCode::none, {{"g", ErrorCode::none}}};
    const groups::DeleteReply refusal{ErrorCode::not_coordinator, {}};
    const auto out = answered<protocol::DeleteGroupsResponse>(call, {done, refusal}, v);
    ASSERT_EQ(out.message.results.size(), 2u);
    EXPECT_EQ(out.message.results[0].error_code, 0);
    EXPECT_EQ(out.message.results[1].group_id, "h");
    EXPECT_EQ(out.message.results[1].error_code, number_of(ErrorCode::not_coordinator));
  });
}

// What a coordinator is busy with for a second makes it look dead to all.
TEST(Operators, more_groups_than_one_request_may_name_are_refused) {
  constexpr std::size_t more = 3;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < groups_asked_max + more; ++i) {
    names.push_back("g" + std::to_string(i));
  }
  const std::vector<protocol::String> views(names.begin(), names.end());
  protocol::DeleteGroupsRequest deletion;
  deletion.groups_names = std::span<const protocol::String>(views);
  const GroupCall deleting = call_of(deletion, 1);
  ASSERT_EQ(deleting.questions().size(), groups_asked_max);
  groups::DeleteReply deleted;
  deleted.groups = {{"g", ErrorCode::none}};
  const auto gone = answered<protocol::DeleteGroupsResponse>(
      deleting, std::vector<groups::Reply>(groups_asked_max, deleted), 1);
  ASSERT_EQ(gone.message.results.size(), names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    ASSERT_EQ(gone.message.results[i].error_code,
              i < groups_asked_max ? 0 : number_of(ErrorCode::invalid_request));
  }
  protocol::DescribeGroupsRequest description;
  description.groups = std::span<const protocol::String>(views);
  const GroupCall describing = call_of(description, 5);
  ASSERT_EQ(describing.questions().size(), groups_asked_max);
  const auto described = refused<protocol::DescribeGroupsResponse>(describing, 5);
  ASSERT_EQ(described.message.groups.size(), names.size());
  EXPECT_EQ(described.message.groups[0].error_code, unavailable);
  EXPECT_EQ(described.message.groups[groups_asked_max].error_code,
            number_of(ErrorCode::invalid_request));
  EXPECT_EQ(described.message.groups[groups_asked_max].group_id, names[groups_asked_max]);
  // To find what is named again among millions takes seconds.
  std::vector<protocol::String> again = views;
  again.back() = views.front();
  description.groups = std::span<const protocol::String>(again);
  const auto described_again =
      refused<protocol::DescribeGroupsResponse>(call_of(description, 5), 5);
  EXPECT_EQ(described_again.message.groups.size(), names.size());
  std::vector<protocol::OffsetFetchRequest::OffsetFetchRequestGroup> wanted(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    wanted[i].group_id = names[i];
    wanted[i].topics = decltype(wanted[i].topics)::null();
  }
  protocol::OffsetFetchRequest fetch;
  fetch.groups = std::span<const protocol::OffsetFetchRequest::OffsetFetchRequestGroup>(wanted);
  const GroupCall fetching = call_of(fetch, 8);
  ASSERT_EQ(fetching.questions().size(), groups_asked_max);
  const auto fetched = refused<protocol::OffsetFetchResponse>(fetching, 8);
  EXPECT_EQ(fetched.message.groups[0].error_code, unavailable);
  EXPECT_EQ(fetched.message.groups[groups_asked_max].error_code,
            number_of(ErrorCode::invalid_request));
}

}  // namespace
}  // namespace millrace::coordination
