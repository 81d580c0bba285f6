// Also proves administration.cppm, authorizing.cpp, credentials.cpp, governing.cpp, limiting.cpp,
// overseeing_transactions.cpp, planted_group.cppm, planted_groups.cpp.
#include <gtest/gtest.h>

#include "mock_machine.hpp"

namespace millrace::mock {
namespace {

template <class Body>
void with_client(MockMachine& machine, Body body) {
  machine.run([&]() -> Task<void> {
    RawClient client(machine.network, machine.pool);
    EXPECT_TRUE(co_await client.connect(machine.address()));
    co_await body(client);
    client.close();
  }());
}

protocol::CreateAclsRequest::AclCreation rule(std::string_view name, std::int8_t pattern) {
  return {.resource_type = 2,
          .resource_name = name,
          .resource_pattern_type = pattern,
          .principal = "User:alice",
          .host = "*",
          .operation = 3,
          .permission_type = 3};
}

TEST(MockAdministration, finds_rules_that_count_for_a_name) {
  MockMachine machine;
  with_client(machine, [&](RawClient& client) -> Task<void> {
    const std::vector rules = {rule("orders", 3), rule("ord", 4), rule("bills", 3), rule("x", 1)};
    protocol::CreateAclsRequest create;
    create.creations = std::span<const protocol::CreateAclsRequest::AclCreation>(rules);
    const auto made = co_await client.call<protocol::CreateAclsResponse>(create, 3);
    EXPECT_TRUE(made && made->message.results.size() == 4);
    if (!made) co_return;
    EXPECT_EQ(made->message.results[0].error_code, none);
    EXPECT_EQ(made->message.results[3].error_code, number(ErrorCode::invalid_request));
    protocol::DescribeAclsRequest describe;
    describe.resource_type_filter = 1;
    describe.resource_name_filter = "orders";
    describe.pattern_type_filter = 2;
    describe.principal_filter = protocol::null_string;
    describe.host_filter = protocol::null_string;
    describe.operation = 1;
    describe.permission_type = 1;
    const auto found = co_await client.call<protocol::DescribeAclsResponse>(describe, 3);
    EXPECT_TRUE(found && found->message.resources.size() == 2);
  });
}

TEST(MockAdministration, keeps_what_was_salted_and_not_what_is_too_weak) {
  MockMachine machine;
  with_client(machine, [&](RawClient& client) -> Task<void> {
    const std::array salt = {std::byte{1}};
    using Row = protocol::AlterUserScramCredentialsRequest::ScramCredentialUpsertion;
    const std::vector<Row> rows = {
        {.name = "alice",
         .mechanism = 1,
         .iterations = 4096,
         .salt = salt,
         .salted_password = salt},
        {.name = "bob", .mechanism = 1, .iterations = 1, .salt = salt, .salted_password = salt}};
    protocol::AlterUserScramCredentialsRequest alter;
    alter.upsertions = std::span<const Row>(rows);
    const auto altered =
        co_await client.call<protocol::AlterUserScramCredentialsResponse>(alter, 0);
    EXPECT_TRUE(altered && altered->message.results.size() == 2);
    if (!altered) co_return;
    EXPECT_EQ(altered->message.results[0].error_code, none);
    EXPECT_EQ(altered->message.results[1].error_code, number(ErrorCode::unacceptable_credential));
  });
}

TEST(MockAdministration, refuses_quotas_that_nobody_knows) {
  MockMachine machine;
  with_client(machine, [&](RawClient& client) -> Task<void> {
    using Request = protocol::AlterClientQuotasRequest;
    const Request::EntityData user{.entity_type = "user", .entity_name = "alice"};
    const Request::OpData known{.key = "producer_byte_rate", .value = 1.0, .remove = false};
    const Request::OpData unknown{.key = "speed", .value = 1.0, .remove = false};
    const std::vector<Request::EntryData> rows = {{.entity = {&user, 1}, .ops = {&known, 1}},
                                                  {.entity = {&user, 1}, .ops = {&unknown, 1}}};
    Request alter;
    alter.entries = std::span<const Request::EntryData>(rows);
    const auto altered = co_await client.call<protocol::AlterClientQuotasResponse>(alter, 1);
    EXPECT_TRUE(altered && altered->message.entries.size() == 2);
    if (!altered) co_return;
    EXPECT_EQ(altered->message.entries[0].error_code, none);
    EXPECT_EQ(altered->message.entries[1].error_code, number(ErrorCode::invalid_request));
  });
}

TEST(MockAdministration, tells_planted_groups_as_the_kind_that_they_are) {
  MockMachine machine;
  machine.cluster->plant_group({.kind = GroupKind::consumer,
                                .id = "new",
                                .members = {{.id = "worker-1", .topic = "orders"}}});
  with_client(machine, [&](RawClient& client) -> Task<void> {
    const protocol::String id = "new";
    protocol::ConsumerGroupDescribeRequest consumers;
    consumers.group_ids = {&id, 1};
    const auto told = co_await client.call<protocol::ConsumerGroupDescribeResponse>(consumers, 1);
    EXPECT_TRUE(told && told->message.groups.size() == 1);
    if (!told) co_return;
    EXPECT_EQ(told->message.groups[0].error_code, none);
    EXPECT_EQ(told->message.groups[0].members.size(), 1u);
    protocol::ShareGroupDescribeRequest shares;
    shares.group_ids = {&id, 1};
    const auto none_such = co_await client.call<protocol::ShareGroupDescribeResponse>(shares, 1);
    EXPECT_TRUE(none_such);
    if (!none_such) co_return;
    EXPECT_EQ(none_such->message.groups[0].error_code, number(ErrorCode::group_id_not_found));
  });
}

TEST(MockAdministration, marks_the_end_of_what_hangs_in_a_partition) {
  MockMachine machine;
  ASSERT_TRUE(machine.cluster->create_topic("orders"));
  with_client(machine, [&](RawClient& client) -> Task<void> {
    const std::int32_t partition = 0;
    const protocol::WriteTxnMarkersRequest::WritableTxnMarkerTopic topic{
        .name = "orders", .partition_indexes = {&partition, 1}};
    protocol::WriteTxnMarkersRequest::WritableTxnMarker marker;
    marker.producer_id = 7;
    marker.topics = {&topic, 1};
    protocol::WriteTxnMarkersRequest write;
    write.markers = {&marker, 1};
    const auto written = co_await client.call<protocol::WriteTxnMarkersResponse>(write, 1);
    EXPECT_TRUE(written);
    if (!written) co_return;
    EXPECT_EQ(written->message.markers[0].topics[0].partitions[0].error_code, none);
  });
  EXPECT_EQ(*machine.cluster->end_offset("orders", PartitionIndex(0)), Offset(1));
}

}  // namespace
}  // namespace millrace::mock
