// What a broker may say when it is asked for a producer id.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../core/metadata_machine.hpp"
#include "producer_machine.hpp"

namespace millrace::client {
namespace {

using protocol::ApiKey;

TEST(ProducerId, an_answer_without_an_id_is_asked_for_again_after_a_pause) {
  MetadataMachine machine;
  machine.topics["orders"] = one_partition(1, 0);
  const auto tell = machine.broker->react;
  machine.broker->react = [&](const Heard& heard) {
    if (heard.api != ApiKey::init_producer_id) return tell(heard);
    protocol::InitProducerIdResponse response;
    // In turns no id and no epoch, though nothing is said to be wrong.
    const bool has_id = machine.broker->count(ApiKey::init_producer_id) % 2 == 0;
    response.producer_id = has_id ? 7 : -1;
    response.producer_epoch = -1;
    return answer(heard, response);
  };
  ProducerSettings settings;
  settings.common = machine.settings;
  settings.delivery_timeout = std::chrono::seconds{10};
  PostingMailbox mailbox(machine.executor);
  ProducerClient producer(settings, machine.executor, mailbox, machine.network, machine.resolver,
                          Logger(machine.log, "producer"), Random(1));
  machine.run([](ProducerClient& client, MonotonicTime deadline) -> Task<void> {
    EXPECT_TRUE((co_await client.load("orders", deadline)).has_value());
  }(producer, machine.now() + long_time));
  Outcomes outcomes;
  const RecordToSend record{.topic = "orders", .value = as_bytes(std::string_view("x"))};
  ASSERT_TRUE(producer.send(record, &outcomes, 0, FullBuffer::fail));
  machine.executor.advance(std::chrono::seconds{20});
  ASSERT_EQ(outcomes.all.size(), 1u);
  const ClientError& late = *outcomes.all.at(0).error;
  EXPECT_EQ(late.failure, Failure::timed_out);
  EXPECT_EQ(late.persistence, Persistence::not_persisted);
  EXPECT_NE(late.message.find("no producer id"), std::string::npos) << late.message;
  EXPECT_LT(machine.broker->count(ApiKey::init_producer_id), 40u) << "asked without a pause";
  EXPECT_EQ(machine.broker->count(ApiKey::produce), 0u) << "sent without a producer id";
  machine.run(producer.close(machine.now()));
  machine.executor.run_until_idle();
}

}  // namespace
}  // namespace millrace::client
