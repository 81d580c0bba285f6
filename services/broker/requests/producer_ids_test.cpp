// Ids for idempotent producers.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

// This one imports modules: it comes after all that includes standard headers.
#include "test_support.hpp"

import millrace.protocol.transactions;

namespace millrace::broker {
namespace {

using protocol::InitProducerIdRequest;
using protocol::InitProducerIdResponse;
using security::Operation;
using security::ResourceType;

InitProducerIdRequest asking(protocol::String transactional_id = protocol::null_string) {
  InitProducerIdRequest request;
  request.transactional_id = transactional_id;
  request.transaction_timeout_ms = 60'000;
  return request;
}

TEST(ProducerIds, are_given_once_each_across_blocks_and_versions) {
  Bench bench;
  std::set<std::int64_t> given;
  for (std::int16_t version = 0; version <= 5; ++version) {
    for (int i = 0; i < 2; ++i) {
      const auto answer = bench.ask<InitProducerIdResponse>(asking(), version);
      EXPECT_EQ(answer.message.error_code, 0);
      EXPECT_EQ(answer.message.producer_epoch, 0);
      EXPECT_TRUE(given.insert(answer.message.producer_id).second) << "given twice";
    }
  }
  // Blocks of three: four of them for twelve.
  EXPECT_EQ(bench.controller.allocations, 4);
  EXPECT_EQ(*given.begin(), 1000);
  EXPECT_EQ(*given.rbegin(), 4002);
}

TEST(ProducerIds, are_asked_for_once_by_all_who_wait) {
  Bench bench;
  TaskGroup group;
  std::vector<std::int64_t> given;
  ProducerIds ids(bench.controller);
  const auto take = [](ProducerIds& from, std::vector<std::int64_t>& to) -> Task<void> {
    const auto id = co_await from.next();
    if (id) to.push_back(id->value());
  };
  for (int i = 0; i < 3; ++i) group.start(take(ids, given));
  bench.executor.run_until_idle();
  EXPECT_EQ(given, (std::vector<std::int64_t>{1000, 1001, 1002}));
  EXPECT_EQ(bench.controller.allocations, 1);
}

TEST(ProducerIds, that_no_controller_gives_are_a_reason_to_ask_again) {
  Bench bench;
  bench.controller.blocks = [](int which) {
    return which == 1
               ? Result<metadata::ProducerIdBlock, ErrorCode>(failure(ErrorCode::not_controller))
               : metadata::ProducerIdBlock{.first = ProducerId(7), .count = 1};
  };
  const auto first = bench.ask<InitProducerIdResponse>(asking(), 4);
  EXPECT_EQ(first.message.error_code, code_of(ErrorCode::coordinator_load_in_progress));
  EXPECT_TRUE(protocol::is_retriable(ErrorCode::coordinator_load_in_progress));
  EXPECT_EQ(first.message.producer_id, -1);
  const auto second = bench.ask<InitProducerIdResponse>(asking(), 4);
  EXPECT_EQ(second.message.producer_id, 7);
}

TEST(ProducerIds, of_an_empty_block_are_an_error) {
  Bench bench;
  bench.controller.blocks = [](int) {
    return metadata::ProducerIdBlock{.first = ProducerId(7), .count = 0};
  };
  const auto answer = bench.ask<InitProducerIdResponse>(asking(), 4);
  EXPECT_EQ(answer.message.error_code, code_of(ErrorCode::coordinator_load_in_progress));
}

// Clients must not try for ever.
TEST(ProducerIds, for_transactions_are_refused_for_good) {
  Bench bench;
  for (std::int16_t version = 0; version <= 5; ++version) {
    const auto answer = bench.ask<InitProducerIdResponse>(asking("tx"), version);
    EXPECT_EQ(answer.message.error_code, code_of(ErrorCode::unsupported_version));
    EXPECT_EQ(answer.message.producer_id, -1);
  }
  EXPECT_FALSE(protocol::is_retriable(ErrorCode::unsupported_version));
  const auto empty = bench.ask<InitProducerIdResponse>(asking(""), 2);
  EXPECT_EQ(empty.message.error_code, code_of(ErrorCode::invalid_request));
  EXPECT_EQ(bench.controller.allocations, 0);
}

TEST(ProducerIds, are_not_for_who_may_not_write) {
  Bench bench;
  bench.authorizer.refuse(Operation::idempotent_write, ResourceType::cluster,
                          std::string(security::cluster_name));
  bench.authorizer.refuse(Operation::write, ResourceType::transactional_id, "tx");
  EXPECT_EQ(bench.ask<InitProducerIdResponse>(asking(), 4).message.error_code,
            code_of(ErrorCode::cluster_authorization_failed));
  EXPECT_EQ(bench.ask<InitProducerIdResponse>(asking("tx"), 4).message.error_code,
            code_of(ErrorCode::transactional_id_authorization_failed));
}

}  // namespace
}  // namespace millrace::broker
