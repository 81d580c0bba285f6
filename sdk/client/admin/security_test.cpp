// Also proves acls.cpp, quotas.cpp, scram.cpp, tokens.cpp.
#include <gtest/gtest.h>

#include "admin_machine.hpp"

namespace millrace::client {
namespace {

using namespace std::chrono_literals;

using Codes = std::vector<ErrorCode>;

AclBinding rule(std::string name, AclOperation operation,
                AclPattern pattern = AclPattern::literal) {
  return {.resource = AclResource::topic,
          .name = std::move(name),
          .pattern = pattern,
          .principal = "User:alice",
          .host = "*",
          .operation = operation,
          .permission = AclPermission::allow};
}

TEST(AdminAcls, are_created_found_by_filters_and_deleted) {
  AdminMachine machine;
  AclBinding nameless = rule("", AclOperation::read);
  const AclBinding read = rule("orders", AclOperation::read);
  const AclBinding write = rule("ord", AclOperation::write, AclPattern::prefixed);
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->create_acls({read, nameless, write, read}))),
            (Codes{ErrorCode::none, ErrorCode::invalid_request, ErrorCode::none, ErrorCode::none}));

  const auto all = machine.run(machine.admin->describe_acls());
  ASSERT_TRUE(all.has_value()) << to_string(all.error());
  EXPECT_EQ(*all, (std::vector{write, read}));
  const auto matching = machine.run(machine.admin->describe_acls(
      {.resource = AclResource::topic, .name = "orders", .pattern = AclPattern::match}));
  ASSERT_TRUE(matching.has_value());
  EXPECT_EQ(matching->size(), 2u);
  const auto exact = machine.run(machine.admin->describe_acls({.name = "orders"}));
  ASSERT_TRUE(exact.has_value());
  EXPECT_EQ(*exact, std::vector{read});

  const auto gone = machine.run(machine.admin->delete_acls(
      {{.operation = AclOperation::write}, {.principal = "User:nobody"}}));
  ASSERT_EQ(gone.size(), 2u);
  ASSERT_TRUE(gone[0].second) << to_string(gone[0].second.error());
  ASSERT_EQ(gone[0].second->size(), 1u);
  EXPECT_EQ((*gone[0].second)[0].first, write);
  EXPECT_TRUE((*gone[0].second)[0].second.has_value());
  ASSERT_TRUE(gone[1].second);
  EXPECT_TRUE(gone[1].second->empty());
  EXPECT_EQ(machine.run(machine.admin->describe_acls())->size(), 1u);
}

TEST(AdminAcls, without_an_authoriser_say_so) {
  AdminMachine machine;
  for (const ApiKey api : {ApiKey::describe_acls, ApiKey::create_acls, ApiKey::delete_acls}) {
    machine.cluster->inject(
        {.api = api, .error = ErrorCode::security_disabled, .times = mock::always});
  }
  EXPECT_EQ(outcome(machine.run(machine.admin->describe_acls())), ErrorCode::security_disabled);
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->create_acls({rule("a", AclOperation::all)}))),
            Codes{ErrorCode::security_disabled});
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->delete_acls({{}}))),
            Codes{ErrorCode::security_disabled});
}

TEST(AdminAcls, that_the_broker_does_not_offer_say_that) {
  AdminMachine machine;
  machine.cluster->withdraw(ApiKey::create_acls);
  const auto created =
      machine.run(machine.admin->create_acls({rule("orders", AclOperation::read)}));
  ASSERT_FALSE(created[0].second);
  EXPECT_EQ(created[0].second.error().failure, Failure::unsupported_version);
  EXPECT_NE(created[0].second.error().message.find("the broker does not support CreateAcls"),
            std::string::npos)
      << created[0].second.error().message;
}

TEST(AdminQuotas, are_set_changed_found_and_removed) {
  AdminMachine machine;
  const QuotaEntity alice = {{.type = "user", .name = "alice"}};
  const QuotaEntity default_client = {{.type = "user", .name = "alice"},
                                      {.type = "client-id", .name = std::nullopt}};
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->alter_quotas(
                {{alice, {{"producer_byte_rate", 1024.0}, {"consumer_byte_rate", 2048.0}}},
                 {default_client, {{"request_percentage", 50.0}}},
                 {{{.type = "house", .name = "red"}}, {{"producer_byte_rate", 1.0}}},
                 {alice, {{"consumer_byte_rate", std::nullopt}}}}))),
            (Codes{ErrorCode::none, ErrorCode::none, ErrorCode::invalid_request, ErrorCode::none}));
  const auto all = machine.run(machine.admin->describe_quotas());
  ASSERT_TRUE(all.has_value()) << to_string(all.error());
  ASSERT_EQ(all->size(), 2u);
  const auto strict = machine.run(machine.admin->describe_quotas(
      {.parts = {{.type = "user", .match = QuotaFilterPart::Match::exact, .name = "alice"}},
       .strict = true}));
  ASSERT_TRUE(strict && strict->size() == 1);
  EXPECT_EQ(strict->front().entity, alice);
  EXPECT_EQ(strict->front().limits,
            (std::vector<std::pair<std::string, double>>{{"producer_byte_rate", 1024.0}}));

  EXPECT_EQ(outcomes_of(machine.run(machine.admin->alter_quotas(
                {{alice, {{"producer_byte_rate", std::nullopt}}}}, {.validate_only = true}))),
            Codes{ErrorCode::none});
  EXPECT_EQ(machine.run(machine.admin->describe_quotas())->size(), 2u);
}

TEST(AdminScram, sets_lists_and_removes_credentials) {
  AdminMachine machine;
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->alter_scram(
                {{.user = "alice", .password = "secret"},
                 {.user = "alice", .mechanism = ScramMechanism::sha_512, .password = "secret"},
                 {.user = "bob", .password = "secret", .iterations = 3},
                 {.user = "carol", .password = std::nullopt}}))),
            (Codes{ErrorCode::none, ErrorCode::none, ErrorCode::invalid_request,
                   ErrorCode::resource_not_found}));
  const auto told = machine.run(machine.admin->describe_scram());
  ASSERT_TRUE(told.has_value()) << to_string(told.error());
  ASSERT_EQ(told->size(), 1u);
  EXPECT_EQ((*told)[0].first, "alice");
  ASSERT_TRUE((*told)[0].second && (*told)[0].second->size() == 2);
  EXPECT_EQ((*told)[0].second->front().iterations, 8192);
  const auto named = machine.run(machine.admin->describe_scram({"nobody", "alice"}));
  ASSERT_TRUE(named && named->size() == 2);
  EXPECT_EQ(outcomes_of(*named), (Codes{ErrorCode::resource_not_found, ErrorCode::none}));
  EXPECT_EQ(outcomes_of(machine.run(machine.admin->alter_scram({{.user = "alice"}}))),
            Codes{ErrorCode::none});
  EXPECT_EQ((*machine.run(machine.admin->describe_scram({"alice"})))[0].second->size(), 1u);
}

// RFC 7677 gives the salted password of "pencil" only through what follows from it; this is the
// same computed by another implementation (Python's hashlib.pbkdf2_hmac).
TEST(AdminScram, derives_what_others_derive) {
  AdminMachine machine;
  std::vector<std::byte> salt;
  for (const char c : std::string_view("salty")) salt.push_back(static_cast<std::byte>(c));
  const auto altered = machine.run(machine.admin->alter_scram(
      {{.user = "alice", .password = "pencil", .iterations = 4096, .salt = salt}}));
  ASSERT_TRUE(altered[0].second) << to_string(altered[0].second.error());
  const auto& requests = machine.cluster->requests();
  const auto sent =
      std::ranges::find(requests, ApiKey::alter_user_scram_credentials, &mock::LoggedRequest::api);
  ASSERT_NE(sent, requests.end());
  constexpr std::string_view expected =
      "28f9c07ab10d7bba50d5d87f453a6f9bfde6e589133ab75c8356b4969c1d11e8";
  std::string body;
  for (const std::byte byte : sent->body) {
    constexpr std::string_view digits = "0123456789abcdef";
    body += digits[static_cast<std::size_t>(byte) >> 4U];
    body += digits[static_cast<std::size_t>(byte) & 15U];
  }
  EXPECT_NE(body.find(expected), std::string::npos) << body;
  EXPECT_EQ(body.find("70656e63696c"), std::string::npos) << "the password itself was sent";
}

TEST(AdminTokens, live_and_end) {
  AdminMachine machine;
  const auto made = machine.run(machine.admin->create_token(
      {.owner = Principal{"User", "alice"}, .renewers = {{"User", "bob"}}, .lifetime = 1h}));
  ASSERT_TRUE(made.has_value()) << to_string(made.error());
  EXPECT_EQ(made->owner, (Principal{"User", "alice"}));
  EXPECT_EQ(made->expires_at_latest - made->issued, 1h);
  ASSERT_TRUE(machine.run(machine.admin->create_token()).has_value());

  EXPECT_EQ(machine.run(machine.admin->describe_tokens())->size(), 2u);
  const auto told = machine.run(machine.admin->describe_tokens({{"User", "alice"}}));
  ASSERT_TRUE(told && told->size() == 1);
  EXPECT_EQ(told->front().hmac, made->hmac);
  EXPECT_EQ(told->front().renewers, (std::vector<Principal>{{"User", "bob"}}));

  const auto renewed = machine.run(machine.admin->renew_token(made->hmac, 30min));
  ASSERT_TRUE(renewed.has_value()) << to_string(renewed.error());
  EXPECT_TRUE(machine.run(machine.admin->expire_token(made->hmac)).has_value());
  EXPECT_EQ(outcome(machine.run(machine.admin->renew_token(made->hmac))),
            ErrorCode::delegation_token_not_found);
  EXPECT_EQ(machine.run(machine.admin->describe_tokens())->size(), 1u);
}

}  // namespace
}  // namespace millrace::client
